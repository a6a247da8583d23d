"""Erasure destroys keys: what they opened is gone for good, and the chain stays what it was."""

import pytest

from apps.audit import services
from apps.audit.models import AuditEvent, AuditKey
from apps.audit.selectors import readable
from apps.audit.verification import verify
from apps.core.errors import Forbidden
from apps.core.identity import Actor
from apps.core.testing import Cast
from apps.organizations.services import organization_change
from apps.projects import services as projects

SYSTEM = Actor.system("test")


@pytest.fixture
def chain(cast: Cast):  # type: ignore[no-untyped-def]
    """Events of two people in one organization, sealed, with a head that is kept."""
    projects.project_change(actor=cast.owner.actor, project=cast.sample("project"), name="Second name")
    projects.member_change(actor=cast.admin.actor, membership=cast.sample("project-member"), role="editor")
    services.seal()
    services.head_sign(chain=cast.owner.organization_id)
    return cast.owner.organization_id


def rows_of(chain):  # type: ignore[no-untyped-def]
    return readable(AuditEvent.objects.filter(organization_id=chain).order_by("id"))


def test_an_erased_person_is_gone_from_every_event_and_the_others_stay(cast: Cast, chain) -> None:  # type: ignore[no-untyped-def]
    helper = cast.sample("project-member").user
    services.person_forget(actor=SYSTEM, person_id=cast.owner.user.pk)
    services.person_forget(actor=SYSTEM, person_id=helper.pk)
    changed, member = rows_of(chain)
    assert (changed.actor_name, changed.actor_email, changed.ip) == ("(erased)", "(erased)", "")
    assert changed.after == {"name": "Second name"}
    assert (member.actor_name, member.entity_name) == (cast.admin.user.name, "(erased)")
    assert verify(chain).is_sound


def test_what_is_written_about_the_erased_is_erased_at_once(cast: Cast, chain) -> None:  # type: ignore[no-untyped-def]
    services.person_forget(actor=SYSTEM, person_id=cast.owner.user.pk)
    projects.project_change(actor=cast.owner.actor, project=cast.sample("project"), name="Third name")
    assert not bytes(AuditKey.objects.get(subject_id=cast.owner.user.pk).wrapped)
    assert rows_of(chain)[-1].actor_email == "(erased)"
    services.seal()
    assert verify(chain).is_sound


def test_a_deleted_organization_leaves_a_chain_that_verifies_and_that_nobody_can_read(cast: Cast, chain) -> None:  # type: ignore[no-untyped-def]
    services.organization_forget(actor=SYSTEM, organization_id=chain)
    for row in rows_of(chain):
        shown = str([row.actor_name, row.actor_email, row.ip, row.entity_name, row.before, row.after, row.params])
        for secret in (cast.owner.user.name, cast.owner.user.email, "Second name", "editor"):
            assert secret not in shown
        assert row.actor_name == row.entity_name == "(erased)"
    found = verify(chain)
    assert found.is_sound and found.heads == 1
    events = AuditEvent.objects.filter(organization_id=chain).values_list()
    assert "Second name" not in str(list(events))
    page = cast.platform.rest.get("/audit-logs/organization?q=second")
    assert page.json()["results"] == []


def test_an_event_after_the_end_of_an_organization_is_unreadable_from_the_start(cast: Cast, chain) -> None:  # type: ignore[no-untyped-def]
    services.organization_forget(actor=SYSTEM, organization_id=chain)
    organization_change(actor=cast.admin.actor, organization=cast.sample("organization"), division="Late")
    assert rows_of(chain)[-1].after == {"": "(erased)"}
    services.seal()
    assert verify(chain).is_sound


def test_erasure_is_noted_without_a_name_in_the_platform_s_chain(cast: Cast, chain) -> None:  # type: ignore[no-untyped-def]
    services.person_forget(actor=cast.platform.actor, person_id=cast.owner.user.pk)
    services.organization_forget(actor=cast.platform.actor, organization_id=chain)
    found = readable(AuditEvent.objects.filter(action__endswith="_erased").order_by("id"))
    assert [row.event.organization_id for row in found] == [None, None]
    assert [row.about[0]["id"] for row in found] == [str(cast.owner.user.pk), str(chain)]
    assert all(cast.owner.user.name not in row.sentence for row in found)


def test_only_the_platform_erases_and_nobody_themselves(cast: Cast, chain) -> None:  # type: ignore[no-untyped-def]
    for person in (cast.admin, cast.owner, cast.stranger):
        with pytest.raises(Forbidden):
            services.person_forget(actor=person.actor, person_id=cast.owner.user.pk)
        with pytest.raises(Forbidden):
            services.organization_forget(actor=person.actor, organization_id=chain)
    with pytest.raises(Forbidden):
        services.person_forget(actor=cast.platform.actor, person_id=cast.platform.user.pk)
    assert rows_of(chain)[0].actor_name == cast.owner.user.name
