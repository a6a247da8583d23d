"""Verifications: asked for by people or by the day, run by a worker, their results kept."""

from datetime import timedelta
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit import actions, verification
from apps.audit.documents import PLATFORM
from apps.audit.models import AuditCheck
from apps.core import auditing, policy
from apps.core.broker import hint_on_commit
from apps.core.errors import Conflict, Forbidden, NotFound
from apps.core.identity import Actor
from apps.core.operations import ingest, operation
from apps.organizations.models import Organization

# Of each chain.
KEPT = 30
# A worker that has died leaves its check unfinished.
GIVEN_UP = timedelta(hours=1)


@operation("audit.check_request")
def check_request(*, actor: Actor, chain: UUID) -> AuditCheck:
    """Has a chain verified by a worker: an organization's for those who follow it, the platform's for the platform."""
    organization = Organization.objects.filter(pk=chain).first()
    if organization is not None:
        policy.require(actor, "audit.follow_organization", organization)
    elif not actor.is_platform:
        raise Forbidden(_("Only platform administrators verify this chain.")) if chain == PLATFORM else NotFound()
    since = timezone.now() - GIVEN_UP
    if AuditCheck.objects.filter(chain=chain, finished_at__isnull=True, requested_at__gt=since).exists():
        raise Conflict(
            _("This log is being verified already."), code="check_running", hint=_("Its result is shown here soon.")
        )
    check = AuditCheck.objects.create(chain=chain, requested_by_id=actor.user_id)
    hint_on_commit("audit.check", check.pk, queue="io")
    auditing.record(actor, actions.CHECK_REQUESTED, organization, organization_id=None if chain == PLATFORM else chain)
    return check


def checks_daily() -> int:
    """Verifies every chain; returns in how many something was found."""
    found = 0
    for chain in verification.chains():
        check = AuditCheck.objects.create(chain=chain)
        found += not check_run(check.pk).is_sound
    return found


def checks_waiting() -> int:
    """Runs the checks whose hint was lost; returns how many."""
    waiting = list(AuditCheck.objects.filter(started_at__isnull=True).order_by("pk").values_list("pk", flat=True))
    for pk in waiting:
        check_run(pk)
    return len(waiting)


def check_run(pk: UUID) -> verification.Verification:
    """Verifies and keeps the result. Idempotent: a second run writes what it finds."""
    chain = check_begin(pk=pk)
    found = verification.verify(chain)
    check_end(pk=pk, found=found)
    return found


@ingest("audit.check_begin")
def check_begin(*, pk: UUID) -> UUID:
    check = AuditCheck.objects.select_for_update().get(pk=pk)
    check.started_at = timezone.now()
    check.save(update_fields=["started_at"])
    return check.chain


@ingest("audit.check_end")
def check_end(*, pk: UUID, found: verification.Verification) -> None:
    AuditCheck.objects.filter(pk=pk).update(
        finished_at=timezone.now(),
        events=found.events,
        unsealed=found.unsealed,
        heads=found.heads,
        is_intact=found.is_intact,
        is_complete=found.is_complete,
        findings=found.findings,
    )
    kept = AuditCheck.objects.filter(chain=found.chain).order_by("-pk").values_list("pk", flat=True)[:KEPT]
    AuditCheck.objects.filter(chain=found.chain).exclude(pk__in=list(kept)).delete()
