"""Putting files of an upload into the store, before any row names them and outside of every transaction."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from apps.core.operations import ingest
from apps.core.storage import ObjectNotFound, storage
from apps.core.storage.keys import blob_key
from apps.datasets.models import Blob

AT_ONCE = 8
BATCH = 1000
#: With more files than this, one `sync` of the disk costs less than one per file.
SINGLE_SYNCS = 2000


def store_files(
    organization_id: UUID, files: Mapping[str, Path], noted: Path, *, sent: Mapping[str, str] | None = None
) -> None:
    """Stores the files (digest → where it lies) that the organization does not have yet. Those that were `sent`
    (digest → key) lie in the store already, and are moved to their place there.

    Digests that were not in the store before are appended to the file `noted`, ahead of the writing, so that a
    publication that fails can be swept. What is in quarantine is written anew, and is whole again.
    """
    known, damaged = _known(organization_id, list(files))
    absent = [
        sha256
        for sha256 in files
        if sha256 in damaged or (sha256 not in known and storage().size(blob_key(organization_id, sha256)) is None)
    ]
    with noted.open("a", encoding="ascii") as target:
        target.writelines(f"{sha256}\n" for sha256 in absent)
    local = storage().local_path("") is not None
    singly = local and len(absent) <= SINGLE_SYNCS

    def put(sha256: str) -> None:
        key = blob_key(organization_id, sha256)
        if sent and sha256 in sent and _moved(sent[sha256], key):
            return
        if local:
            _link(files[sha256], key, sync=singly)
        else:
            _send(files[sha256], key)

    if local and not singly:
        # Contents first, so that no object is ever named that a loss of power could leave without its bytes.
        os.sync()
        # A link takes less than handing it to another thread.
        for sha256 in absent:
            put(sha256)
        os.sync()
    else:
        with ThreadPoolExecutor(AT_ONCE) as workers:
            for _done in workers.map(put, absent):
                pass
    if damaged:
        _note_whole(organization_id=organization_id, digests=damaged)


def write_ahead(count: int) -> None:
    """Has the disk begin with so many staged files while they are analysed: `store_files` waits until it has them."""
    if count > SINGLE_SYNCS and storage().local_path("") is not None:
        Thread(target=os.sync, name="write-ahead", daemon=True).start()


def _known(organization_id: UUID, digests: Sequence[str]) -> tuple[set[str], set[str]]:
    """Those of the digests that the organization has, and those of them that are in quarantine."""
    known: set[str] = set()
    damaged: set[str] = set()
    for start in range(0, len(digests), BATCH):
        rows = Blob.objects.filter(organization_id=organization_id, sha256__in=digests[start : start + BATCH])
        for sha256, damage in rows.values_list("sha256", "damage"):
            (damaged if damage else known).add(sha256)
    return known, damaged


@ingest("datasets.blobs_note_whole")
def _note_whole(*, organization_id: UUID, digests: set[str]) -> None:
    """Takes files out of quarantine whose content was stored anew."""
    rows = Blob.objects.filter(organization_id=organization_id, sha256__in=digests)
    lock_rows(rows)
    rows.update(damage="", is_sound=None, checked_at=timezone.now())


def lock_rows(rows: QuerySet[Blob]) -> None:
    """Locks blobs that are about to change, in one order for all who do: none of two waits for what the other holds.

    Keys stay as they are, so publications, which refer to blobs in an order of their own, wait for none of it.
    """
    list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk"))


def _link(source: Path, key: str, *, sync: bool) -> None:
    """The store is a folder of this machine: the staged file itself becomes the object, without a copy."""
    if sync:
        descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    if not storage().take_file(source, key):
        _send(source, key)


def _moved(sent: str, key: str) -> bool:
    """False when the object is there no more, which a publication that broke off may have moved."""
    try:
        storage().move(sent, key)
    except ObjectNotFound:
        return False
    return True


def _send(source: Path, key: str) -> None:
    with source.open("rb") as stream:
        storage().put(key, stream)


def noted_digests(noted: Path) -> Iterator[str]:
    """The digests of a `stored.txt`; none where there is no such file."""
    if noted.is_file():
        yield from noted.read_text(encoding="ascii").split()
