"""Decoding published pictures completely, once each, in the background: what headers cannot tell is found here."""

import subprocess
import sys
from collections.abc import Iterator
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from apps.core.operations import ingest
from apps.core.storage import ObjectNotFound, storage
from apps.core.storage.keys import blob_key
from apps.datasets.images.decoding_process import COMMAND
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
        _note(answers=answers)
        broken += sum(not sound for sound in answers.values())
        if not answers:
            break
    return broken


def _waiting(dataset: Dataset) -> QuerySet[Blob]:
    blobs = Entry.objects.head(dataset.pk).images().values("blob_id")
    return Blob.objects.filter(pk__in=blobs, is_sound__isnull=True).order_by("pk")


def _tried(batch: list[Blob]) -> Iterator[tuple[int, bool]]:
    """Blob id → whether it could be decoded. The child answers line by line, so its death costs one picture."""
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
                    yield waiting.pop(0).pk, answer == b"sound\n"
            except BrokenPipeError:
                pass
            finally:
                child.kill()
        if waiting:
            yield waiting.pop(0).pk, False


def _content(blob: Blob) -> bytes:
    try:
        return storage().read(blob_key(blob.organization_id, blob.sha256))
    except ObjectNotFound:
        return b""


@ingest("datasets.blobs_note_decoding")
def _note(*, answers: dict[int, bool]) -> None:
    """Remembers which pictures could be decoded."""
    for sound in (True, False):
        Blob.objects.filter(pk__in=[pk for pk, answer in answers.items() if answer is sound]).update(is_sound=sound)
