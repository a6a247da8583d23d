"""Emptying the trash: what was deleted for good is taken away in passes, what has lain there long enough follows."""

import logging
import time
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from apps.core.broker import hint_on_commit, send_hint
from apps.core.errors import DomainError
from apps.core.identity import Actor
from apps.core.storage.locks import Family, held, number_of
from apps.departures.trash import Bin, bins
from apps.organizations.models import Closure

log = logging.getLogger(__name__)

EMPTY = "departures.trash_empty"
SYSTEM = "trash"
# A pass that is not done by then hands over to the next one: a worker is not held for hours.
PASS_SECONDS = 40.0


def empty_on_commit() -> None:
    """Has a worker begin at once; beat repeats it."""
    hint_on_commit(EMPTY, queue="io")


def trash_empty() -> int:
    """One pass over everything that is being deleted for good; returns how many rows are gone. Run by beat."""
    until, gone, left = time.monotonic() + PASS_SECONDS, 0, 0
    for found in bins():
        rows = found.model._base_manager.filter(deleted_at__isnull=False, purged_at__isnull=False)
        for pk in rows.order_by("purged_at", "pk").values_list("pk", flat=True):
            done = _taken(found, pk, until)
            gone, left = gone + done, left + (not done)
    if left and time.monotonic() > until:
        send_hint(EMPTY, queue="io")
    return gone


def _taken(found: Bin, pk: UUID, until: float) -> bool:
    """Goes on with one row; True when nothing of it is left. Of two at once the second does nothing."""
    with held("pg_try_advisory_lock", "pg_advisory_unlock", Family.TRASH, number_of(pk)) as got:
        try:
            return got and all(step(pk, until) for step in found.steps())
        except OperationalError:
            raise
        except Exception:
            # One that cannot go stands in no other's way.
            log.exception("%s %s could not be deleted for good", found.model._meta.label, pk)
            return False


def trash_retain() -> int:
    """Deletes for good what has lain in the trash for `TRASH_RETENTION_DAYS`, where nothing stands in the way; returns
    how many. Run by beat."""
    if not settings.TRASH_RETENTION_DAYS:
        return 0
    before, until = timezone.now() - timedelta(days=settings.TRASH_RETENTION_DAYS), time.monotonic() + PASS_SECONDS
    gone = 0
    for found in bins():
        # In an organization that waits for its deletion nothing changes: it may be opened again.
        rows = found.model._base_manager.filter(organization__closure=Closure.OPEN)
        overdue = rows.filter(deleted_at__lt=before, purged_at__isnull=True).order_by("deleted_at", "pk")
        for pk in overdue.values_list("pk", flat=True).iterator():
            if time.monotonic() > until:
                return gone
            gone += _outlived(found, pk)
    return gone


def _outlived(found: Bin, pk: UUID) -> bool:
    try:
        row = found.model._base_manager.filter(pk=pk).first()
        if row is not None:
            found.purge(Actor.system(SYSTEM), row)
        return row is not None
    except DomainError as error:
        # It is needed, or was brought back a moment ago; the next pass asks again.
        log.info("%s %s stays in the trash: %s", found.model._meta.label, pk, error.code)
    except OperationalError:
        raise
    except Exception:
        # One that cannot go stands in no other's way.
        log.exception("%s %s outlived its time in the trash and could not be deleted", found.model._meta.label, pk)
    return False
