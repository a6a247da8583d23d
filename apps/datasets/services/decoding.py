"""Decoding published pictures completely, once each, in the background: what headers cannot tell is found here, and what
those look like that the analysis of their upload did not get to. The small copies that pages show are made beside it.
"""

import contextlib
import datetime
import errno
import io
import logging
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
from django.utils import timezone

from apps.core.operations import ingest
from apps.core.storage import ObjectNotFound, storage
from apps.core.storage.keys import blob_key
from apps.core.storage.locks import Family, held, number_of
from apps.datasets.images.decoding_process import COMMAND, COPIES
from apps.datasets.likeness import cell_of
from apps.datasets.models import Blob, Dataset, Entry, Upload, UploadState
from apps.datasets.selectors.images import UNTRIED, thumbnail_key, waiting_images
from apps.datasets.services.blobs import lock_rows
from apps.datasets.services.room import RESERVE_BYTES

log = logging.getLogger(__name__)

BATCH = 2000
#: A child's processor time is bounded, so it is replaced in time: a picture is never blamed for those before it.
CHILD_SECONDS = 120.0
#: Somebody waits for an upload that is being read or stored and was heard of so lately. Nobody waits for a decoder, which
#: lets such uploads go first: it asks so often, and steps back for so long in all.
IN_HAND = (UploadState.ANALYSING, UploadState.PUBLISHING)
LATELY = datetime.timedelta(seconds=20)
ASK_SECONDS, PAUSE_SECONDS, STEP_BACK_SECONDS = 2.0, 0.5, 120.0
#: Reads of the store that may fail while the pictures of a dataset are decoded.
MOST_FAILED = 5

# Another decoder may have looked since the batch was read, and its look stays.
NOTE = """
UPDATE datasets_blob b SET is_sound = tried.is_sound, look = COALESCE(b.look, tried.look),
    look_cell = CASE WHEN b.look IS NULL THEN tried.look_cell ELSE b.look_cell END
FROM unnest(%s::bigint[], %s::boolean[], %s::bytea[], %s::integer[]) AS tried(id, is_sound, look, look_cell)
WHERE b.id = tried.id
"""

#: A picture, what it looks like (None: it cannot be decoded), and its copies, the largest first.
Answer = tuple[Blob, bytes | None, list[bytes]]


class _StepBack:
    """Lets uploads that somebody waits for go first: the worker's threads, and small machines' cores, are shared."""

    def __init__(self) -> None:
        self.seconds_left = STEP_BACK_SECONDS
        self.asks_at = time.monotonic() + ASK_SECONDS

    def __call__(self) -> None:
        if time.monotonic() < self.asks_at:
            return
        while self.seconds_left > 0 and self._is_somebody_waiting():
            # The connection is kept: the lock on the dataset's decoding is the connection's.
            time.sleep(PAUSE_SECONDS)
            self.seconds_left -= PAUSE_SECONDS
        self.asks_at = time.monotonic() + ASK_SECONDS

    @staticmethod
    def _is_somebody_waiting() -> bool:
        return Upload.objects.filter(state__in=IN_HAND, updated_at__gt=timezone.now() - LATELY).exists()


class _Reader:
    """Reads pictures. A store that fails costs the picture at which it fails, which is tried again another time; one
    that goes on failing ends the work."""

    def __init__(self) -> None:
        self.failed = 0

    def __call__(self, blob: Blob) -> bytes | None:
        """None for what cannot be read now; b"", which no decoder takes, for what is lost, or lies where the disk cannot
        read any more."""
        try:
            return storage().read(blob_key(blob.organization_id, blob.sha256))
        except ObjectNotFound:
            return b""
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EIO:
                return b""
            self.failed += 1
            if self.failed > MOST_FAILED:
                raise
            log.exception("the picture %s cannot be read now", blob.sha256)
            return None


def decode_images(dataset_id: UUID | str) -> int:
    """Decodes the dataset's pictures that nobody has tried yet; returns how many cannot be decoded.

    The decoders run in a child process whose memory and time are bounded, a batch at a time; a picture that ends the
    child is the one that cannot be decoded. Of large pictures the copies of `COPIES` are kept, where there is room.
    One worker at a time does it for a dataset: what others were told of meanwhile, it finds before it ends.
    """
    dataset = Dataset.objects.filter(pk=dataset_id).first()
    broken, step_back = 0, _StepBack()
    # Asked again after the lock is given back: who found it taken has gone away.
    while dataset is not None and waiting_images(dataset.pk).exists():
        with held("pg_try_advisory_lock", "pg_advisory_unlock", Family.DECODING, number_of(dataset.pk)) as alone:
            looks = _decode_waiting(dataset, step_back) if alone else []
        if not looks:
            break
        broken += looks.count(None)
    return broken


def _decode_waiting(dataset: Dataset, step_back: _StepBack) -> list[bytes | None]:
    """What those look like that could be read; None for each that cannot be decoded."""
    looks: list[bytes | None] = []
    read = _Reader()
    # Asked for once: to find them among a million takes a second.
    waiting = list(waiting_images(dataset.pk).values_list("pk", flat=True))
    for start in range(0, len(waiting), BATCH):
        batch = list(Blob.objects.filter(UNTRIED, pk__in=waiting[start : start + BATCH]).order_by("pk"))
        answers: dict[int, bytes | None] = {}
        try:
            for blob, look, copies in _tried(batch, _copies_wanted(dataset, batch), read):
                answers[blob.pk] = look
                _keep(blob, copies)
                step_back()
        finally:
            _note(batch=batch, answers=answers)
            _remove_strays(batch)
        looks += answers.values()
    return looks


def _keep(blob: Blob, copies: list[bytes]) -> None:
    """A copy that cannot be kept says nothing against its picture: it is made when it is asked for."""
    try:
        for size, copy in zip(COPIES, copies, strict=False):
            storage().put(thumbnail_key(blob, size), io.BytesIO(copy))
    except Exception:
        log.exception("no copies of the picture %s", blob.sha256)


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


def _tried(batch: list[Blob], copies: dict[int, int], read: _Reader) -> Iterator[Answer]:
    """The child answers line by line, so its death costs one picture. None of what cannot be read now."""
    waiting = deque(batch)
    while waiting:
        blamed = True
        # A pipe that broke says so once more when it is closed.
        with contextlib.suppress(BrokenPipeError), _decoder() as child:
            assert child.stdin is not None and child.stdout is not None
            try:
                blamed = yield from _asked(child.stdin, child.stdout, waiting, copies, read)
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
    sink: IO[bytes], source: IO[bytes], waiting: deque[Blob], copies: dict[int, int], read: _Reader
) -> Generator[Answer, None, bool]:
    """Takes from `waiting` what one child answers in its time; returns whether it died of the next one."""
    ends_at = time.monotonic() + CHILD_SECONDS
    while waiting:
        content = read(waiting[0])
        if content is None:
            waiting.popleft()
            continue
        head = len(content).to_bytes(8, "big") + bytes([copies.get(waiting[0].pk, 0)])
        sink.write(head + content)
        sink.flush()
        if not (answer := source.readline()):
            return True
        sound, _space, look = answer.strip().decode().partition(" ")
        is_sound = sound == "sound"
        made = _read_copies(source) if is_sound else []
        yield waiting.popleft(), bytes.fromhex(look) if is_sound else None, made or []
        if made is None or time.monotonic() > ends_at:
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


@ingest("datasets.blobs_note_decoding")
def _note(*, batch: list[Blob], answers: dict[int, bytes | None]) -> None:
    """Remembers which pictures could be decoded, and what they look like where nobody has looked before."""
    tried = [blob.pk for blob in batch if blob.pk in answers]
    looks = [answers[pk] for pk in tried]
    cells = [cell_of(look) if look else None for look in looks]
    lock_rows(Blob.objects.filter(pk__in=tried))
    with connection.cursor() as cursor:
        cursor.execute(NOTE, [tried, [look is not None for look in looks], looks, cells])
