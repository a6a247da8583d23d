"""Who gets which page of the portal and may do what in the admin, in the own organization: the second half of `roles.py`.

Sessions open pages, keys do not: who has none is sent to the sign-in page (`in`), keys included, whatever the page's
pattern says of programs; pages for everybody are for them too.

The admin has a table of its own: it is for the staff, and a flag says who is of it, which gives no permission. Members
of every role are tried as staff there, the administrator also without the flag, and those who run the platform. `-` there
follows as well: the project plays no part, or all may what a guest may, or nobody may what those above all may not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from apps.core.testing import Cast
from tests.factories.singlesignon import NOWHERE
from tests.security.actors import SESSIONLESS, Staff, Who
from tests.security.roles import PATTERNS, patterns_of

#: To the sign-in page.
IN = "in"
#: Who is tried of those without a session; one key is to a page as the other.
SENT_AWAY = (Who.NOBODY, Who.NARROW)

# --- Pages

Body = Mapping[str, Any] | Callable[[Cast], Mapping[str, Any]]


@dataclass(frozen=True)
class Page:
    """What GET and POST get; none where the page does not take the method.

    `body`, `query` and `samples` stand in for those of `tenancy.py`: what a POST sends is right. Whoever may send it has
    written an event afterwards, unless `quiet` says why there is none.
    """

    get: str = ""
    post: str = ""
    body: Body | None = None
    samples: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    state: frozenset[int] | set[int] = field(default_factory=frozenset)
    quiet: str = ""

    def cells(self, method: str) -> Mapping[Who, str]:
        name = {"get": self.get, "post": self.post}[method]
        cells = PATTERNS[name].cells if name else {}
        others = {who: cell for who, cell in cells.items() if who not in SESSIONLESS}
        return cells if name == "EVERYBODY" else {**others, **{who: IN for who in SENT_AWAY if name}}


def named(sample: str) -> Callable[[Cast], dict[str, str]]:
    """Names the object, as those do who delete it for good."""
    return lambda cast: {"name": cast.sample(sample).name}


def person(**others: str) -> Callable[[Cast], dict[str, str]]:
    """An engineer of the organization who is no member of the project."""
    return lambda cast: {"user": str(cast.member.user.pk), **others}


def training_form(cast: Cast) -> dict[str, str]:
    return {
        "name": "Another",
        "project": str(cast.sample("project").pk),
        "task": "tabular",
        "model": "softmax",
        "resource_group": str(cast.sample("resource-group").pk),
        "cpus": "1",
        "memory_mb": "256",
        "gpus": "0",
        "priority": "0",
        "seed": "0",
        "config.steps": "5",
        "draft": "1",
    }


def dataset_form(cast: Cast) -> dict[str, str]:
    return {"project": str(cast.sample("project").pk), "name": "Another", "description": "", "visibility": "project"}


def address_file(cast: Cast) -> dict[str, Any]:
    return {"bulk-file": SimpleUploadedFile("people.csv", b"email\nsomebody.new@example.com\n"), "bulk-role": "guest"}


LINKS = "what it leads to writes the event"
FORM = "nothing is begun"
AUTO = {"method": "auto", "train": "0.5", "val": "0.5", "test": "0", "seed": "1"}

#: Name of a URL outside `/api/v1/` and `/admin/` → row.
PAGES: dict[str, Page] = {
    "accounts:session-end": Page(post="SELF"),
    "accounts:sessions": Page("PERSONS"),
    "accounts:sessions-end-others": Page(post="PERSONS"),
    "api-docs": Page("EVERYBODY"),
    "apikeys:change": Page("KEY_OWNER", "KEY_OWNER", {"name": "Renamed"}),
    "apikeys:create": Page("KEY_MAKERS", "KEY_MAKERS"),
    "apikeys:detail": Page("OWNERS_ONLY"),
    "apikeys:endpoints": Page("PERSONS"),
    "apikeys:list": Page("PERSONS"),
    "apikeys:revoke": Page(post="KEY_ENDERS"),
    "apikeys:rotate": Page(post="KEY_OWNER"),
    "audit:check": Page(post="MANAGERS"),
    "audit:export": Page("PERSONS"),
    "audit:head": Page("MANAGERS_ONLY"),
    "audit:history": Page("READERS"),
    "audit:history-export": Page("READERS"),
    "audit:list": Page("PERSONS"),
    "audit:organization": Page("MANAGERS"),
    "audit:organization-export": Page("MANAGERS"),
    "audit:verifier": Page("PERSONS"),
    "choose-organization": Page(post="PERSONS", quiet="the session's own"),
    "dashboard": Page("PERSONS"),
    "datasets:change": Page("READERS", "EDITORS", dataset_form),
    "datasets:check": Page(post="EDITORS"),
    "datasets:classes": Page("READERS"),
    "datasets:compare": Page("READERS"),
    "datasets:create": Page("PERSONS", "FILLERS", dataset_form),
    "datasets:delete": Page(post="EDITORS"),
    "datasets:detail": Page("READERS"),
    "datasets:download": Page(post="READERS", quiet=LINKS),
    "datasets:export-cancel": Page(post="EDITORS"),
    "datasets:export-delete": Page(post="EDITORS"),
    "datasets:export-download": Page(post="READERS", quiet=LINKS),
    "datasets:exports": Page("READERS", "READERS", {"format": "coco"}),
    "datasets:files": Page("READERS"),
    "datasets:history": Page("READERS"),
    "datasets:image": Page("READERS"),
    "datasets:images-act": Page(post="EDITORS", body={"act": "tag", "tags": "night", "all": "1"}),
    "datasets:images-export": Page(post="READERS", body={"format": "yolo", "all": "1"}),
    "datasets:images-export-choice": Page(post="READERS", body={"all": "1"}, quiet=FORM),
    "datasets:import-address": Page("EDITORS", "EDITORS", {"url": "https://example.com/shapes.zip"}),
    "datasets:import-bucket": Page("EDITORS", "EDITORS", {"bucket": "shapes", "endpoint": "https://example.com"}),
    "datasets:import-folder": Page(
        "EDITORS", "TAKERS", lambda cast: {"folder": str(cast.sample("server-folder").pk), "path": "shapes"}
    ),
    "datasets:list": Page("PERSONS"),
    "datasets:public": Page("PERSONS"),
    "datasets:public-detail": Page("PERSONS"),
    "datasets:public-download": Page(post="PERSONS", quiet=LINKS),
    "datasets:public-image": Page("PERSONS"),
    "datasets:public-statistics": Page("PERSONS"),
    "datasets:public-versions": Page("PERSONS"),
    "datasets:purge": Page("EDITORS_ONLY", "EDITORS_ONLY", named("trashed-dataset")),
    "datasets:release": Page(
        "RELEASERS",
        "RELEASERS",
        lambda cast: {**named("public-dataset")(cast), "version": "r2"},
        {"datasets": "public-dataset"},
    ),
    "datasets:restore": Page(post="EDITORS_ONLY"),
    "datasets:sharing": Page("READERS"),
    "datasets:snapshot-delete": Page(post="EDITORS"),
    "datasets:split": Page("READERS", "EDITORS", AUTO),
    "datasets:split-remove": Page(post="EDITORS"),
    "datasets:statistics": Page("READERS"),
    "datasets:trash": Page("PERSONS"),
    "datasets:upload": Page("EDITORS"),
    "datasets:upload-analyse": Page(post="EDITORS_ONLY", samples={"datasets/uploads": "filled-upload"}),
    "datasets:upload-cancel": Page(post="EDITORS_ONLY"),
    "datasets:upload-detail": Page("EDITORS_ONLY"),
    "datasets:upload-lenient": Page(post="EDITORS_ONLY", samples={"datasets/uploads": "filled-upload"}),
    "datasets:upload-publish": Page(
        post="EDITORS_ONLY", body={"mode": "replace"}, samples={"datasets/uploads": "analysed-upload"}
    ),
    "datasets:uploads": Page("READERS"),
    "datasets:usage": Page("READERS"),
    "datasets:version-restore": Page(post="EDITORS", body={"version": "r1"}, samples={"datasets": "grown-dataset"}),
    "datasets:versions": Page("READERS", "EDITORS", {"tag": "another"}),
    "datasets:withdraw": Page(post="WITHDRAWERS", samples={"datasets": "public-dataset"}),
    "departures:account": Page(
        "PERSONS", "PERSONS", {"email": "none@example.com", "password": "x"}, state={422}, quiet="not the password"
    ),
    "departures:cancel": Page(post="ADMINS", samples={"": "closing-organization"}),
    "departures:export": Page(post="ADMINS"),
    "departures:overview": Page("PERSONS"),
    "departures:schedule": Page(
        post="ADMINS", body=lambda cast: {"name": str(cast.sample("organization")), "reason": "Closing"}
    ),
    "evaluation:quick-test": Page("PERSONS"),
    "evaluation:training": Page("READERS"),
    "healthz": Page("EVERYBODY", "EVERYBODY", quiet="answers alike"),
    "invitations:accept": Page(
        post="PERSONS", quiet="the link has ended; tests/invitations/test_answers.py: whom it is for"
    ),
    "invitations:bulk": Page(post="MANAGERS", body=address_file),
    "invitations:cancel": Page(post="MANAGERS_ONLY"),
    "invitations:create": Page("MANAGERS", "MANAGERS", {"email": "somebody.new@example.com", "role": "guest"}),
    "invitations:decline": Page(post="EVERYBODY", quiet="as above"),
    "invitations:invite": Page("EVERYBODY"),
    "invitations:list": Page("PERSONS"),
    "invitations:resend": Page(post="MANAGERS_ONLY"),
    "javascript-catalog": Page("EVERYBODY"),
    "metrics": Page("EVERYBODY", "EVERYBODY", quiet="answers alike"),
    "organizations:ask": Page("PERSONS", "PERSONS", {"company": "Another"}),
    "organizations:change": Page(
        "PERSONS", "ADMINS", {"company": "Renamed", "join_policy": "approval", "join_role": "guest"}
    ),
    "organizations:member-approve": Page(post="PEOPLES_HEADS"),
    "organizations:member-reinstate": Page(post="PEOPLES_HEADS"),
    "organizations:member-remove": Page("PEOPLES_HEADS", "PEOPLES_HEADS"),
    "organizations:member-role": Page(post="PEOPLES_HEADS"),
    "organizations:member-suspend": Page(post="PEOPLES_HEADS"),
    "organizations:members": Page("PERSONS"),
    "organizations:overview": Page("PERSONS"),
    "profile": Page(
        "PERSONS", "PERSONS", {"name": "Renamed", "language": "ko", "time_zone": "Asia/Seoul", "theme": "dark"}
    ),
    "profile-theme": Page(post="EVERYBODY", quiet="a cookie"),
    "projects:archive": Page(post="OWNERS", quiet="work is going on in it"),
    "projects:change": Page("READERS", "OWNERS"),
    "projects:create": Page("PERSONS", "PERSONS"),
    "projects:delete": Page(post="OWNERS"),
    "projects:detail": Page("READERS"),
    "projects:history": Page("READERS"),
    "projects:list": Page("PERSONS"),
    "projects:member-add": Page(post="OWNERS", body=person(role="viewer")),
    "projects:member-change": Page(post="OWNERS"),
    "projects:member-remove": Page(post="OWNERS"),
    "projects:members": Page("READERS"),
    "projects:purge": Page("OWNERS_ONLY", "OWNERS_ONLY", named("trashed-project")),
    "projects:restore": Page(post="OWNERS_ONLY"),
    "projects:transfer": Page(post="OWNERS", body=person()),
    "projects:trash": Page("PERSONS"),
    "projects:unarchive": Page(post="OWNERS_ONLY", samples={"projects": "archived-project"}),
    "readyz": Page("EVERYBODY", "EVERYBODY", quiet="answers alike"),
    "resources:change": Page("ADMINS", "ADMINS"),
    "resources:create": Page("ADMINS", "ADMINS"),
    "resources:detail": Page("PERSONS"),
    "resources:list": Page("PERSONS"),
    "resources:node-telemetry": Page("PERSONS"),
    "search": Page("PERSONS"),
    "set_language": Page(post="EVERYBODY", quiet="of those who are signed in alone"),
    "shares:change": Page(post="LENDERS"),
    "shares:panel": Page("READERS", "OWNERS", person(level="view")),
    "shares:remove": Page(post="SHARED"),
    "singlesignon:connection": Page(
        "ADMINS",
        "ADMINS",
        {
            "short_name": "acme",
            "issuer": NOWHERE,
            "client_id": "portal",
            "client_secret": "a client's secret",
            "role": "guest",
            "admission": "approval",
        },
    ),
    "singlesignon:remove": Page(post="ADMINS", samples={"": "with-connection"}),
    "singlesignon:test": Page(post="ADMINS", samples={"": "with-connection"}),
    "training:change": Page("EDITORS", "EDITORS", training_form),
    "training:checkpoints": Page("READERS"),
    "training:config": Page("READERS"),
    "training:create": Page("PERSONS", "CHOOSERS", training_form, query="trainer=reference"),
    "training:forecast": Page(post="PERSONS", quiet=FORM),
    "training:list": Page("PERSONS"),
    "training:monitor": Page("READERS"),
    "training:results": Page("READERS"),
    "training:schedule": Page("READERS", "EDITORS", {"cron": "0 3 * * *", "time_zone": "UTC"}),
    "training:unschedule": Page(post="EDITORS", samples={"training": "scheduled-training"}),
    "training:versions": Page("PERSONS"),
}

#: Name of a URL → why no role plays a part in it, and where it is tried.
NO_ROLES = {
    "account_*": "signing in, and one's own address and password: tests/accounts, tests/pages",
    "mfa_*": "one's own second factors: tests/accounts, tests/pages",
    "api-schema": "says nothing of anybody, and takes a second to write: tests/api",
    "api/attempt/v1/*": "takes the token of a machine alone: tests/jobs, test_tenancy.py",
    "invitations:sign-up": "the link is the key: tests/invitations/test_answers.py",
    "singlesignon:begin": "the way in: tests/singlesignon/test_sign_in.py",
    "singlesignon:callback": "the way in: tests/singlesignon/test_sign_in.py",
}

# --- Admin

ADMIN_TABLE = """
               nobody key unstaffed guest engineer_i engineer_ii manager admin   added viewer editor owner   platform
STAFF          in     in  in        ok    -          -           -       ok      -     -      -      ok      ok
NONE           in     in  in        403   -          -           -       403     -     -      -      403     403
PLATFORM       in     in  in        403   403        403         403     403     -     -      -      403     ok
ADMINS         in     in  in        403   403        403         403     ok      -     -      -      403     ok
ADMINS_ONLY    in     in  in        404   404        404         404     ok      -     -      -      404     ok
MANAGERS       in     in  in        403   403        403         ok      ok      -     -      -      403     ok
MANAGERS_ONLY  in     in  in        404   404        404         ok      ok      -     -      -      404     ok
MANAGERS_SEE   in     in  in        404   404        404         403     403     -     -      -      404     403
HEADS          in     in  in        404   403        403         ok      ok      404   403    403    403     ok
COLLEAGUES     in     in  in        404   ok         ok          ok      ok      404   ok     ok     ok      ok
INVITERS       in     in  in        403   403        403         ok      ok      -     -      -      ok      ok
READERS        in     in  in        404   404        404         ok      ok      ok    ok     ok     ok      ok
EDITORS        in     in  in        404   404        404         ok      ok      ok    403    ok     ok      ok
EDITORS_ONLY   in     in  in        404   404        404         ok      ok      ok    404    ok     ok      ok
OWNERS         in     in  in        404   404        404         ok      ok      403   403    403    ok      ok
OWNERS_ONLY    in     in  in        404   404        404         ok      ok      404   404    404    ok      ok
SHARED         in     in  in        404   ok         404         ok      ok      404   404    404    ok      ok
LENDERS        in     in  in        404   403        404         ok      ok      404   404    404    ok      ok
SELF           in     in  in        404   403        403         403     403     404   403    403    ok      ok
SELF_ONLY      in     in  in        404   404        404         404     404     404   404    404    ok      ok
KEY_ENDERS     in     in  in        404   404        404         403     ok      404   404    404    ok      ok
"""
ADMIN_PATTERNS = patterns_of(ADMIN_TABLE, list(Staff))


@dataclass(frozen=True)
class Act:
    """An action of a list: `ok` has written an event, unless `quiet` says why there is none; whoever is refused has not."""

    pattern: str
    sample: str = ""
    body: Body = field(default_factory=dict)
    query: str = ""
    quiet: str = ""


@dataclass(frozen=True)
class Managed:
    """Of a model in the admin: its list, the page and the history of the sample, and what adds, changes and deletes.

    A list shows what the person sees; 404 is the way back to the index. `acts` are the actions of the list.
    """

    list: str = "STAFF"
    view: str = "READERS"
    add: str = "NONE"
    change: str = "NONE"
    delete: str = "NONE"
    acts: Mapping[str, Act] = field(default_factory=dict)


INSTALLATION = Managed("PLATFORM", "PLATFORM")
SHARES = Managed(view="OWNERS_ONLY", add="STAFF", change="OWNERS_ONLY", delete="OWNERS_ONLY")
#: With somebody who may give it back: the engineer I.
LENT = Managed(view="SHARED", add="STAFF", change="LENDERS", delete="SHARED")
TRASH = "?trash=yes"

#: Label of a model → row.
ADMIN: dict[str, Managed] = {
    "account.EmailAddress": INSTALLATION,
    "accounts.RefreshToken": Managed(view="SELF_ONLY", acts={"end_programs": Act("SELF_ONLY")}),
    "accounts.User": Managed(
        view="COLLEAGUES",
        change="SELF",
        acts={
            "end_sessions": Act("PLATFORM"),
            "deactivate": Act("PLATFORM"),
            "reactivate": Act("PLATFORM", quiet="it is in use"),
        },
    ),
    "apikeys.ApiKey": Managed(view="OWNERS_ONLY", acts={"revoke": Act("KEY_ENDERS")}),
    "apikeys.EndpointUsage": Managed(view="OWNERS_ONLY"),
    "audit.AuditCheck": Managed(view="MANAGERS_ONLY", add="MANAGERS"),
    "audit.AuditEvent": Managed(view="MANAGERS_ONLY", acts={"verify_chains": Act("MANAGERS_ONLY")}),
    "audit.AuditHead": Managed(view="MANAGERS_ONLY"),
    "auth.Group": INSTALLATION,
    "core.OutboxMessage": INSTALLATION,
    "datasets.Dataset": Managed(
        add="STAFF",
        change="EDITORS",
        delete="EDITORS",
        acts={
            "fix_version": Act("EDITORS"),
            "check_integrity": Act("EDITORS"),
            "write_export": Act("READERS", body={"format": "coco"}),
            "remove_split": Act("EDITORS"),
            "withdraw_datasets": Act("EDITORS", "public-dataset"),
            "restore_chosen": Act("EDITORS_ONLY", "trashed-dataset", query=TRASH),
            "purge_chosen": Act("EDITORS_ONLY", "trashed-dataset", named("trashed-dataset"), TRASH),
        },
    ),
    "datasets.DatasetGroupShare": SHARES,
    "datasets.DatasetUserShare": LENT,
    "datasets.Export": Managed(delete="EDITORS"),
    "datasets.IntegrityCheck": Managed(),
    "datasets.ServerFolder": Managed(view="COLLEAGUES", add="PLATFORM", change="PLATFORM", delete="PLATFORM"),
    "datasets.Snapshot": Managed(delete="EDITORS"),
    "datasets.Upload": Managed(view="EDITORS_ONLY"),
    "departures.OrganizationDeletion": Managed(view="STAFF", add="PLATFORM", acts={"cancel": Act("ADMINS")}),
    "departures.OrganizationExport": Managed(view="ADMINS_ONLY"),
    "departures.PersonErasure": Managed("PLATFORM", "PLATFORM", add="PLATFORM"),
    "django_celery_beat.ClockedSchedule": INSTALLATION,
    "django_celery_beat.CrontabSchedule": INSTALLATION,
    "django_celery_beat.IntervalSchedule": INSTALLATION,
    "django_celery_beat.PeriodicTask": INSTALLATION,
    "django_celery_beat.SolarSchedule": INSTALLATION,
    "evaluation.InferenceJob": Managed(acts={"stop_jobs": Act("EDITORS")}),
    "experiments.Experiment": Managed(
        add="STAFF",
        change="EDITORS",
        delete="EDITORS",
        acts={
            "restore_chosen": Act("EDITORS_ONLY", "trashed-experiment", query=TRASH),
            "purge_chosen": Act("EDITORS_ONLY", "trashed-experiment", named("trashed-experiment"), TRASH),
        },
    ),
    "experiments.Run": Managed(),
    "invitations.Invitation": Managed(
        view="MANAGERS_ONLY",
        add="INVITERS",
        change="MANAGERS_SEE",
        acts={"send_again": Act("MANAGERS_ONLY"), "withdraw": Act("MANAGERS_ONLY")},
    ),
    "jobs.Job": Managed(
        acts={
            "stop_jobs": Act("EDITORS", "queued-training"),
            "resume_jobs": Act("EDITORS", "stopped-training"),
        }
    ),
    "mfa.Authenticator": INSTALLATION,
    "organizations.Membership": Managed(
        view="COLLEAGUES",
        add="MANAGERS",
        change="HEADS",
        acts={
            "approve_members": Act("HEADS", "pending-membership"),
            "suspend_members": Act("HEADS"),
            "reinstate_members": Act("HEADS", "suspended-membership"),
            "remove_members": Act("HEADS"),
        },
    ),
    "organizations.Organization": Managed(view="STAFF", add="PLATFORM", change="ADMINS"),
    "projects.Project": Managed(
        add="STAFF",
        change="OWNERS",
        delete="OWNERS",
        acts={
            "archive": Act("OWNERS", quiet="work is going on in it"),
            "unarchive": Act("OWNERS", "archived-project"),
            "transfer": Act("OWNERS", body=lambda cast: {"owner": cast.member.user.email}),
            "restore_chosen": Act("OWNERS_ONLY", "trashed-project", query=TRASH),
            "purge_chosen": Act("OWNERS_ONLY", "trashed-project", named("trashed-project"), TRASH),
        },
    ),
    "projects.ProjectMembership": Managed(add="STAFF", change="OWNERS", delete="OWNERS"),
    "resources.Node": Managed(view="STAFF", change="PLATFORM"),
    "resources.ResourceGroup": Managed(view="STAFF", add="ADMINS", change="ADMINS"),
    "singlesignon.Connection": Managed(
        view="ADMINS_ONLY",
        add="ADMINS",
        change="ADMINS_ONLY",
        delete="ADMINS_ONLY",
        acts={"try_connections": Act("ADMINS_ONLY")},
    ),
    "training.Checkpoint": Managed(),
    "training.TrainingJob": Managed(
        change="EDITORS",
        delete="EDITORS",
        acts={
            "start": Act("EDITORS"),
            "stop": Act("EDITORS", "queued-training"),
            "resume": Act("EDITORS", "stopped-training"),
            "unschedule": Act("EDITORS", "scheduled-training"),
            "retry": Act("EDITORS", "stopped-training"),
            "clone": Act("EDITORS"),
        },
    ),
    "training.TrainingJobGroupShare": SHARES,
    "training.TrainingJobUserShare": LENT,
    "usersessions.UserSession": INSTALLATION,
}

#: Name of a URL of the admin that is no model's list, page or form → row.
ADMIN_PAGES: dict[str, str] = {
    "admin:index": "STAFF",
    "admin:invitations_invitation_invite_from_file": "INVITERS",
    "admin:search": "STAFF",
}
#: Those that everybody gets, or that only lead on to others.
ADMIN_ELSEWHERE = {
    "admin/login/": "the sign-in page",
    "admin:login": "the sign-in page",
    "admin:logout": "ends one's own session",
    "admin:password_change": "one's own",
    "admin:password_change_done": "one's own",
    "admin:autocomplete": "rows that one sees: test_tenancy.py",
    "admin:jsi18n": "words",
    "admin:view_on_site": "leads to a page",
    "admin:app_list": "the lists of one app",
    "admin/(?P<url>.*)$": "what there is not",
}
