"""Every file of a dataset read against its digest: by hand, on a schedule, and whenever somebody meets a damaged one.

A damaged or missing file goes into quarantine (`Blob.damage`): it is not given out and not trained on, until the same
content is uploaded again or a later check finds it whole.
"""

import errno
import hashlib
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import OperationalError
from django.db.models import Case, F, Max, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core import auditing
from apps.core.errors import Conflict
from apps.core.identity import Actor
from apps.core.operations import ingest, operation
from apps.core.storage import ObjectNotFound, storage
from apps.core.storage.keys import blob_key
from apps.core.storage.locks import Family, held, number_of
from apps.datasets import actions
from apps.datasets.models import (
    ACTIVE_CHECKS,
    Blob,
    BucketHash,
    CheckState,
    Damage,
    Dataset,
    Entry,
    IntegrityCheck,
    Revision,
)
from apps.datasets.services import messages
from apps.datasets.services.blobs import lock_rows
from apps.datasets.services.snapshots import root_hash

log = logging.getLogger(__name__)
AT_ONCE = 8
#: Keys that are looked for at once, and files that are read before what was found is noted.
KEYS, BATCH = 50_000, 500
EVERY = timedelta(days=30)
AT_ONE_PASS = 5
ASKED_AGAIN_AFTER = timedelta(minutes=2)


@operation("datasets.integrity_check", permission="datasets.change_dataset", on="dataset")
def integrity_check(*, actor: Actor, dataset: Dataset, scheduled: bool = False) -> IntegrityCheck:
    """Has a worker read every file of the dataset, of all revisions. Raises `Conflict` while one is at it."""
    dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
    if not dataset.revision_no:
        raise Conflict(
            _("The dataset is empty."), code="dataset_empty", hint=_("Upload images and publish them first.")
        )
    if IntegrityCheck.objects.filter(dataset=dataset, state__in=ACTIVE_CHECKS).exists():
        raise Conflict(_("The dataset is being checked already."), code="check_running")
    check = IntegrityCheck.objects.create(dataset=dataset, is_scheduled=scheduled, created_by=actor.user)
    auditing.record(actor, actions.CHECK_STARTED, dataset, params={"check": str(check.pk)})
    messages.send_on_commit("datasets.check", check.pk)
    return check


def check_run(check_id: UUID | str) -> None:
    """What the worker does. Idempotent: goes on where a dead worker stopped, and two at once do the work once."""
    check = IntegrityCheck.objects.select_related("dataset").filter(pk=check_id).first()
    if check is None:
        return
    with held("pg_try_advisory_lock", "pg_advisory_unlock", Family.CHECK, number_of(check.pk)) as got:
        check.refresh_from_db()
        if not got or check.state not in ACTIVE_CHECKS:
            return
        try:
            _begin(check_id=check.pk)
            for keys in _batches(check):
                batch = list(Blob.objects.filter(pk__in=keys).order_by("pk"))
                _note(check_id=check.pk, batch=batch, answers=dict(_read(batch)))
            _end(actor=Actor.system("integrity"), dataset=check.dataset, check=check)
        except OperationalError:
            # The database is away: the row still says what is to be done, and `check_due` asks again.
            raise
        except Exception:
            log.exception("the check %s was broken off", check.pk)
            _fail(check_id=check.pk)
            raise


def check_due() -> int:
    """One pass of the schedule: begins checks of datasets that had none for long, asks again for those whose message
    was lost. Returns how many it began."""
    silent = IntegrityCheck.objects.filter(state__in=ACTIVE_CHECKS, updated_at__lt=timezone.now() - ASKED_AGAIN_AFTER)
    for check_id in silent.values_list("pk", flat=True):
        messages.send("datasets.check", check_id)
    rows = Dataset.objects.filter(deleted_at__isnull=True, revision_no__gt=0)
    rows = rows.annotate(last=Max("integrity_checks__created_at"))
    before = timezone.now() - EVERY
    never = Q(last__isnull=True, created_at__lt=before)
    due = rows.filter(never | Q(last__lt=before)).order_by(F("last").asc(nulls_first=True), "pk")[:AT_ONE_PASS]
    begun = 0
    for dataset in due:
        try:
            integrity_check(actor=Actor.system("integrity"), dataset=dataset, scheduled=True)
        except Conflict:  # somebody began one meanwhile
            continue
        begun += 1
    return begun


def blob_check(*, organization_id: UUID, sha256: str) -> None:
    """Reads a file anew that somebody met damaged, and puts it into quarantine unless it is whole after all."""
    blob = Blob.objects.filter(organization_id=organization_id, sha256=sha256).first()
    if blob is not None:
        begun = timezone.now()
        _note_damage(blob_id=blob.pk, damage=damage_of(blob), begun=begun)


@ingest("datasets.blob_note_damage")
def _note_damage(*, blob_id: int, damage: str, begun: datetime) -> None:
    """Puts a file into quarantine, or takes it out where the damage is "", unless it was stored anew or checked since."""
    since = Q(checked_at__isnull=True) | Q(checked_at__lt=begun)
    Blob.objects.filter(since, pk=blob_id).update(damage=damage, checked_at=timezone.now())


@ingest("datasets.head_hash")
def head_hash(*, dataset_id: UUID | str) -> None:
    """Computes the root hash of the newest revision, so that sets which hold the same are found."""
    dataset = Dataset.objects.select_for_update().filter(pk=dataset_id, revision_no__gt=0).first()
    if dataset is not None:
        root_hash(dataset, Revision.objects.get(dataset=dataset, no=dataset.revision_no))


def damage_of(blob: Blob) -> str:
    """What is wrong with the bytes in the store, "" for nothing. What looks wrong is read a second time."""
    return _damage_of(blob) and _damage_of(blob)


def _damage_of(blob: Blob) -> str:
    digest = hashlib.sha256()
    try:
        for chunk in storage().open(blob_key(blob.organization_id, blob.sha256), length=blob.size + 1):
            digest.update(chunk)
    except ObjectNotFound:
        return Damage.MISSING
    except OSError as error:
        # A disk that cannot read the file any more; everything else is the store's own trouble.
        if error.errno != errno.EIO:
            raise
        return Damage.CHANGED
    return "" if digest.hexdigest() == blob.sha256 else Damage.CHANGED


def _keys(check: IntegrityCheck, position: int) -> Any:
    """Keys of the blobs of the dataset behind a position, each once, in order."""
    rows = Entry.objects.filter(dataset=check.dataset_id, blob_id__gt=position).order_by("blob_id")
    return rows.values_list("blob_id", flat=True).distinct()


def _batches(check: IntegrityCheck) -> Iterator[list[int]]:
    """Keys of the blobs to be read, by batches. Many are looked for at once: the database may have to sort the entries
    of the whole dataset to tell the next."""
    position = check.position
    while keys := list(_keys(check, position)[:KEYS]):
        for start in range(0, len(keys), BATCH):
            yield keys[start : start + BATCH]
        position = keys[-1]


def _read(batch: list[Blob]) -> Iterator[tuple[int, str]]:
    with ThreadPoolExecutor(AT_ONCE) as readers:
        yield from zip((blob.pk for blob in batch), readers.map(damage_of, batch), strict=True)


@ingest("datasets.check_begin")
def _begin(*, check_id: UUID) -> None:
    check = IntegrityCheck.objects.select_for_update().get(pk=check_id)
    left = _keys(check, check.position).order_by().count()
    check.change(state=CheckState.RUNNING, file_count=check.done_count + left)


@ingest("datasets.check_note")
def _note(*, check_id: UUID, batch: list[Blob], answers: dict[int, str]) -> None:
    """Remembers what a batch looked like. Files that were forgotten meanwhile count as read, not as missing."""
    rows = Blob.objects.filter(pk__in=answers)
    bad = {pk: damage for pk, damage in answers.items() if damage}
    alive = dict(rows.filter(pk__in=bad).values_list("pk", "damage"))
    lock_rows(rows)
    repaired = rows.exclude(damage="").exclude(pk__in=bad).count()
    found = [When(pk__in=[pk for pk, damage in bad.items() if damage == kind], then=Value(kind)) for kind in Damage]
    rows.update(damage=Case(*found, default=Value("")), checked_at=timezone.now())
    missing = sum(bad[pk] == Damage.MISSING for pk in alive)
    check = IntegrityCheck.objects.select_for_update().get(pk=check_id)
    check.change(
        done_count=check.done_count + len(batch),
        byte_count=check.byte_count + sum(blob.size for blob in batch),
        missing_count=check.missing_count + missing,
        changed_count=check.changed_count + len(alive) - missing,
        repaired_count=check.repaired_count + repaired,
        position=batch[-1].pk,
    )


@operation("datasets.check_end", permission="datasets.change_dataset", on="dataset")
def _end(*, actor: Actor, dataset: Dataset, check: IntegrityCheck) -> None:
    """Closes a check whose files are all read; the root hash of the newest revision is computed anew from the rows."""
    dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
    revision = Revision.objects.get(dataset=dataset, no=dataset.revision_no)
    before, revision.root_hash = revision.root_hash, ""
    BucketHash.objects.filter(dataset=dataset).delete()
    after = root_hash(dataset, revision)
    check = IntegrityCheck.objects.select_for_update().get(pk=check.pk)
    check.change(state=CheckState.DONE, ended_at=timezone.now())
    params: dict[str, Any] = {"files": check.done_count, "missing": check.missing_count}
    params["changed"] = check.changed_count
    params |= {"check": str(check.pk), "root_hash": after, "root_hash_before": before}
    auditing.record(actor, actions.CHECK_ENDED, dataset, params=params)


@ingest("datasets.check_fail")
def _fail(*, check_id: UUID) -> None:
    """Ends a check that the store did not let through."""
    check = IntegrityCheck.objects.select_for_update().get(pk=check_id)
    check.change(state=CheckState.FAILED, ended_at=timezone.now())
