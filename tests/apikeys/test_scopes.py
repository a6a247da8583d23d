"""Scopes: permissions × projects. What a key was not given it does not get, at any door, and it is told so."""

from dataclasses import replace
from typing import Any

import pytest

from apps.apikeys.models import ApiKey
from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core import policy
from apps.core.identity import Actor, Role
from apps.core.testing import Cast, RestClient, assert_constant_queries
from apps.datasets.models import DatasetUserShare
from apps.invitations.models import Invitation
from apps.organizations.services import token_issue
from apps.projects.narrowing import LOOKED_AT, path_to_project
from apps.projects.services import project_create
from tests.factories.accounts import PASSWORD
from tests.factories.apikeys import key_of
from tests.factories.datasets import DatasetFactory
from tests.factories.departures import OrganizationExportFactory
from tests.factories.organizations import MembershipFactory
from tests.factories.projects import ProjectFactory
from tests.security.report import CREDENTIALS

pytestmark = [
    pytest.mark.security(CREDENTIALS, "scopes of API keys"),
    pytest.mark.world("owner", "admin", "stranger", "dataset"),
]

OUTSIDE = "apikey.used_outside_scope"

#: Model of the registry → the way from a row to its project; None: belongs to no project, so that a key limited to
#: projects may look at it at most (`LOOKED_AT`) and change nothing. A model that is missing here fails the test.
WHERE_PROJECTS_ARE: dict[str, tuple[str, ...] | None] = {
    "accounts.RefreshToken": None,
    "accounts.User": None,
    "apikeys.ApiKey": None,
    "apikeys.EndpointUsage": None,
    "audit.AuditCheck": None,
    "audit.AuditEvent": ("project_id",),
    "audit.AuditHead": None,
    "datasets.Dataset": ("project_id",),
    "datasets.DatasetGroupShare": ("content_object", "project_id"),
    "datasets.DatasetUserShare": ("content_object", "project_id"),
    "datasets.Export": ("dataset", "project_id"),
    "datasets.IntegrityCheck": ("dataset", "project_id"),
    "datasets.Item": ("dataset", "project_id"),
    "datasets.ServerFolder": None,
    "datasets.Snapshot": ("dataset", "project_id"),
    "datasets.Upload": ("dataset", "project_id"),
    "departures.OrganizationDeletion": None,
    "departures.OrganizationExport": None,
    "departures.PersonErasure": None,
    "evaluation.InferenceJob": ("job", "project_id"),
    "experiments.Experiment": ("project_id",),
    "experiments.Run": ("project_id",),
    "invitations.Invitation": None,
    "jobs.Job": ("project_id",),
    "organizations.Membership": None,
    "organizations.Organization": None,
    "projects.Project": ("pk",),
    "projects.ProjectMembership": ("project_id",),
    "resources.Node": None,
    "resources.ResourceGroup": None,
    "singlesignon.Connection": None,
    "training.Checkpoint": ("job", "project_id"),
    "training.TrainingJob": ("job", "project_id"),
    "training.TrainingJobGroupShare": ("content_object", "job", "project_id"),
    "training.TrainingJobUserShare": ("content_object", "job", "project_id"),
}


def rule_models() -> list[Any]:
    return sorted({policy.rule_of(name).model for name in policy.names()}, key=lambda model: model._meta.label)


def test_for_every_model_it_is_known_where_its_project_is() -> None:
    found = {model._meta.label: path_to_project(model) for model in rule_models()}
    assert found == WHERE_PROJECTS_ARE


def test_a_list_outside_the_scope_is_refused_and_not_empty(cast: Cast) -> None:
    cast.sample("dataset")
    key, secret = key_of(cast.owner, "projects.view_project")
    client = RestClient(secret)
    assert len(client.get("/projects").json()["results"]) == 1
    answer = client.get("/datasets")
    assert (answer.status_code, answer.json()["code"]) == (403, "outside_scope")
    assert answer.json()["params"] == {"permissions": ["datasets.view_dataset"]}
    event = AuditEvent.objects.get(action=OUTSIDE)
    assert (event.entity_id, event.actor_id, event.via) == (str(key.pk), cast.owner.user.pk, "key")
    (told,) = readable([event])
    assert told.params["request"] == "GET /api/v1/datasets"
    assert told.params["lacking"] == ["datasets.view_dataset"]


def test_seeing_is_not_changing(cast: Cast) -> None:
    client = RestClient(key_of(cast.owner, "projects.view_project")[1])
    path = cast.path("/projects/{project}")
    assert client.get(path).status_code == 200
    answer = client.patch(path, {"name": "Renamed"})
    assert (answer.status_code, answer.json()["code"]) == (403, "outside_scope")
    cast.sample("project").refresh_from_db()
    assert cast.canary in cast.sample("project").name
    assert AuditEvent.objects.filter(action=OUTSIDE).count() == 1


def test_outside_the_scope_all_ids_look_alike(cast: Cast) -> None:
    client = RestClient(key_of(cast.owner, "resources.view_node")[1])
    there = client.get(cast.path("/projects/{project}"))
    absent = client.get("/projects/0190a5d0-0000-7000-8000-000000000000")
    foreign = client.get(f"/projects/{ProjectFactory().pk}")
    assert there.status_code == absent.status_code == foreign.status_code == 403
    assert there.content == absent.content == foreign.content


def test_a_key_never_grants_what_its_owner_lacks(cast: Cast) -> None:
    client = RestClient(key_of(cast.viewer)[1])
    path = cast.path("/projects/{project}")
    assert client.get(path).status_code == 200
    answer = client.patch(path, {"name": "Renamed"})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert client.get(f"/projects/{ProjectFactory(organization=cast.sample('organization')).pk}").status_code == 404


def test_one_permission_is_enough_for_what_it_says(cast: Cast) -> None:
    """The rule behind it is composed of others, which the key was not given."""
    client = RestClient(key_of(cast.editor, "datasets.add_dataset")[1])
    body = {"project_id": str(cast.sample("project").pk), "name": "By key"}
    answer = client.post("/datasets", body)
    assert answer.status_code == 201, answer.content
    assert client.patch(f"/datasets/{answer.json()['id']}", {"name": "Changed"}).json()["code"] == "outside_scope"


def test_what_belongs_to_a_person_alone_is_done_by_no_key(cast: Cast) -> None:
    """Such operations ask for no permission, so no scope covers them."""
    client = RestClient(key_of(cast.admin)[1])
    refresh = token_issue(actor=cast.admin.actor).refresh
    answer = client.post("/auth/token/revoke", {"refresh": refresh})
    assert (answer.status_code, answer.json()["code"]) == (403, "outside_scope")
    assert not cast.admin.user.refresh_tokens.filter(revoked_at__isnull=False).exists()
    assert cast.admin.rest.post("/auth/token/revoke", {"refresh": refresh}).status_code == 204
    assert cast.admin.user.refresh_tokens.filter(revoked_at__isnull=False).exists()


def test_no_key_changes_its_owners_password_nor_tries_one(cast: Cast) -> None:
    """Whoever holds the key would learn whether it is the right one, and lock the owner out."""
    client, wanted = RestClient(key_of(cast.admin)[1]), "another long phrase"
    for old in (PASSWORD, "wrong"):
        answer = client.post("/auth/password/change", {"old_password": old, "password": wanted})
        assert (answer.status_code, answer.json()["code"]) == (403, "outside_scope")
    assert (
        cast.admin.rest.post("/auth/password/change", {"old_password": PASSWORD, "password": wanted}).status_code
        == 204
    )


def test_a_key_learns_of_its_own_organization_alone(cast: Cast) -> None:
    second = MembershipFactory(user=cast.owner.user).organization
    found = RestClient(key_of(cast.owner, "resources.view_node")[1]).get("/me").json()
    assert [row["organization_id"] for row in found["memberships"]] == [str(cast.owner.organization_id)]
    token = cast.owner.rest.get("/me").json()
    assert str(second.pk) in [row["organization_id"] for row in token["memberships"]]


# --- Projects


@pytest.fixture
def other(cast: Cast) -> Any:
    """A second project of the owner's organization, which an administrator reaches too."""
    return ProjectFactory(organization=cast.sample("organization"), name="The other project")


def limited(cast: Cast, *scopes: str) -> tuple[ApiKey, RestClient]:
    key, secret = key_of(cast.admin, *scopes, projects=[cast.sample("project")])
    return key, RestClient(secret)


def test_a_key_limited_to_projects_reaches_these_alone(cast: Cast, other: Any) -> None:
    mine = cast.sample("dataset")
    theirs = DatasetFactory(project=other, organization=other.organization, name="Elsewhere")
    _key, client = limited(cast)
    assert [row["id"] for row in client.get("/projects").json()["results"]] == [str(cast.sample("project").pk)]
    assert [row["id"] for row in client.get("/datasets").json()["results"]] == [str(mine.pk)]
    assert client.get(f"/datasets/{mine.pk}").status_code == 200
    for path in (f"/projects/{other.pk}", f"/datasets/{theirs.pk}"):
        assert client.get(path).status_code == 404
        assert client.patch(path, {"name": "Taken over"}).status_code == 404
    answer = client.post("/datasets", {"project_id": str(other.pk), "name": "Planted"})
    assert answer.status_code == 400
    answer = client.post("/datasets", {"project_id": str(cast.sample("project").pk), "name": "At home"})
    assert answer.status_code == 201


def test_asking_for_an_object_of_another_project_is_written_down(cast: Cast, other: Any) -> None:
    key, client = limited(cast)
    assert client.get(f"/projects/{other.pk}").status_code == 404
    event = AuditEvent.objects.get(action=OUTSIDE)
    (told,) = readable([event])
    assert (event.entity_id, told.params["lacking"]) == (str(key.pk), ["project"])
    assert client.get("/projects/0190a5d0-0000-7000-8000-000000000000").status_code == 404
    assert client.get(f"/projects/{ProjectFactory().pk}").status_code == 404
    assert AuditEvent.objects.filter(action=OUTSIDE).count() == 1


def test_what_lies_in_no_project_is_looked_at_and_not_changed(cast: Cast) -> None:
    _key, client = limited(cast)
    organization = cast.sample("organization")
    assert client.get(f"/organizations/{organization.pk}").status_code == 200
    assert client.patch(f"/organizations/{organization.pk}", {"company": "Taken over"}).status_code == 403
    assert client.post("/projects", {"name": "Another"}).status_code == 403
    assert client.post("/resource-groups", {"name": "Another"}).status_code == 403


def test_a_key_limited_to_projects_gets_no_export_of_the_organization(cast: Cast) -> None:
    """Nor what else would tell of other projects: its owner, an administrator, does by a key without limits."""
    organization = cast.sample("organization")
    export = OrganizationExportFactory(organization=organization, requested_by=cast.admin.user)
    exports = f"/organizations/{organization.pk}/exports"
    _key, client = limited(cast)
    whole = RestClient(key_of(cast.admin, name="whole")[1])
    for path in (f"{exports}/{export.pk}", f"{exports}/{export.pk}/download"):
        assert client.get(path).status_code == 404
        assert whole.get(path).status_code == 200
    cast.sample("invitation")
    for path in (exports, "/invitations", "/api-keys"):
        assert client.get(path).json()["results"] == [], path
        assert whole.get(path).json()["results"], path


def test_of_what_lies_in_no_project_a_limited_key_is_shown_the_listed_alone(cast: Cast) -> None:
    actor = replace(cast.admin.actor, projects=frozenset({cast.sample("project").pk}))
    nowhere = [name for name in policy.names() if WHERE_PROJECTS_ARE[policy.rule_of(name).model._meta.label] is None]
    assert {name for name in nowhere if policy.condition(actor, name) != policy.NOBODY} == LOOKED_AT


def test_a_key_whose_projects_are_gone_reaches_nothing(cast: Cast) -> None:
    key, client = limited(cast)
    key.projects.clear()
    assert client.get("/projects").json()["results"] == []
    assert client.get(cast.path("/projects/{project}")).status_code == 404


def test_projects_of_others_are_no_choice(cast: Cast, other: Any) -> None:
    body = {
        "name": "k",
        "scopes": ["projects.view_project"],
        "expires_at": "2026-12-01T00:00:00Z",
        "project_ids": [str(other.pk)],
    }
    assert "project_ids" in cast.owner.rest.post("/api-keys", body).json()["errors"]
    foreign = ProjectFactory()
    assert (
        "project_ids" in cast.admin.rest.post("/api-keys", {**body, "project_ids": [str(foreign.pk)]}).json()["errors"]
    )


def test_my_permissions_are_told_by_organization_and_project(cast: Cast) -> None:
    found = cast.viewer.rest.get("/me/permissions").json()
    assert (found["via"], found["scopes"], found["api_key_id"]) == ("token", None, None)
    (organization,), (project,) = found["organizations"], found["projects"]
    assert (organization["role"], project["role"]) == ("engineer_i", "viewer")
    assert "projects.add_project" in organization["permissions"]
    assert "organizations.change_organization" not in organization["permissions"]
    assert "projects.view_project" in project["permissions"]
    assert "datasets.add_dataset" not in project["permissions"]
    manager = cast.manager.rest.get("/me/permissions").json()["projects"][0]
    assert manager["role"] is None and "datasets.add_dataset" in manager["permissions"]


def test_a_key_is_told_what_its_scopes_leave(cast: Cast) -> None:
    key, secret = key_of(cast.owner, "datasets.add_dataset")
    found = RestClient(secret).get("/me/permissions").json()
    assert (found["via"], found["api_key_id"]) == ("key", str(key.pk))
    assert found["scopes"] == ["datasets.add_dataset", "datasets.view_dataset", "projects.view_project"]
    assert found["projects"][0]["permissions"] == ["datasets.add_dataset", "projects.view_project"]
    assert found["organizations"][0]["permissions"] == []


def test_permissions_can_be_asked_of_one_project_and_cost_the_same_for_many(cast: Cast) -> None:
    organization = cast.sample("organization")
    first = ProjectFactory(organization=organization)
    found = cast.admin.rest.get(f"/me/permissions?project_id={first.pk}").json()
    assert [row["project_id"] for row in found["projects"]] == [str(first.pk)]
    assert cast.admin.rest.get("/me/permissions?project_id=x").status_code == 400
    assert cast.admin.rest.get(f"/me/permissions?project_id={ProjectFactory().pk}").json()["projects"] == []
    assert_constant_queries(
        lambda: cast.admin.rest.get("/me/permissions"),
        add_rows=lambda count: ProjectFactory.create_batch(count, organization=organization),
    )


# --- What names its permission by the object


SHARING = ("datasets.manage_dataset", "accounts.view_user")


@pytest.mark.parametrize(
    ("scopes", "status"), [(SHARING, 201), (("datasets.view_dataset", "accounts.view_user"), 403)]
)
def test_a_key_shares_with_the_permission_to_manage_and_not_without(
    scopes: tuple[str, ...], status: int, cast: Cast
) -> None:
    dataset, colleague = cast.sample("dataset"), MembershipFactory(organization=cast.sample("organization")).user
    client = RestClient(key_of(cast.admin, *scopes)[1])
    wanted = {"object_type": "dataset", "object_id": str(dataset.pk), "user_id": str(colleague.pk), "level": "use"}
    answer = client.post("/shares", wanted)
    assert answer.status_code == status, answer.content
    assert DatasetUserShare.objects.filter(user=colleague).count() == (status == 201)
    if status == 403:
        assert answer.json()["params"]["permissions"] == ["datasets.manage_dataset"]


@pytest.mark.parametrize(
    ("scope", "status"), [("organizations.add_membership", 201), ("organizations.view_organization", 403)]
)
def test_a_key_invites_with_the_permission_for_it_and_not_without(scope: str, status: int, cast: Cast) -> None:
    client = RestClient(key_of(cast.admin, scope)[1])
    target = {"target_type": "organization", "target_id": str(cast.sample("organization").pk), "role": "guest"}
    answer = client.post("/invitations", {**target, "email": "new@example.com"})
    assert answer.status_code == status, answer.content
    assert Invitation.objects.count() == (status == 201)
    lines = client.post("/invitations/bulk", {**target, "csv": "another@example.com"})
    assert lines.status_code == (200 if status == 201 else 403), lines.content


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        (("audit.follow_organization", "audit.view_auditevent"), 200),
        (("audit.view_auditevent",), 403),
        (("audit.follow_organization",), 403),
    ],
)
def test_a_key_exports_the_log_with_the_permissions_for_it_and_not_without(
    scopes: tuple[str, ...], status: int, cast: Cast
) -> None:
    client = RestClient(key_of(cast.admin, *scopes, "organizations.view_organization")[1])
    assert client.get("/audit-logs/organization").status_code == status
    answer = client.get("/audit-logs/organization/export")
    assert answer.status_code == status
    exported = AuditEvent.objects.filter(action="audit.exported")
    assert exported.count() == (status == 200)
    if status == 200:
        assert exported.get().via == "key"


@pytest.mark.parametrize("what", ["me", "entity/datasets.dataset/{dataset}", "project/{project}"])
def test_a_key_reads_no_log_without_the_permission_to_read_logs(what: str, cast: Cast) -> None:
    path = "/audit-logs/" + cast.path(what)
    scopes = ("datasets.view_dataset", "projects.view_project", "audit.follow_project")
    for more, status in (((), 403), (("audit.view_auditevent",), 200)):
        client = RestClient(key_of(cast.owner, *scopes, *more)[1])
        assert client.get(path).status_code == status
        assert client.get(f"{path}/export").status_code == status


def test_what_its_owner_did_or_is_in_another_organization_is_not_told(cast: Cast) -> None:
    other = MembershipFactory(user=cast.owner.user, role=Role.ADMIN, organization__company="Elsewhere")
    actor = Actor.of(cast.owner.user, organization_id=other.organization_id)
    project_create(actor=actor, organization=other.organization, name="Merger")
    memberships = ("view_organization", "view_membership", "delete_membership")
    scopes = ("audit.view_auditevent", *(f"organizations.{name}" for name in memberships))
    client = RestClient(key_of(cast.owner, *scopes)[1])
    for path in ("/audit-logs/me", "/audit-logs/me/export?as=csv", "/me"):
        answer = client.get(path)
        assert answer.status_code == 200
        told = (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode()
        assert "Merger" not in told and str(other.organization_id) not in told and "Elsewhere" not in told
    assert client.delete(f"/organizations/{other.organization_id}/members/{other.pk}").status_code == 404
    assert policy.allows(actor, "organizations.delete_membership", other)


def test_where_its_owner_is_signed_in_is_no_business_of_a_key(cast: Cast) -> None:
    """Whatever it was given, also the change of its owner's profile."""
    assert cast.owner.portal.get("/profile/").status_code == 200
    (row,) = cast.owner.portal.get("/api/v1/sessions").json()
    client = RestClient(key_of(cast.owner, "accounts.change_user", "accounts.view_user")[1])
    for ask, path in ((client.get, ""), (client.delete, f"/{row['id']}"), (client.post, "/revoke-others")):
        answer = ask(f"/sessions{path}")
        assert (answer.status_code, answer.json()["code"]) == (403, "outside_scope")
    assert cast.owner.portal.get("/profile/").status_code == 200, "the browser stays signed in"
