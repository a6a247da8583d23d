"""The audit log: append-only, encrypted where it speaks of people, sealed into chains, shown to those concerned."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from apps.audit import services
from apps.audit.ciphers import Keyring
from apps.audit.models import AuditEvent, AuditHead, AuditSeal
from apps.audit.selectors import readable
from apps.audit.verification import verify
from apps.core import auditing
from apps.core.auditing import AuditRecord
from apps.core.entities import uuid7
from apps.core.errors import Conflict
from apps.core.identity import Actor, Role
from apps.core.operations import operation, registry
from apps.core.testing import Cast, assert_constant_queries
from apps.organizations.services import membership_change_role, organization_change
from apps.projects import services as projects
from tests.conftest import TRUNCATE_TRIGGERS
from tests.factories.accounts import UserFactory


@pytest.fixture
def written(cast: Cast) -> list[AuditEvent]:
    """Four events of the first organization, written by real operations of two people."""
    project = cast.sample("project")
    projects.project_change(actor=cast.owner.actor, project=project, name="Second name")
    projects.member_change(actor=cast.admin.actor, membership=cast.sample("project-member"), role="editor")
    projects.project_trash(actor=cast.owner.actor, project=project)
    projects.project_restore(actor=cast.owner.actor, project=project)
    return list(AuditEvent.objects.filter(organization_id=cast.owner.organization_id).order_by("id"))


def everything_stored() -> str:
    """Every row of the audit tables as the database holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(t::text, ' ') FROM audit_auditevent t")
        return str(cursor.fetchone()[0])


# --- Personal values


def test_no_name_address_or_client_of_a_person_stands_in_the_table(cast: Cast, written: list[AuditEvent]) -> None:
    cast.owner.rest.patch("/me", {"name": "Very Personal"}, headers={"User-Agent": "Secret-Browser/1.0"})
    stored = everything_stored()
    for person in (cast.owner, cast.admin):
        assert person.user.email not in stored
        assert person.user.name not in stored
    for secret in ("Very Personal", "Secret-Browser", "127.0.0.1", cast.sample("project-member").user.name):
        assert secret not in stored


def test_the_reader_sees_them_in_the_clear(cast: Cast, written: list[AuditEvent]) -> None:
    first, second = readable(written[:2])
    assert (first.actor_name, first.actor_email) == (cast.owner.user.name, cast.owner.user.email)
    assert first.after == {"name": "Second name"}
    assert second.entity_name == cast.sample("project-member").user.name
    assert second.sentence == f"{cast.admin.user.name} changed the role of {second.entity_name} in the project."


def test_one_value_never_has_the_same_cipher_twice_and_opens_for_its_person_only(cast: Cast) -> None:
    owner, editor = cast.owner.user.pk, cast.editor.user.pk
    keys = Keyring([owner, editor], create=True)
    first, second = keys.encrypt(owner, "value"), keys.encrypt(owner, "value")
    assert first["cipher"] != second["cipher"]
    assert keys.decrypt(first) == keys.decrypt(second) == "value"
    assert keys.decrypt({**first, "subject": str(editor)}) is None


def test_keys_are_useless_without_the_master_key(cast: Cast, written: list[AuditEvent], settings: Any) -> None:
    settings.AUDIT_KEY = "another master key"
    with pytest.raises(Exception, match=r".*") as caught:
        readable(written)
    assert type(caught.value).__name__ == "InvalidTag"


def test_erasing_a_persons_key_erases_their_values_and_keeps_the_chain_sound(
    cast: Cast, written: list[AuditEvent]
) -> None:
    services.seal()
    services.person_forget(actor=Actor.system("test"), person_id=cast.owner.user.pk)
    first, second = readable(written[:2])
    assert (first.actor_name, first.actor_email) == ("(erased)", "(erased)")
    assert second.actor_name == cast.admin.user.name, "others stay readable"
    assert verify(cast.owner.organization_id).broken == []


# --- Append-only


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_auditevent SET action = 'nothing.happened'",
        "DELETE FROM audit_auditevent",
        "UPDATE audit_auditseal SET hash = 'x'",
        "DELETE FROM audit_auditseal",
        "UPDATE audit_audithead SET seq = 1",
        "DELETE FROM audit_audithead",
    ],
)
def test_the_database_refuses_to_change_or_remove(written: list[AuditEvent], sql: str) -> None:
    services.seal()
    services.head_sign(chain=written[0].organization_id)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert AuditSeal.objects.count() == AuditEvent.objects.count()
    assert AuditHead.objects.count() == 1


def test_the_database_refuses_to_truncate(request: pytest.FixtureRequest, written: list[AuditEvent]) -> None:
    """The two triggers that the test run dropped (tests/conftest.py) are put back as the migration made them."""
    definitions = request.config.stash[TRUNCATE_TRIGGERS]
    assert len(definitions) == 3
    for table in ("audit_auditseal", "audit_auditevent, audit_auditseal", "audit_audithead"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for definition in definitions:
                cursor.execute(definition)
            cursor.execute(f"TRUNCATE {table}")


def test_the_orm_and_the_admin_cannot_change_an_event(cast: Cast, written: list[AuditEvent]) -> None:
    event = written[0]
    event.action = "nothing.happened"
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        event.save()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEvent.objects.all().delete()
    base = f"/admin/audit/auditevent/{event.pk}"
    portal = cast.platform.portal
    assert portal.get(f"{base}/change/").status_code == 200
    assert portal.post(f"{base}/change/", {"action": "x"}).status_code == 403
    assert portal.post(f"{base}/delete/", {"post": "yes"}).status_code == 403


def test_the_admins_list_asks_for_the_keys_of_a_page_at_once(cast: Cast) -> None:
    project = cast.sample("project")

    def add_rows(count: int) -> None:
        for _number in range(count):
            user = UserFactory()
            actor = replace(cast.platform.actor, user=user, request_id=uuid7().hex)
            services.store([event_of(actor, project)])

    page = cast.platform.portal
    assert_constant_queries(lambda: page.get("/admin/audit/auditevent/"), add_rows=add_rows)
    assert "created the project" in page.get("/admin/audit/auditevent/").content.decode()


def event_of(actor: Actor, project: Any) -> AuditRecord:
    return AuditRecord(
        actor=actor,
        action="project.created",
        entity_type="projects.project",
        entity_id=str(project.pk),
        entity_name=project.name,
        organization_id=project.organization_id,
        project_id=project.pk,
        before={},
        after={},
        params={},
    )


# --- Sealing


@pytest.fixture
def without_triggers() -> Iterator[None]:
    """What somebody with the database's own rights could do."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("audit_auditevent", "audit_auditseal"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    yield


def test_every_event_gets_one_place_in_the_chain_of_its_organization(cast: Cast, written: list[AuditEvent]) -> None:
    organization_change(
        actor=cast.stranger.actor, organization=cast.sample("foreign-organization"), division="Elsewhere"
    )
    total = AuditEvent.objects.count()
    assert services.seal() == total
    assert services.seal() == 0
    for chain in (cast.owner.organization_id, cast.stranger.organization_id):
        numbers = list(AuditSeal.objects.filter(chain=chain).order_by("seq").values_list("seq", flat=True))
        assert numbers == list(range(1, len(numbers) + 1))
        assert numbers
        assert verify(chain).broken == []


def test_sealing_in_steps_gives_one_sound_chain(cast: Cast, written: list[AuditEvent]) -> None:
    assert [services.seal(limit=2), services.seal(limit=2)] == [2, 2]
    projects.project_change(actor=cast.owner.actor, project=cast.sample("project"), name="Third name")
    services.seal()
    assert verify(cast.owner.organization_id).broken == []


def test_an_event_that_commits_late_is_sealed_late_and_not_lost(cast: Cast, written: list[AuditEvent]) -> None:
    """Ids are made before the commit: an older id may appear after newer ones were sealed."""
    early = older_copy(written[0])
    services.seal()
    AuditEvent.objects.bulk_create([early])
    assert services.seal() == 1
    chain = cast.owner.organization_id
    last = AuditSeal.objects.filter(chain=chain).latest("seq")
    assert last.event_id == early.pk < written[-1].pk
    assert verify(chain).broken == []


def older_copy(event: AuditEvent) -> AuditEvent:
    fields = {field.name: getattr(event, field.name) for field in AuditEvent._meta.fields}
    return AuditEvent(**{**fields, "id": type(event.pk)(int=event.pk.int - 1)})


def test_events_without_an_organization_have_the_platforms_chain(cast: Cast) -> None:
    cast.anonymous.portal.post("/account/login/", {"login": "nobody@example.com", "password": "wrong"})
    services.seal()
    event = AuditEvent.objects.get(action="account.sign_in_failed")
    assert event.seal.chain == services.PLATFORM
    assert verify(services.PLATFORM).broken == []


@pytest.mark.parametrize(
    ("sql", "broken"),
    [
        ("UPDATE audit_auditevent SET action = 'project.restored' WHERE id = %(second)s", [2]),
        ('UPDATE audit_auditevent SET after = \'{"name": "x"}\' WHERE id = %(second)s', [2]),
        ("UPDATE audit_auditevent SET time = time + interval '1 second' WHERE id = %(second)s", [2]),
        ("UPDATE audit_auditevent SET actor_id = NULL WHERE id = %(second)s", [2]),
        ("DELETE FROM audit_auditseal WHERE event_id = %(second)s", [3]),
        ("UPDATE audit_auditseal SET hash = repeat('0', 64) WHERE event_id = %(second)s", [2, 3]),
    ],
    ids=["action", "after", "time", "actor", "removed", "hash"],
)
def test_tampering_past_the_triggers_is_found(
    cast: Cast, written: list[AuditEvent], without_triggers: None, sql: str, broken: list[int]
) -> None:
    services.seal()
    with connection.cursor() as cursor:
        cursor.execute(sql, {"second": written[1].pk})
    assert verify(cast.owner.organization_id).broken[: len(broken)] == broken


def test_a_seal_is_the_same_before_and_after_a_round_through_the_database(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_operations", dict(registry._operations))

    @operation("audit.test_values")
    def values(*, actor: Actor) -> None:
        after = {"number": 1.5, "list": [1, "두"], "none": None, "id": cast.owner.user.pk, "nested": {"b": 1, "a": 2}}
        auditing.record(actor, "project.changed", None, organization_id=actor.organization_id, after=after)

    values(actor=cast.owner.actor)
    services.seal()
    assert verify(cast.owner.organization_id).broken == []


# --- Who reads


def listed(person: Any, query: str = "") -> set[str]:
    return {row["id"] for row in person.rest.get(f"/audit-logs?page_size=200{query}").json()["results"]}


def test_managers_read_their_organizations_events_and_others_their_own(cast: Cast, written: list[AuditEvent]) -> None:
    ids = {str(event.pk) for event in written}
    own = {str(event.pk) for event in written if event.actor_id == cast.owner.user.pk}
    assert ids <= listed(cast.manager)
    assert ids <= listed(cast.admin)
    assert ids & listed(cast.owner) == own
    assert len(own) == 3
    for person in (cast.viewer, cast.guest, cast.stranger):
        assert not ids & listed(person)
    assert cast.anonymous.rest.get("/audit-logs").status_code == 401


def test_the_log_is_filtered_by_action_object_actor_project_and_time(cast: Cast, written: list[AuditEvent]) -> None:
    project = cast.sample("project")
    assert len(listed(cast.admin, "&action=project.trashed")) == 1
    assert len(listed(cast.admin, f"&entity_type=projects.project&entity_id={project.pk}")) == 3
    assert len(listed(cast.admin, f"&project_id={project.pk}&actor_id={cast.admin.user.pk}")) == 1
    time = written[2].time.isoformat().replace("+", "%2B")
    assert str(written[1].pk) not in listed(cast.admin, f"&after={time}")
    assert str(written[2].pk) not in listed(cast.admin, f"&before={time}")
    assert cast.admin.rest.get("/audit-logs?actor_id=x").status_code == 400


def test_the_log_is_worded_in_the_readers_language(cast: Cast, written: list[AuditEvent]) -> None:
    row = cast.admin.rest.get("/audit-logs?action=project.trashed").json()["results"][0]
    assert row["sentence"] == f"{cast.owner.user.name} moved the project Second name to the trash."
    assert row["actor_kind"] == "person"
    assert row["actor_role"] == "engineer_i"


def test_a_page_of_the_log_costs_the_same_for_one_row_and_twenty(cast: Cast) -> None:
    project = cast.sample("project")

    def add_rows(count: int) -> None:
        for number in range(count):
            name = f"Name {number} of {AuditEvent.objects.count()}"
            projects.project_change(actor=cast.owner.actor, project=project, name=name)

    client = cast.admin.rest
    assert_constant_queries(lambda: client.get("/audit-logs"), add_rows=add_rows, at_most=5)


def test_what_was_refused_leaves_no_event(cast: Cast) -> None:
    membership = cast.admin.user.memberships.get()
    with pytest.raises(Conflict):
        membership_change_role(actor=cast.admin.actor, membership=membership, role=Role.GUEST)
    assert not AuditEvent.objects.filter(action="membership.role_changed").exists()
