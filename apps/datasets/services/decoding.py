"""Decoding published pictures completely, once each, in the background: what headers cannot tell is found here, and what
those look like that the analysis of their upload did not get to.
"""

import subprocess
import sys
from collections.abc import Iterator
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet

from apps.core.operations import ingest
from apps.core.storage import ObjectNotFound, storage
from apps.core.storage.keys import blob_key
from apps.datasets.images.decoding_process import COMMAND
from apps.datasets.likeness import cell_of
from apps.datasets.models import Blob, Dataset, Entry

BATCH = 500


def decode_images(dataset_id: UUID | str) -> int:
    """Decodes the dataset's pictures that nobody has tried yet; returns how many cannot be decoded.

    The decoders run in a child process whose memory and time are bounded, a batch at a time; a picture that ends the
    child is the one that cannot be decoded.
    """
    dataset = Dataset.objects.filter(pk=dataset_id).first()
    if dataset is None:
        return 0
    broken = 0
    while batch := list(_waiting(dataset)[:BATCH]):
        answers = dict(_tried(batch))
        _note(batch=batch, answers=answers)
        broken += sum(look is None for look in answers.values())
        if not answers:
            break
    return broken


def _waiting(dataset: Dataset) -> QuerySet[Blob]:
    blobs = Entry.objects.head(dataset.pk).images().values("blob_id")
    untried = Q(is_sound__isnull=True) | Q(is_sound=True, look__isnull=True)
    return Blob.objects.filter(untried, pk__in=blobs).order_by("pk")


def _tried(batch: list[Blob]) -> Iterator[tuple[int, bytes | None]]:
    """Blob id → what it looks like, None where it could not be decoded. The child answers line by line, so its death costs one picture."""
    waiting = list(batch)
    while waiting:
        with subprocess.Popen(
            [sys.executable, *COMMAND],
            cwd=settings.BASE_DIR,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as child:
            assert child.stdin is not None and child.stdout is not None
            try:
                while waiting:
                    content = _content(waiting[0])
                    child.stdin.write(len(content).to_bytes(8, "big") + content)
                    child.stdin.flush()
                    answer = child.stdout.readline()
                    if not answer:
                        break
                    sound, _space, look = answer.strip().decode().partition(" ")
                    yield waiting.pop(0).pk, bytes.fromhex(look) if sound == "sound" else None
            except BrokenPipeError:
                pass
            finally:
                child.kill()
        if waiting:
            yield waiting.pop(0).pk, None


def _content(blob: Blob) -> bytes:
    try:
        return storage().read(blob_key(blob.organization_id, blob.sha256))
    except ObjectNotFound:
        return b""


@ingest("datasets.blobs_note_decoding")
def _note(*, batch: list[Blob], answers: dict[int, bytes | None]) -> None:
    """Remembers which pictures could be decoded, and what they look like where nobody has looked before."""
    tried = [blob for blob in batch if blob.pk in answers]
    for blob in tried:
        look = answers[blob.pk]
        blob.is_sound = look is not None
        if blob.look is None and look is not None:
            blob.look, blob.look_cell = look, cell_of(look) if look else None
    Blob.objects.bulk_update(tried, ["is_sound", "look", "look_cell"])
