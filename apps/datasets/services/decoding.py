"""Decoding published pictures completely, once each, in the background: what headers cannot tell is found here, and what
those look like that the analysis of their upload did not get to. The small copies that pages show are made beside it.
"""

import contextlib
import datetime
import io
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Generator, Iterator
from typing import IO
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.core.connections import release_connection
from apps.core.operations import ingest
from apps.core.storage import ObjectNotFound, storage
from apps.core.storage.keys import blob_key
from apps.datasets.images.decoding_process import COMMAND, COPIES
from apps.datasets.likeness import cell_of
from apps.datasets.models import BUSY_UPLOADS, Blob, Dataset, Entry, Upload
from apps.datasets.selectors.images import thumbnail_key
from apps.datasets.services.room import RESERVE_BYTES

BATCH = 2000
UNTRIED = Q(is_sound__isnull=True) | Q(is_sound=True, look__isnull=True)
#: Somebody waits for an upload that is being read or stored and was heard of so lately. Nobody waits for a decoder: that
#: of a large set lets it go first, for so long.
LATELY = datetime.timedelta(seconds=20)
STEP_BACK_SECONDS, PAUSE_SECONDS = 600.0, 0.5

# A publication may have looked since the batch was read, and its look stays.
NOTE = """
UPDATE datasets_blob b SET is_sound = tried.is_sound, look = COALESCE(b.look, tried.look),
    look_cell = CASE WHEN b.look IS NULL THEN tried.look_cell ELSE b.look_cell END
FROM unnest(%s::bigint[], %s::boolean[], %s::bytea[], %s::integer[]) AS tried(id, is_sound, look, look_cell)
WHERE b.id = tried.id
"""

#: A picture, what it looks like (None: it cannot be decoded), and its copies, the largest first.
Answer = tuple[Blob, bytes | None, list[bytes]]


def decode_images(dataset_id: UUID | str) -> int:
    """Decodes the dataset's pictures that nobody has tried yet; returns how many cannot be decoded.

    The decoders run in a child process whose memory and time are bounded, a batch at a time; a picture that ends the
    child is the one that cannot be decoded. Of large pictures the copies of `COPIES` are kept, where there is room.
    """
    dataset = Dataset.objects.filter(pk=dataset_id).first()
    if dataset is None:
        return 0
    broken = 0
    step_back_until = time.monotonic() + STEP_BACK_SECONDS
    # Asked for once: to find them among a million takes a second.
    waiting = list(_waiting(dataset).values_list("pk", flat=True))
    for start in range(0, len(waiting), BATCH):
        while start and time.monotonic() < step_back_until and _is_somebody_waiting():
            release_connection()
            time.sleep(PAUSE_SECONDS)
        # Another may have tried some of them meanwhile.
        batch = list(Blob.objects.filter(UNTRIED, pk__in=waiting[start : start + BATCH]).order_by("pk"))
        answers = {}
        for blob, look, copies in _tried(batch, _copies_wanted(dataset, batch)):
            answers[blob.pk] = look
            for size, copy in zip(COPIES, copies, strict=False):
                storage().put(thumbnail_key(blob, size), io.BytesIO(copy))
        _note(batch=batch, answers=answers)
        _remove_strays(batch)
        broken += sum(look is None for look in answers.values())
    return broken


def _is_somebody_waiting() -> bool:
    """The worker's threads, and small machines' cores, are shared with what reads and stores uploads."""
    return Upload.objects.filter(state__in=BUSY_UPLOADS, updated_at__gt=timezone.now() - LATELY).exists()


def _waiting(dataset: Dataset) -> QuerySet[Blob]:
    blobs = Entry.objects.head(dataset.pk).images().values("blob_id")
    return Blob.objects.filter(UNTRIED, pk__in=blobs).order_by("pk")


def _copies_wanted(dataset: Dataset, batch: list[Blob]) -> dict[int, int]:
    """Blob id → how many copies: one for pages of images, and one for lists of datasets, which show the first image.

    None of what is in quarantine, and none where they would take what is left of the disk.
    """
    store = storage().local_path("derived")
    if store is not None and shutil.disk_usage(store.parent).free < RESERVE_BYTES:
        return {}
    whole = Entry.objects.head(dataset.pk).images().filter(blob__damage="")
    first = whole.order_by("item_id").values_list("blob_id", flat=True).first()
    return {blob.pk: 1 + (blob.pk == first) for blob in batch if not blob.damage}


def _tried(batch: list[Blob], copies: dict[int, int]) -> Iterator[Answer]:
    """The child answers line by line, so its death costs one picture."""
    waiting = deque(batch)
    while waiting:
        blamed = True
        # A pipe that broke says so once more when it is closed.
        with contextlib.suppress(BrokenPipeError), _decoder() as child:
            assert child.stdin is not None and child.stdout is not None
            try:
                blamed = yield from _asked(child.stdin, child.stdout, waiting, copies)
            finally:
                child.kill()
        if waiting and blamed:
            yield waiting.popleft(), None, []


def _decoder() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, *COMMAND],
        cwd=settings.BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _asked(
    sink: IO[bytes], source: IO[bytes], waiting: deque[Blob], copies: dict[int, int]
) -> Generator[Answer, None, bool]:
    """Takes from `waiting` what one child answers; returns whether it died of the next one."""
    while waiting:
        content = _content(waiting[0])
        head = len(content).to_bytes(8, "big") + bytes([copies.get(waiting[0].pk, 0)])
        sink.write(head + content)
        sink.flush()
        if not (answer := source.readline()):
            return True
        sound, _space, look = answer.strip().decode().partition(" ")
        if sound != "sound":
            yield waiting.popleft(), None, []
            continue
        made = _read_copies(source)
        yield waiting.popleft(), bytes.fromhex(look), made or []
        if made is None:
            return False
    return False


def _read_copies(source: IO[bytes]) -> list[bytes] | None:
    """None where the child died while it made them."""
    if not (lengths := source.readline()):
        return None
    made = [source.read(int(length)) for length in lengths.split()]
    return made if all(len(copy) == int(length) for copy, length in zip(made, lengths.split(), strict=True)) else None


def _remove_strays(batch: list[Blob]) -> None:
    """Copies of pictures that were deleted meanwhile: who deletes a row later finds its copies there."""
    left = set(Blob.objects.filter(pk__in=[blob.pk for blob in batch]).values_list("pk", flat=True))
    for blob in batch:
        if blob.pk not in left:
            for size in COPIES:
                storage().delete(thumbnail_key(blob, size))


def _content(blob: Blob) -> bytes:
    try:
        return storage().read(blob_key(blob.organization_id, blob.sha256))
    except ObjectNotFound:
        return b""


@ingest("datasets.blobs_note_decoding")
def _note(*, batch: list[Blob], answers: dict[int, bytes | None]) -> None:
    """Remembers which pictures could be decoded, and what they look like where nobody has looked before."""
    tried = [blob.pk for blob in batch if blob.pk in answers]
    looks = [answers[pk] for pk in tried]
    cells = [cell_of(look) if look else None for look in looks]
    # In one order everywhere, so that two who change many never wait for each other.
    list(Blob.objects.select_for_update().filter(pk__in=tried).order_by("pk").values_list("pk"))
    with connection.cursor() as cursor:
        cursor.execute(NOTE, [tried, [look is not None for look in looks], looks, cells])
