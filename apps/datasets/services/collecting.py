"""Collecting what no row names any more: first the rows of blobs and labels, and after the grace their objects.

One rule holds here and for `storage_fsck`: an object goes when no row of any app has named it for the grace
(`STORAGE_GRACE_HOURS`). Everything is done under the lock that keeps those away who store for the organization
(`blobs_alone`): between finding that an object is there and naming it, nobody takes it away.
"""

import time
from collections.abc import Collection, Iterator
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.utils import timezone

from apps.core.models import LooseObject
from apps.core.operations import ingest
from apps.core.storage import storage, stores
from apps.core.storage.keys import blob_key
from apps.core.storage.locks import blobs_alone
from apps.core.storage.loose import grace, note_loose
from apps.datasets.models import AnnotationDocument, Blob, Entry
from apps.datasets.selectors.images import THUMBNAIL_SIZES, thumbnail_key
from apps.datasets.selectors.naming import digests_named
from apps.datasets.services.blobs import lock_rows

BATCH = 1000
#: A pass that is not done by then is followed by another.
PASS_SECONDS = 30.0


def collect() -> int:
    """One pass over all organizations; returns how many objects went. Idempotent; run by beat."""
    until = time.monotonic() + PASS_SECONDS
    unused = Blob.objects.filter(entries__isnull=True).order_by()
    for organization_id in list(unused.values_list("organization_id", flat=True).distinct()):
        forget_unused(organization_id, until)
    overdue = LooseObject.objects.filter(since__lt=timezone.now() - grace()).order_by()
    owners = list(overdue.values_list("organization_id", flat=True).distinct())
    return sum(delete_loose(organization_id, until) for organization_id in owners)


def forget_unused(organization_id: UUID, until: float) -> bool:
    """Deletes the rows of blobs and labels that no entry of any revision holds: what they weigh counts no more.

    Their objects stay for the grace, but those in quarantine, which nobody should find. False: not done, because
    somebody stores for the organization or the time is up.
    """
    with blobs_alone(organization_id) as alone:
        if not alone:
            return False
        position: str | None = ""
        while position is not None:
            position, damaged = _forget_blobs(organization_id=organization_id, position=position)
            delete_objects(organization_id, damaged - digests_named(organization_id, damaged))
            if time.monotonic() > until:
                return False
        position = ""
        while position is not None:
            position = _forget_documents(organization_id=organization_id, position=position)
            if time.monotonic() > until:
                return False
    return True


@ingest("datasets.blobs_forget")
def _forget_blobs(*, organization_id: UUID, position: str) -> tuple[str | None, set[str]]:
    """A batch of blobs without entries, behind a digest: the last digest of it (None: there are no more), and those in
    quarantine."""
    rows = Blob.objects.filter(~Exists(Entry.objects.filter(blob=OuterRef("pk"))), organization_id=organization_id)
    found = list(rows.filter(sha256__gt=position).order_by("sha256").only("sha256", "damage")[:BATCH])
    gone = Blob.objects.filter(pk__in=[blob.pk for blob in found])
    lock_rows(gone)
    gone.delete()
    note_loose((organization_id, blob.sha256) for blob in found)
    damaged = {blob.sha256 for blob in found if blob.damage}
    return (found[-1].sha256 if len(found) == BATCH else None), damaged


@ingest("datasets.documents_forget")
def _forget_documents(*, organization_id: UUID, position: str) -> str | None:
    """The same of labels; they have no objects."""
    held = Entry.objects.filter(annotation=OuterRef("pk"))
    rows = AnnotationDocument.objects.filter(~Exists(held), organization_id=organization_id, sha256__gt=position)
    found = list(rows.order_by("sha256").values_list("pk", "sha256")[:BATCH])
    AnnotationDocument.objects.filter(pk__in=[pk for pk, _sha256 in found]).delete()
    return found[-1][1] if len(found) == BATCH else None


def delete_loose(organization_id: UUID, until: float) -> int:
    """Deletes the organization's objects that nobody has named for the grace; returns how many."""
    removed = 0
    with blobs_alone(organization_id) as alone:
        for batch in _overdue(organization_id) if alone else ():
            digests = set(batch.values())
            unnamed = digests - digests_named(organization_id, digests)
            delete_objects(organization_id, unnamed)
            _settle(keys=batch)
            removed += len(unnamed)
            if time.monotonic() > until:
                break
    return removed


def _overdue(organization_id: UUID) -> Iterator[dict[int, str]]:
    """Batches of row → digest, until there are none: whoever takes one settles it."""
    rows = LooseObject.objects.filter(organization_id=organization_id, since__lt=timezone.now() - grace())
    while batch := dict(rows.order_by("pk").values_list("pk", "sha256")[:BATCH]):
        yield batch


@ingest("datasets.loose_settle")
def _settle(*, keys: Collection[int]) -> None:
    """The objects are gone, or are named again."""
    LooseObject.objects.filter(pk__in=list(keys)).delete()


def delete_objects(organization_id: UUID, digests: Collection[str]) -> None:
    """Objects that no row names, wherever they lie, and the thumbnails made of them."""
    for sha256 in digests:
        for store in stores().values():
            store.delete(blob_key(organization_id, sha256))
        for size in THUMBNAIL_SIZES:
            storage().delete(thumbnail_key(Blob(organization_id=organization_id, sha256=sha256), size))
