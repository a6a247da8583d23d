"""Every audited operation of the registry, called: one event where it succeeds, none where it is refused or undone."""

import inspect
import typing
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core import policy
from apps.core.admin.selections import selected_delete
from apps.core.errors import DomainError, NotFound
from apps.core.identity import Actor
from apps.core.identity.middleware import CHOSEN_ORGANIZATION
from apps.core.operations import Operation, all_operations
from apps.core.testing import Cast
from apps.projects import services as projects
from tests.factories.organizations import MembershipFactory
from tests.security.tenancy import OPERATIONS
from tests.security.test_tenancy import load_services

pytestmark = pytest.mark.world("owner", "admin", "stranger")

load_services()
AUDITED = [found for found in all_operations() if found.audited]
#: At least so many of them succeed with arguments that are made up from their signatures.
SUCCEED = 25
SYSTEM = Actor.system("test")
#: Arguments whose annotation does not say which sample they are.
NAMED = {"share": "share"}


def made_up(cast: Cast, name: str, kind: Any) -> Any:
    """A value for an argument, by its annotation."""
    if name in NAMED:
        return cast.sample(NAMED[name])
    if isinstance(kind, type) and hasattr(kind, "_meta"):
        return cast.sample(kind._meta.label)
    if typing.get_origin(kind) is not None:
        inner = [part for part in typing.get_args(kind) if part is not type(None)]
        return made_up(cast, name, inner[0]) if inner else None
    if isinstance(kind, type) and issubclass(kind, str) and hasattr(kind, "choices"):
        return kind.values[-1]  # type: ignore[attr-defined]
    if kind is UUID:
        return uuid4()
    return {"email": "made.up@example.com", "password": "a long made-up passphrase"}.get(name, "Made up")


def arguments(cast: Cast, found: Operation) -> dict[str, Any]:
    function = inspect.unwrap(found.function)
    hints = typing.get_type_hints(function)
    asked = inspect.signature(function).parameters.values()
    wanted = [part for part in asked if part.default is part.empty and part.kind is part.KEYWORD_ONLY]
    values = {part.name: made_up(cast, part.name, hints[part.name]) for part in wanted if part.name != "actor"}
    if found.on is not None and found.permission is not None:
        label = policy.rule_of(found.permission).on
        row = OPERATIONS.get(found.name)
        values[found.on] = cast.sample(row.samples.get(label, label) if row else label)
    return values


def outermost() -> int:
    return AuditEvent.objects.filter(parent_id=None).count()


def call(cast: Cast, found: Operation, actor: Actor) -> bool | None:
    """Whether the operation succeeded; None when no argument could be made up for it."""
    try:
        values = arguments(cast, found)
    except (LookupError, TypeError, NameError):
        return None
    before = outermost()
    try:
        with transaction.atomic():
            found.function(actor=actor, **values)
    except DomainError:
        assert outermost() == before, f"{found.name} was refused and left an event"
        return False
    except Exception:  # noqa: BLE001 - what is made up may break in any way; what counts is that nothing is left
        assert outermost() == before, f"{found.name} failed and left an event"
        return None
    assert outermost() == before + 1, f"{found.name} wrote {outermost() - before} events"
    return True


def test_each_operation_of_the_registry_writes_one_event_and_none_when_undone(cast: Cast) -> None:
    assert len(AUDITED) > 40
    succeeded = set()
    actors = (cast.owner.actor, cast.admin.actor, cast.platform.actor, SYSTEM)
    for found in AUDITED:
        try:
            # Samples last; what an operation does is undone, so that the next one finds them as they were made.
            arguments(cast, found)
        except Exception:  # noqa: BLE001, S112 - made by the operation's own tests
            continue
        for actor in actors:
            with transaction.atomic():
                done = call(cast, found, actor)
                transaction.set_rollback(True)
            if done:
                succeeded.add(found.name)
                break
    assert len(succeeded) >= SUCCEED, sorted({found.name for found in AUDITED} - succeeded)


@pytest.mark.parametrize("found", AUDITED, ids=lambda found: found.name)
def test_an_operation_that_is_rolled_back_leaves_no_event(found: Operation, cast: Cast) -> None:
    arguments(cast, found)  # what cannot be made up would not be called below
    for person in (cast.owner, cast.admin, cast.platform):
        assert person.actor
    before = AuditEvent.objects.count()
    for actor in (cast.owner.actor, cast.admin.actor, cast.platform.actor, SYSTEM):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            call(cast, found, actor)
            raise ZeroDivisionError
    assert AuditEvent.objects.count() == before


# --- Many at once


def test_a_selection_deleted_in_the_admin_is_one_event_that_names_each(cast: Cast) -> None:
    made = [
        projects.project_create(actor=cast.admin.actor, organization=cast.sample("organization"), name=f"Project {no}")
        for no in range(3)
    ]
    foreign = projects.project_create(
        actor=cast.stranger.actor, organization=cast.sample("foreign-organization"), name="Foreign"
    )
    keys = [str(row.pk) for row in (*made, foreign)]
    before = outermost()
    cast.platform.portal.post(
        "/admin/projects/project/",
        {"action": "delete_selected", "_selected_action": keys, "post": "yes", "reason": "a test"},
    )
    events = AuditEvent.objects.filter(action="selection.deleted")
    assert outermost() == before + 2, "one for each organization"
    assert {event.organization_id for event in events} == {made[0].organization_id, foreign.organization_id}
    assert [term for event in events for term in event.terms if term.startswith("o:")] != []
    named = {term.rpartition(":")[2] for event in events for term in event.terms if term.startswith("o:")}
    assert named == set(keys)


def test_one_refusal_undoes_the_whole_selection(cast: Cast) -> None:
    own = projects.project_create(actor=cast.admin.actor, organization=cast.sample("organization"), name="Own")
    foreign = projects.project_create(
        actor=cast.stranger.actor, organization=cast.sample("foreign-organization"), name="Foreign"
    )
    before = AuditEvent.objects.count()
    with pytest.raises(NotFound):
        selected_delete(
            actor=cast.admin.actor,
            objects=[own, foreign],
            delete=lambda row: projects.project_trash(actor=cast.admin.actor, project=row),
        )
    own.refresh_from_db()
    assert own.deleted_at is None
    assert AuditEvent.objects.count() == before


def test_permission_changes_sign_ins_and_sign_outs_are_events(cast: Cast) -> None:
    """By the doors that people use."""
    cast.owner.user.set_password("a long passphrase 5")
    cast.owner.user.save(update_fields=["password"])
    portal = cast.anonymous.portal
    portal.post("/account/login/", {"login": cast.owner.user.email, "password": "wrong"})
    portal.post("/account/login/", {"login": cast.owner.user.email, "password": "a long passphrase 5"})
    portal.post("/account/logout/")
    cast.anonymous.rest.post("/auth/token", {"email": cast.owner.user.email, "password": "wrong"})
    membership = cast.sample("project-member")
    cast.owner.rest.patch(f"/projects/{membership.project_id}/members/{membership.pk}", {"role": "editor"})
    codes = list(AuditEvent.objects.values_list("action", flat=True))
    assert codes.count("account.sign_in_failed") == 2
    for code in ("account.signed_in", "account.signed_out", "project.member_changed"):
        assert code in codes


def test_a_sign_out_stands_in_the_log_of_the_organization_that_was_chosen_with_where_it_came_from(cast: Cast) -> None:
    portal, other = cast.owner.portal, MembershipFactory(user=cast.owner.user).organization
    session = portal.session
    session[CHOSEN_ORGANIZATION] = str(other.pk)
    session.save()
    portal.post("/account/logout/", headers={"user-agent": "canary/1"}, REMOTE_ADDR="192.0.2.7")
    event = AuditEvent.objects.get(action="account.signed_out")
    assert event.organization_id == other.pk != cast.owner.organization_id
    (shown,) = readable([event])
    assert (shown.ip, shown.client) == ("192.0.2.7", "canary/1")
