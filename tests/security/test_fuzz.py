"""Requests drawn from the schema, sent to every REST operation by several personas: none crashes, none leaks.

Schemathesis draws what the schema allows and what it forbids; most requests name objects that are there, so that they
get past the 404. Every answer is checked by the kit's client: the members that the schema promises and no other, and
`application/problem+json` with a code for whatever is refused. A request is undone before the next: rows by a
savepoint, files of uploads by a copy, rate limits by a fresh prefix of the cache.

The seed fixes what is drawn, and requests by one persona may be fewer on a busy machine:
`MODELYARD_SECURITY_SEED=7 MODELYARD_SECURITY_EXAMPLES=20 make security`.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import pytest
import requests
import schemathesis
from allauth.account.forms import default_token_generator
from allauth.account.models import EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from django.core.cache import caches
from django.db import connection, transaction
from django.http import HttpResponse
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from psycopg.pq import TransactionStatus
from schemathesis import Case, GenerationMode

from apps.accounts.services import factors
from apps.core.errors import NotAuthenticated
from apps.core.testing import Cast, Person, Persona, RestClient, committed, schema
from apps.core.testing.openapi import Endpoint, endpoints
from apps.core.testing.personas import key_of
from apps.datasets.folders import uploads_root
from apps.organizations.api.serializers import OrganizationSerializer
from apps.organizations.services import token_issue
from apps.projects.api.serializers import ProjectSerializer
from tests.datasets.factories.archives import zip_of
from tests.factories.accounts import PASSWORD, UserFactory
from tests.factories.datasets import PARTED, SENT, shapes
from tests.factories.evaluation import PNG
from tests.factories.singlesignon import NOWHERE
from tests.security.report import FULL, REQUESTS, SEED
from tests.security.tenancy import Gets
from tests.security.test_tenancy import assert_no_leak, events_of_the_first, filled, rest_row
from tests.stores import one_bucket

pytestmark = [
    pytest.mark.security(REQUESTS, "REST operations"),
    pytest.mark.world("owner", "admin", "stranger", "dataset"),
]

SECONDS = 5.0
SERVER = "http://testserver"
#: Both sides of the tenancy border, and in full count every role.
FOREIGN = (Persona.STRANGER, Persona.ANONYMOUS)
#: operationId → who alone may do it: those who run the platform, or whose own the object is.
INSIDERS = {
    "api_keys_partial_update": Persona.OWNER,
    "api_keys_rotate_create": Persona.OWNER,
    "datasets_uploads_direct_complete_create": Persona.OWNER,
    "datasets_uploads_direct_create": Persona.OWNER,
    "datasets_uploads_direct_destroy": Persona.OWNER,
    "datasets_uploads_direct_parts_create": Persona.OWNER,
    "me_destroy": Persona.VIEWER,
    "organizations_quotas_partial_update": Persona.PLATFORM,
    "sessions_destroy": Persona.OWNER,
}
ROLES = (
    Persona.OWNER,
    Persona.VIEWER,
    Persona.GUEST,
    Persona.SENIOR,
    Persona.MANAGER,
    Persona.ADMIN,
    Persona.PLATFORM,
)
PERSONAS = ROLES if FULL else (Persona.ADMIN,)
#: Requests to one operation by one persona.
EXAMPLES = int(os.environ.get("MODELYARD_SECURITY_EXAMPLES", "100")) if FULL else 5
#: What the client sends itself.
NOT_SENT = {"Cookie", "Content-Length", "User-Agent", "Accept", "Accept-Encoding", "Connection"}
#: operationId → samples in the state that the operation needs, where those of the tenancy matrix are not.
READY = {
    "datasets_release_create": {"datasets": "public-dataset"},
    "datasets_withdraw_create": {"datasets": "public-dataset"},
    "datasets_exports_cancel_create": {"datasets/exports": "waiting-export"},
    "datasets_uploads_analyze_create": {"datasets/uploads": "filled-upload"},
    "datasets_uploads_direct_complete_create": {"datasets/uploads": "direct-upload"},
    "datasets_uploads_direct_create": {"datasets/uploads": "direct-upload"},
    "datasets_uploads_direct_destroy": {"datasets/uploads": "direct-upload"},
    "datasets_uploads_direct_parts_create": {"datasets/uploads": "direct-upload"},
    "datasets_uploads_parts_join_create": {"datasets/uploads": "parted-upload"},
    "datasets_uploads_publish_create": {"datasets/uploads": "analysed-upload"},
    "datasets_versions_restore_create": {"datasets": "grown-dataset"},
    "invitations_accept": {"invitations": "open-link"},
    "invitations_decline": {"invitations": "open-link"},
    "invitations_info_retrieve": {"invitations": "open-link"},
    "projects_unarchive_create": {"projects": "archived-project"},
    "training_jobs_resume_create": {"training-jobs": "stopped-training"},
    "training_jobs_retry_create": {"training-jobs": "stopped-training"},
    "training_jobs_schedule_destroy": {"training-jobs": "scheduled-training"},
    "training_jobs_stop_create": {"training-jobs": "queued-training"},
}
Value = Callable[[Cast, Person], Any]


def sampled(name: str) -> Value:
    return lambda cast, person: key_of(cast.sample(name))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def somebody(cast: Cast, person: Person) -> Person:
    """The person; the stranger, where nobody is signed in."""
    return person if person.user else cast.stranger


def refresh_token(cast: Cast, person: Person) -> str:
    person = somebody(cast, person)
    return token_issue(actor=person.actor, organization_id=person.organization_id).refresh


def mailed_key(cast: Cast, person: Person) -> str:
    """What verifies the address of somebody who has just signed up."""
    return EmailConfirmationHMAC(UserFactory(address=False).emailaddress_set.get()).key


def reset_key(cast: Cast, person: Person) -> str:
    """What resets the password of somebody who has forgotten it."""
    user = UserFactory()
    return f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"


def challenge(cast: Cast, person: Person) -> Any:
    """What a program gets that has proven the password of somebody with a second factor."""
    try:
        factors.demand(cast.sample("guarded-user"))
    except NotAuthenticated as refusal:
        return refusal.params["challenge"]
    raise AssertionError("no second factor")


def recovery_code(cast: Cast, person: Person) -> str:
    codes = cast.sample("guarded-user").authenticator_set.get(type=Authenticator.Type.RECOVERY_CODES)
    return str(codes.wrap().get_unused_codes()[0])


#: Name of a field, filter or whole body (`/`), with operationId or collection in front where it means different things
#: → a right value. `None`: it is left out when the others are right.
RIGHT: dict[str, Value | None] = {
    "actor_id": lambda cast, person: str(cast.owner.user.pk),
    "api-keys/expires_at": lambda cast, person: (timezone.now() + timedelta(days=30)).isoformat(),
    "api-keys/project_ids": None,
    "api-keys/scopes": lambda cast, person: ["projects.view_project"],
    "auth/key": mailed_key,
    "auth_password_change/old_password": lambda cast, person: PASSWORD,
    "auth_password_change/password": lambda cast, person: "another long phrase",
    "auth_password_reset/key": reset_key,
    "auth_password_reset/password": lambda cast, person: "another long phrase",
    "auth_token_mfa/challenge": challenge,
    "auth_token_mfa/code": recovery_code,
    "auth_verify_email/new_password": None,
    "checkpoint_id": sampled("tried-checkpoint"),
    "client_id": lambda cast, person: "portal",
    "client_secret": lambda cast, person: "a client's secret",
    "dataset_id": sampled("dataset"),
    "dataset_version_id": sampled("dataset-snapshot"),
    "datasets/after": lambda cast, person: "head",
    "datasets/before": lambda cast, person: "r1",
    "datasets_export_create/task": None,
    "datasets_export_retrieve/task": None,
    "datasets/format": lambda cast, person: "yolo",
    "datasets_usage_retrieve/before": None,
    "datasets/cursor": None,
    "datasets/image": None,
    "datasets/images": None,
    "datasets/link": None,
    "datasets/matching": lambda cast, person: {"search": "train"},
    "datasets/tags": lambda cast, person: ["night"],
    "datasets_download_create/direct": None,
    "datasets_download_create/path": None,
    "datasets_public_download_create/path": None,
    "datasets_public_download_retrieve/path": None,
    "datasets_purge_create/name": lambda cast, person: cast.sample("trashed-dataset").name,
    "experiments_purge_create/name": lambda cast, person: cast.sample("trashed-experiment").name,
    "projects_purge_create/name": lambda cast, person: cast.sample("trashed-project").name,
    "datasets_release_create/name": lambda cast, person: cast.sample("public-dataset").name,
    "datasets_release_create/version": lambda cast, person: "r2",
    "datasets_download_retrieve/path": None,
    "datasets_duplicates_retrieve/cursor": None,
    "datasets/version": lambda cast, person: "r1",
    "datasets/path": lambda cast, person: "images/train/one.png",
    "datasets_import_create/source": lambda cast, person: "folder",
    "datasets_import_create/folder_id": sampled("server-folder"),
    "datasets_import_create/path": lambda cast, person: "shapes",
    "datasets_server_folders_retrieve/path": lambda cast, person: "shapes",
    "datasets_import_create/format": None,
    "datasets_uploads_analyze_create/format": None,
    "datasets_import_create/access_key": None,
    "datasets_import_create/secret_key": None,
    "datasets_analyze_create/": lambda cast, person: zip_of(shapes()),
    "datasets_uploads_create/direct": None,
    "datasets_uploads_direct_complete_create/sha256": lambda cast, person: [sha256(SENT).hexdigest()],
    "datasets_uploads_direct_create/path": lambda cast, person: "set.zip",
    "datasets_uploads_direct_create/size": lambda cast, person: 5,
    "datasets_uploads_direct_parts_create/parts": lambda cast, person: [{"number": 1}],
    "datasets_uploads_files_update/": lambda cast, person: PNG,
    "datasets_uploads_files_update/sha256": None,
    "datasets_uploads_known_create/files": lambda cast, person: [{"path": "a.png", "sha256": digest(PNG)}],
    "datasets_uploads_parts_join_create/path": lambda cast, person: PARTED[0],
    "datasets_uploads_parts_join_create/size": lambda cast, person: len(PARTED[1]),
    "datasets_uploads_parts_join_create/sha256": lambda cast, person: digest(PARTED[1]),
    "datasets_uploads_parts_update/": lambda cast, person: PNG,
    "datasets_uploads_parts_update/number": lambda cast, person: 1,
    "datasets_uploads_parts_update/sha256": lambda cast, person: digest(PNG),
    "email": lambda cast, person: somebody(cast, person).user.email,
    "invitations/email": lambda cast, person: "somebody.new@example.com",
    "invitations/name": lambda cast, person: "Somebody New",
    "invitations/role": lambda cast, person: "guest",
    "invitations/target_id": sampled("organization"),
    "invitations/target_type": lambda cast, person: "organization",
    "invitations_bulk_create/csv": lambda cast, person: "somebody.new@example.com",
    "domains": None,
    "inference-jobs/config": lambda cast, person: "{}",
    "inference-jobs/files": lambda cast, person: [PNG],
    "inference_jobs_create/training_job_id": None,
    "me_destroy/heirs": None,
    "issuer": lambda cast, person: NOWHERE,
    "organization_id": sampled("organization"),
    "organizations_deletion_create/name": lambda cast, person: str(cast.sample("organization")),
    "password": lambda cast, person: PASSWORD,
    "project_id": sampled("project"),
    "refresh": refresh_token,
    "resource_group_id": sampled("resource-group"),
    "shares/level": lambda cast, person: "view",
    "shares/object_id": sampled("dataset"),
    "shares/object_type": lambda cast, person: "dataset",
    "shares/project_id": None,
    "short_name": lambda cast, person: "acme",
    "start_from_id": None,
    "training-jobs/cron": lambda cast, person: "0 3 * * *",
    "training-jobs/time_zone": lambda cast, person: "Asia/Seoul",
    "training-jobs/config": lambda cast, person: {},
    "training-jobs/model": lambda cast, person: "softmax",
    "training-jobs/split": None,
    "training-jobs/task": lambda cast, person: "tabular",
    "training-jobs/trainer": lambda cast, person: "reference",
    "training_job_id": sampled("tried-checkpoint-training"),
    "user_id": lambda cast, person: str(cast.member.user.pk),
}


@cache
def operations(credentials: bool) -> Any:
    """The schema as Schemathesis reads it. Credentials are drawn for nobody only; the others have their own."""
    found = schemathesis.openapi.from_dict(schema())
    found.config.generation.update(with_security_parameters=credentials)
    return found


def fields(endpoint: Endpoint) -> tuple[list[str], list[str]]:
    """Names that the schema knows for the query and for the body."""
    query = [part["name"] for part in endpoint.description.get("parameters", []) if part["in"] == "query"]
    body = []
    for content in endpoint.description.get("requestBody", {}).get("content", {}).values():
        part = content["schema"]
        part = schema()["components"]["schemas"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        body += part.get("properties", {})
    return query, body


@dataclass(frozen=True)
class Drawn:
    """A request as the schema draws it, and what is put right in it by whoever sends it."""

    case: Case
    #: What was drawn for these; the case has what was sent last.
    path: Any
    query: Any
    body: Any
    is_addressed: bool
    is_whole: bool
    #: Name of a field or filter → a number below 4.
    chances: dict[str, int]


@st.composite
def drawn_requests(draw: st.DrawFn, endpoint: Endpoint, names: list[str], credentials: bool) -> Drawn:
    """Half of them as the schema allows, half as it forbids; most name what is there."""
    found = operations(credentials)[endpoint.path][endpoint.method]
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    case: Case = draw(st.one_of(*(found.as_strategy(mode) for mode in modes)))
    chances = {name: draw(st.integers(0, 3)) for name in names}
    is_addressed, is_whole = draw(st.integers(0, 7)) < 7, draw(st.booleans())
    return Drawn(case, case.path_parameters, case.query, case.body, is_addressed, is_whole, chances)


def draw(door: "Door", use: Callable[[Drawn], None], number: int, start: int = SEED) -> None:
    """Calls with `number` requests to the door's operation, the same ones for the same start."""
    names = sorted({*door.right_query, *door.right_body})
    credentials = door.person.persona == Persona.ANONYMOUS
    # What was sent is told as it was; to shrink it would take minutes.
    limits = settings(
        max_examples=number,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    seed(start)(limits(given(drawn_requests(door.endpoint, names, credentials))(use)))()


def right_for(endpoint: Endpoint, name: str) -> str | None:
    """Under which name a right value is known."""
    keys = (f"{endpoint.operation_id}/{name}", f"{endpoint.path.split('/')[3]}/{name}", name)
    return next((key for key in keys if key in RIGHT), None)


def try_all(doors: "list[Door]", number: int) -> None:
    """Sends as many requests by each person: those who are signed in send the same, for drawing costs as much as an
    answer."""
    for is_anonymous in (False, True):
        group = [door for door in doors if (door.person.persona == Persona.ANONYMOUS) == is_anonymous]
        if group:
            draw(group[0], sender(group), number)


def sender(doors: "list[Door]") -> Callable[[Drawn], None]:
    def send(drawn: Drawn) -> None:
        for door in doors:
            door.check(door.filled(drawn))

    return send


@contextmanager
def undone(folder: Path) -> Iterator[None]:
    """What happens inside leaves no trace; what a commit would check and set off is done at the end of it."""
    caches["default"].key_prefix = f"test-{uuid4().hex}"
    kept = folder.with_name("kept")
    folder.mkdir(exist_ok=True)
    shutil.copytree(folder, kept)
    try:
        with transaction.atomic():
            with committed():
                yield
                connection.check_constraints()
            transaction.set_rollback(True)
    finally:
        shutil.rmtree(folder)
        kept.rename(folder)


@dataclass
class Door:
    """One operation, tried by one person. Makes what the requests name, so that nothing of it is undone."""

    endpoint: Endpoint
    cast: Cast
    person: Person
    folder: Path
    accepted: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        row = rest_row(self.endpoint)
        self.open = row.gets == Gets.OPEN
        # What is public is given to strangers, with the name of whose it is; fetching it is an event of theirs.
        self.known = (self.cast.sample("organization").company,) if row.gets == Gets.PUBLIC else ()
        row = replace(row, samples={**row.samples, **READY.get(self.endpoint.operation_id, {})})
        path, _mark, query = filled(self.cast, self.endpoint.path, row).partition("?")
        pieces = list(zip(self.endpoint.path.split("/")[3:], path.split("/"), strict=True))
        self.address = {template[1:-1]: value for template, value in pieces if template.startswith("{")}
        self.right_query, self.right_body = (self._right(names) for names in fields(self.endpoint))
        self.right_query |= dict(parse_qsl(query))
        self.right_bytes = self._right([""]).get("")
        self.client = RestClient(self.person.token)

    def _right(self, names: list[str]) -> dict[str, Any]:
        found = {}
        for name in names:
            key = right_for(self.endpoint, name)
            if key is not None:
                value = RIGHT[key]
                found[name] = value and value(self.cast, self.person)
        return found

    def filled(self, drawn: Drawn) -> Case:
        """The request as this person sends it."""
        case = drawn.case
        case.path_parameters = dict(self.address) if drawn.is_addressed else drawn.path
        case.query, case.body = (dict(part) if isinstance(part, dict) else part for part in (drawn.query, drawn.body))
        for place, right in ((case.query, self.right_query), (case.body, self.right_body)):
            for name, value in right.items() if isinstance(place, dict) else ():
                # What is there is put right more often than what is left out is added.
                if drawn.chances[name] < (3 if name in place else 2):
                    place.pop(name, None) if value is None else place.update({name: value})
        if self.right_bytes and drawn.is_whole:
            case.body = self.right_bytes
        return case

    def check(self, case: Case) -> None:
        request = requests.Request(**case.as_transport_kwargs(base_url=SERVER)).prepare()
        sent = f"{self.person}: {request.method} {request.path_url} {request.body!r}, seed {SEED}"
        foreign = self.person.persona in FOREIGN
        before = events_of_the_first(self.cast) if foreign else 0
        began = time.process_time()
        try:
            with undone(self.folder):
                response = self.answer_to(request, case.cookies)
                assert response.status_code < 500
                if foreign:
                    assert self.known or events_of_the_first(self.cast) == before, "wrote into the first organization"
                    assert_no_leak(self.cast, response, sent, *self.known)
                if not self.person.user and not self.open:
                    assert response.status_code in {401, 404}, f"{response.status_code}: not asked to sign in"
            assert time.process_time() - began < SECONDS
        except Exception as error:
            error.add_note(sent)
            raise
        if response.status_code < 400:
            self.accepted += 1
        else:
            self.refused += 1

    def answer_to(self, request: requests.PreparedRequest, cookies: dict[str, Any]) -> HttpResponse:
        """The answer, which the client has checked against the schema."""
        headers = {name: value for name, value in request.headers.items() if name not in NOT_SENT}
        self.client.cookies.clear()
        if self.person.user:
            headers.pop("Authorization", None)
        else:
            self.client.cookies.load(dict(cookies))
        content_type = headers.pop("Content-Type", "")
        body = request.body or b""
        outside = transaction.savepoint()
        response = self.client.generic(
            request.method, request.path_url, body, content_type=content_type, headers=headers
        )
        # Without this test's transaction around it, a statement that the database refuses spoils no later one.
        if connection.connection.info.transaction_status == TransactionStatus.INERROR:
            transaction.savepoint_rollback(outside)
        return response


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    """Where this test keeps uploads."""
    settings.HOME = tmp_path
    return uploads_root()


@pytest.fixture(autouse=True)
def a_bucket_where_one_is_needed(request: pytest.FixtureRequest, settings: Any) -> Iterator[None]:
    """Files are sent straight to the store only where it is a bucket."""
    endpoint = request.node.callspec.params.get("endpoint") if hasattr(request.node, "callspec") else None
    if endpoint is None or "_direct_" not in endpoint.operation_id:
        yield
        return
    with one_bucket(settings):
        yield


@pytest.mark.parametrize("endpoint", endpoints(), ids=lambda endpoint: endpoint.operation_id)
def test_whatever_is_sent_is_answered_as_the_schema_says(
    endpoint: Endpoint, cast: Cast, folder: Path, record_property: Callable[[str, Any], None]
) -> None:
    answers: dict[str, list[int]] = {}
    record_property("fuzz", {endpoint.operation_id: answers})
    alone = INSIDERS.get(endpoint.operation_id)
    personas = ((alone,) if alone else PERSONAS) + FOREIGN
    doors = [Door(endpoint, cast, cast.person(persona), folder) for persona in personas]
    try:
        try_all(doors, EXAMPLES)
    finally:
        answers.update({str(door.person.persona): [door.accepted, door.refused] for door in doors})
    assert any(door.accepted for door in doors), "nobody got past the checks of the input"


def endpoint_named(name: str) -> Endpoint:
    return next(endpoint for endpoint in endpoints() if endpoint.operation_id == name)


def test_the_same_seed_draws_the_same_requests(cast: Cast, folder: Path) -> None:
    door = Door(endpoint_named("datasets_create"), cast, cast.admin, folder)
    drawn: list[list[str]] = []
    for start in (SEED, SEED, SEED + 1):
        drawn.append([])
        draw(door, lambda found: drawn[-1].append(repr(door.filled(found))), 10, start)
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_crash_on_one_kind_of_value_is_found(cast: Cast, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(serializer: Any, value: str) -> str:
        return value.encode("ascii").decode()

    monkeypatch.setattr(ProjectSerializer, "validate_description", crash, raising=False)
    door = Door(endpoint_named("projects_create"), cast, cast.admin, folder)
    with pytest.raises(UnicodeEncodeError) as found:
        try_all([door], 100)
    assert any("POST /api/v1/projects" in note for note in found.value.__notes__)


def test_a_leak_and_an_undescribed_answer_are_found(cast: Cast, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    represent = OrganizationSerializer.to_representation
    for extra, message in (({"division": cast.canary}, cast.canary), ({"secret": 1}, "secret")):
        monkeypatch.setattr(
            OrganizationSerializer,
            "to_representation",
            lambda self, row, extra=extra: {**represent(self, row), **extra},
        )
        with pytest.raises(AssertionError, match=message):
            try_all([Door(endpoint_named("organizations_list"), cast, cast.stranger, folder)], 3)
