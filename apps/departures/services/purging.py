"""Deleting organizations whose grace is over: batch by batch, in passes that may be broken off anywhere."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.services.sessions import end_vouched
from apps.core import auditing
from apps.core.broker import send_hint
from apps.core.errors import Conflict, Forbidden
from apps.core.identity import Actor
from apps.core.operations import ingest, operation
from apps.core.storage import stores
from apps.core.storage.locks import Family, held, number_of
from apps.departures import actions
from apps.departures.contributions import Removal, contributions, forgetting, removals
from apps.departures.models import DeletionState, OrganizationDeletion
from apps.organizations.models import Closure, Membership, Organization

SYSTEM = "deletion"
# Rows, or objects of the store, that one step takes away.
BATCH = 1000
# A pass that is not done by then hands over to the next one: a worker is not held for hours.
PASS_SECONDS = 40.0
# What still runs is waited for this long; then its rows go, and its launcher is told that it counts no more.
WAIT = timedelta(hours=1)


def purge_due() -> int:
    """One pass over everything that is to be deleted; returns how many organizations are gone. Run by beat."""
    due = OrganizationDeletion.objects.to_be_done(timezone.now()).order_by("pk").values_list("pk", flat=True)
    return sum(purge(pk) for pk in list(due))


def halt_closing() -> int:
    """Stops what works for organizations that are closed; returns how much still does. Run by beat."""
    closed = Organization.objects.exclude(closure=Closure.OPEN).order_by("pk").values_list("pk", flat=True)
    return sum(halt(pk) for pk in list(closed))


def halt(organization_id: UUID) -> int:
    """Stops what works for an organization, if it is closed; returns how much still does."""
    if not Organization.objects.filter(pk=organization_id).exclude(closure=Closure.OPEN).exists():
        return 0
    return sum(found.halt(organization_id) for found in contributions() if found.halt is not None)


def purge(pk: UUID) -> bool:
    """Goes on with one deletion; True when nothing is left. Two passes at once: the second does nothing."""
    deletion = OrganizationDeletion.objects.get(pk=pk)
    with held(
        "pg_try_advisory_lock", "pg_advisory_unlock", Family.DEPARTURE, number_of(deletion.organization_id)
    ) as got:
        if not got:
            return False
        if deletion.state != DeletionState.ENDING:
            try:
                deletion = deletion_begin(actor=Actor.system(SYSTEM), deletion=deletion)
            except Conflict:
                # Cancelled a moment ago, or done.
                return False
        return _go_on(deletion)


def _go_on(deletion: OrganizationDeletion) -> bool:
    organization_id, until = deletion.organization_id, time.monotonic() + PASS_SECONDS
    began = deletion.begun_at or timezone.now()
    if halt(organization_id) and timezone.now() - began < WAIT:
        return False
    for removal in removals():
        while _removed(deletion, removal):
            if time.monotonic() > until:
                return _hand_over()
    for folder in [folder for found in contributions() for folder in found.folders]:
        if not _emptied(deletion, folder(organization_id), until):
            return _hand_over()
    deletion_end(actor=Actor.system(SYSTEM), deletion=deletion)
    return True


def _hand_over() -> bool:
    send_hint("departures.purge", queue="io")
    return False


def _removed(deletion: OrganizationDeletion, removal: Removal) -> int:
    """Takes one batch away; returns how many rows it had."""
    rows = removal.rows(deletion.organization_id).order_by()
    keys = list(rows.values_list("pk", flat=True)[:BATCH])
    if not keys:
        return 0
    batch = rows.model._base_manager.filter(pk__in=keys)
    if removal.ahead is not None:
        removal.ahead(batch)
    rows_remove(deletion=deletion, batch=batch, count=len(keys), within=removal.within)
    return len(keys)


@ingest("departures.rows_remove")
def rows_remove(
    *,
    deletion: OrganizationDeletion,
    batch: QuerySet[Any],
    count: int,
    within: Callable[[QuerySet[Any]], None] | None,
) -> None:
    """One batch, with what hangs on it, and the note of how many there were."""
    if within is not None:
        within(batch)
    batch.delete()
    _count(deletion, batch.model._meta.label, count)


def _emptied(deletion: OrganizationDeletion, folder: str, until: float) -> bool:
    """Removes the objects of a folder in every store; False when the time is up before."""
    removed = 0
    for place, key in ((store, key) for store in stores().values() for key in store.keys(folder)):
        place.delete(key)
        removed += 1
        if removed % 100 == 0 and time.monotonic() > until:
            objects_note(deletion=deletion, count=removed)
            return False
    if removed:
        objects_note(deletion=deletion, count=removed)
    return True


@ingest("departures.objects_note")
def objects_note(*, deletion: OrganizationDeletion, count: int) -> None:
    _count(deletion, "objects", count)


def _count(deletion: OrganizationDeletion, what: str, count: int) -> None:
    found = OrganizationDeletion.objects.select_for_update().get(pk=deletion.pk)
    found.change(removed={**found.removed, what: found.removed.get(what, 0) + count})


@operation("departures.deletion_begin")
def deletion_begin(*, actor: Actor, deletion: OrganizationDeletion) -> OrganizationDeletion:
    """The grace is over: from here on nobody belongs to the organization, and nothing brings it back.

    Cancelling takes the same locks in the same order: one of the two comes first, and the other is told so.
    """
    _check(actor)
    organization = Organization.objects.select_for_update().filter(pk=deletion.organization_id).first()
    deletion = OrganizationDeletion.objects.select_for_update().get(pk=deletion.pk)
    due = deletion.state == DeletionState.SCHEDULED and deletion.due_at <= timezone.now()
    if organization is None or not due:
        raise Conflict(_("This deletion is not due."), code="deletion_not_due", params={"state": deletion.state})
    ended, _counts = Membership.objects.filter(organization=organization).delete()
    end_vouched(organization.pk)
    deletion.change(state=DeletionState.ENDING, begun_at=timezone.now(), removed={Membership._meta.label: ended})
    organization.change(closure=Closure.ENDING)
    auditing.record(actor, actions.DELETION_BEGUN, organization, organization_id=organization.pk)
    return deletion


@operation("departures.deletion_end")
def deletion_end(*, actor: Actor, deletion: OrganizationDeletion) -> None:
    """The last step: the organization's row, and the key of its events in the audit log, whose chain stays."""
    _check(actor)
    organization = Organization.objects.select_for_update().get(pk=deletion.organization_id)
    deletion = OrganizationDeletion.objects.select_for_update().get(pk=deletion.pk)
    if deletion.state != DeletionState.ENDING:
        raise Conflict(_("This deletion is not due."), code="deletion_not_due", params={"state": deletion.state})
    if forgetting.organization is not None:
        forgetting.organization(organization.pk)
    organization.delete()
    deletion.change(state=DeletionState.DONE, ended_at=timezone.now(), reason="", requested_by=None)
    # Decisions of the past that were cancelled have their reasons too.
    OrganizationDeletion.objects.filter(organization_id=deletion.organization_id).update(reason="", requested_by=None)
    target = auditing.Mention("organizations.organization", str(deletion.organization_id), "")
    auditing.record(actor, actions.ORGANIZATION_DELETED, None, about=[target])


def _check(actor: Actor) -> None:
    if not actor.is_system:
        raise Forbidden(_("Only the portal itself does this."))
