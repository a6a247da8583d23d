"""What pages show of pictures is made while a worker decodes them; whatever is missing is made on request."""

import errno
import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import connection, transaction
from django.utils import timezone
from PIL import Image

from apps.core.models import LooseObject
from apps.core.storage import storage
from apps.core.storage.keys import blob_key
from apps.core.storage.locks import Family, held, number_of
from apps.core.testing import Cast
from apps.datasets import services, tasks
from apps.datasets.images import decoding_process
from apps.datasets.images.decoding import decoded, look_at, small_copies, thumbnail
from apps.datasets.models import Blob, Dataset, Entry, Revision, Upload, UploadState
from apps.datasets.selectors import images as selectors
from apps.datasets.selectors.images import THUMBNAIL_SIZES, thumbnail_key, thumbnail_of
from apps.datasets.services import decoding, fsck, messages
from apps.datasets.services.blobs import lock_rows
from apps.organizations.services import quotas
from tests.datasets.factories.images import encoded, oriented_jpeg, png
from tests.factories.datasets import DatasetFactory, published

pytestmark = pytest.mark.django_db
LABELS = {"labels/train/a.txt": b"0 0.5 0.5 0.5 0.5\n", "data.yaml": b"names: [cat]\n"}


def large(seed: int = 0, kind: str = "JPEG", **more: Any) -> bytes:
    return encoded(kind, 400, 300, seed=seed, **more)


@pytest.fixture
def dataset() -> Dataset:
    """Two large pictures, the first of which stands for the dataset in lists, and a small one."""
    files = {"images/train/a.jpg": large(1), "images/train/b.png": large(2, "PNG"), "images/train/c.jpg": encoded()}
    return published(DatasetFactory(), files | LABELS)


@pytest.fixture
def made_on_request(monkeypatch: pytest.MonkeyPatch) -> Iterator[mock.Mock]:
    with mock.patch.object(selectors, "bounded_thumbnail", side_effect=selectors.bounded_thumbnail) as watched:
        yield watched


def blobs_of(dataset: Dataset) -> dict[str, Blob]:
    rows = Entry.objects.head(dataset.pk).images().select_related("blob", "item")
    return {entry.item.path.rpartition("/")[2]: entry.blob for entry in rows}


def kept(blob: Blob) -> list[int]:
    return [size for size in THUMBNAIL_SIZES if storage().size(thumbnail_key(blob, size)) is not None]


def test_the_worker_that_decodes_makes_what_pages_show(dataset: Dataset, made_on_request: mock.Mock) -> None:
    assert tasks.decode(str(dataset.pk)) == 0
    found = blobs_of(dataset)
    assert {name: kept(blob) for name, blob in found.items()} == {"a.jpg": [128, 256], "b.png": [256], "c.jpg": []}
    for name, size, expected in (("a.jpg", 256, (256, 192)), ("a.jpg", 128, (128, 96)), ("b.png", 256, (256, 192))):
        with Image.open(io.BytesIO(thumbnail_of(found[name], size))) as copy:
            assert (copy.format, copy.size) == ("WEBP", expected)
    made_on_request.assert_not_called()


def test_what_was_not_made_is_made_on_request(dataset: Dataset, made_on_request: mock.Mock) -> None:
    tasks.decode(str(dataset.pk))
    found = blobs_of(dataset)
    for name, size in (("c.jpg", 256), ("b.png", 128), ("a.jpg", 512)):
        assert thumbnail_of(found[name], size)
        assert size in kept(found[name])
    assert made_on_request.call_count == 3


def test_a_copy_of_a_decoded_picture_is_upright_bare_and_like_one_made_on_request() -> None:
    sources = [oriented_jpeg(6, gps=True, width=640, height=400)]
    sources += [encoded("PNG", 640, 400, mode) for mode in ("P", "L", "1", "RGBA", "LA", "I;16")]
    for source in sources:
        first, second = small_copies(decoded(source), (256, 128))
        for copy, size in ((first, 256), (second, 128)):
            with Image.open(io.BytesIO(copy)) as ours, Image.open(io.BytesIO(thumbnail(source, size))) as theirs:
                assert (ours.format, ours.mode, ours.size) == ("WEBP", theirs.mode, theirs.size)
                assert not ours.getexif()
    assert Image.open(io.BytesIO(small_copies(decoded(sources[0]), (256,))[0])).size == (160, 256)


def test_of_a_picture_that_cannot_be_decoded_there_is_none() -> None:
    # Header and trailer are right; what lies between is no picture.
    dataset = published(DatasetFactory(), {"images/train/a.png": png(400, 300, pixels=b"too short"), **LABELS})
    assert tasks.decode(str(dataset.pk)) == 1
    assert kept(blobs_of(dataset)["a.png"]) == []


def test_of_a_picture_in_quarantine_there_is_none(dataset: Dataset) -> None:
    damaged = blobs_of(dataset)["a.jpg"]
    Blob.objects.filter(pk=damaged.pk).update(damage="damaged")
    tasks.decode(str(dataset.pk))
    assert kept(damaged) == []
    assert kept(blobs_of(dataset)["b.png"]) == [128, 256], "the next one stands for the dataset"


def test_a_full_disk_keeps_what_is_left(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding.shutil, "disk_usage", lambda path: mock.Mock(free=decoding.RESERVE_BYTES - 1))
    assert tasks.decode(str(dataset.pk)) == 0
    found = blobs_of(dataset)
    assert [kept(blob) for blob in found.values()] == [[], [], []]
    assert all(blob.is_sound for blob in found.values())


READS = "import sys; head = sys.stdin.buffer.read(9); sys.stdin.buffer.read(int.from_bytes(head[:8], 'big'));"
SOUND_AND_GONE = READS + "sys.stdout.write('sound\\n')"
HALF_A_COPY = READS + "sys.stdout.write('sound\\n100\\nhalf')"


@pytest.mark.parametrize("program", [SOUND_AND_GONE, HALF_A_COPY], ids=["none", "half of one"])
def test_a_copy_that_ends_the_decoder_says_nothing_against_the_picture(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(decoding, "COMMAND", ("-c", program))
    assert tasks.decode(str(dataset.pk)) == 0
    found = blobs_of(dataset)
    assert all(blob.is_sound for blob in found.values())
    assert [kept(blob) for blob in found.values()] == [[], [], []]


def test_a_picture_that_ends_the_decoder_is_the_broken_one(monkeypatch: pytest.MonkeyPatch) -> None:
    # More than a pipe holds: who writes it is told twice that nobody reads.
    dataset = published(DatasetFactory(), {"images/train/a.png": encoded("PNG", 400, 400), **LABELS})
    monkeypatch.setattr(decoding, "COMMAND", ("-c", "pass"))
    assert tasks.decode(str(dataset.pk)) == 1
    assert blobs_of(dataset)["a.png"].is_sound is False


def test_a_copy_that_cannot_be_made_is_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding_process, "small_copies", mock.Mock(side_effect=MemoryError))
    assert list(decoding_process.answers(large(), (256,))) == [
        b"sound " + look_at(decoded(large())).hex().encode() + b"\n",
        b"\n",
    ]


def test_copies_count_for_no_quota_and_are_no_finding(dataset: Dataset) -> None:
    before = quotas.stored_bytes(dataset.organization_id)
    tasks.decode(str(dataset.pk))
    assert kept(blobs_of(dataset)["a.jpg"])
    assert quotas.stored_bytes(dataset.organization_id) == before
    found = [one for one in fsck.examine_stores(read=True, grace=0) if str(dataset.organization_id) in one.key]
    assert found == []


def test_copies_go_with_their_pictures(cast: Cast, dataset: Dataset) -> None:
    tasks.decode(str(dataset.pk))
    blobs = blobs_of(dataset)
    Entry.objects.filter(dataset=dataset).delete()
    services.sweep()
    assert not Blob.objects.filter(pk__in=[blob.pk for blob in blobs.values()]).exists()
    LooseObject.objects.update(since=timezone.now() - timedelta(days=9))
    services.sweep()
    assert [kept(blob) for blob in blobs.values()] == [[], [], []]


def test_a_picture_that_is_deleted_while_it_is_decoded_leaves_no_copy(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = blobs_of(dataset)
    real = decoding._tried

    def deleted_meanwhile(*given: Any) -> Iterator[Any]:
        for number, answer in enumerate(real(*given)):
            if not number:
                Entry.objects.filter(dataset=dataset).delete()
                services.sweep()
            yield answer

    monkeypatch.setattr(decoding, "_tried", deleted_meanwhile)
    with mock.patch.object(type(storage()), "put", autospec=True, side_effect=type(storage()).put) as put:
        tasks.decode(str(dataset.pk))
    assert put.called
    assert [kept(blob) for blob in blobs.values()] == [[], [], []]


@pytest.fixture
def asks_always(monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    """What stands for pausing, of a decoder that looks after each picture whether an upload waits."""
    pause = mock.Mock()
    monkeypatch.setattr(decoding, "ASK_SECONDS", 0)
    monkeypatch.setattr(decoding, "time", mock.Mock(monotonic=time.monotonic, sleep=pause))
    return pause


def tried() -> int:
    return Blob.objects.filter(is_sound=True).count()


def test_uploads_that_somebody_waits_for_go_first(
    dataset: Dataset, asks_always: mock.Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = Upload.objects.create(dataset=dataset, state=UploadState.ANALYSING)
    monkeypatch.setattr(decoding, "BATCH", 1)
    tried_when_waiting = []

    def pause(seconds: float) -> None:
        tried_when_waiting.append(tried())
        if len(tried_when_waiting) == 3:
            upload.change(state=UploadState.READY)

    asks_always.side_effect = pause
    assert decoding.decode_images(dataset.pk) == 0
    assert tried_when_waiting == [0, 0, 0]
    assert all(blob.is_sound for blob in blobs_of(dataset).values())


def test_an_upload_that_is_always_at_it_holds_nothing_up_for_ever(dataset: Dataset, asks_always: mock.Mock) -> None:
    Upload.objects.create(dataset=dataset, state=UploadState.PUBLISHING)
    assert decoding.decode_images(dataset.pk) == 0
    assert asks_always.call_count == decoding.STEP_BACK_SECONDS / decoding.PAUSE_SECONDS
    assert tried() == len(blobs_of(dataset))


@pytest.mark.parametrize(
    ("state", "age"), [(UploadState.ANALYSING, timedelta(minutes=1)), (UploadState.FETCHING, timedelta())]
)
def test_uploads_not_heard_of_lately_or_still_on_their_way_hold_nothing_up(
    dataset: Dataset, asks_always: mock.Mock, state: UploadState, age: timedelta
) -> None:
    upload = Upload.objects.create(dataset=dataset, state=state)
    Upload.objects.filter(pk=upload.pk).update(updated_at=timezone.now() - age)
    asks_always.side_effect = AssertionError
    assert decoding.decode_images(dataset.pk) == 0
    assert tried() == len(blobs_of(dataset))


@pytest.mark.parametrize("lost", [False, True], ids=["sound", "lost"])
def test_a_child_is_replaced_before_its_time_is_up(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    blobs = blobs_of(dataset).values()
    if lost:
        for blob in blobs:
            storage().delete(blob_key(blob.organization_id, blob.sha256))
    monkeypatch.setattr(decoding, "CHILD_SECONDS", 0)
    with mock.patch.object(decoding, "_decoder", side_effect=decoding._decoder) as decoder:
        assert decoding.decode_images(dataset.pk) == (len(blobs) if lost else 0)
    assert decoder.call_count == len(blobs) >= 2


def fails_at(blobs: list[Blob], error: Exception) -> Any:
    """A store that cannot read these."""
    keys = {blob_key(blob.organization_id, blob.sha256) for blob in blobs}
    real = storage().read

    def read(key: str) -> bytes:
        if key in keys:
            raise error
        return real(key)

    return mock.patch.object(storage(), "read", side_effect=read)


def test_a_picture_that_cannot_be_read_now_holds_no_other_up_and_is_tried_again(dataset: Dataset) -> None:
    first, *others = Blob.objects.filter(pk__in=[blob.pk for blob in blobs_of(dataset).values()]).order_by("pk")
    with fails_at([first], PermissionError(errno.EACCES, "not now")):
        assert decoding.decode_images(dataset.pk) == 0
    first.refresh_from_db()
    assert (first.is_sound, tried()) == (None, len(others))
    assert decoding.decode_images(dataset.pk) == 0
    assert tried() == 1 + len(others)


def test_a_store_that_goes_on_failing_ends_the_work_and_what_was_decoded_stays(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "MOST_FAILED", 0)
    first, *others = Blob.objects.filter(pk__in=[blob.pk for blob in blobs_of(dataset).values()]).order_by("pk")
    with fails_at(others, PermissionError(errno.EACCES, "not now")), pytest.raises(PermissionError):
        decoding.decode_images(dataset.pk)
    first.refresh_from_db()
    assert first.is_sound


def test_a_picture_that_the_disk_cannot_read_any_more_is_not_sound(dataset: Dataset) -> None:
    first, *others = blobs_of(dataset).values()
    with fails_at([first], OSError(errno.EIO, "bad block")):
        assert decoding.decode_images(dataset.pk) == 1
    first.refresh_from_db()
    assert (first.is_sound, tried()) == (False, len(others))


def test_a_copy_that_cannot_be_kept_says_nothing_against_its_picture(dataset: Dataset) -> None:
    with mock.patch.object(storage(), "put", side_effect=OSError(errno.ENOSPC, "full")):
        assert decoding.decode_images(dataset.pk) == 0
    assert tried() == len(blobs_of(dataset))


@pytest.mark.django_db(transaction=True)
def test_who_notes_what_pictures_are_like_and_who_publishes_them_elsewhere_do_not_wait_for_each_other(
    dataset: Dataset,
) -> None:
    low, high = sorted(blob.pk for blob in blobs_of(dataset).values())[:2]

    def refers(pk: int) -> None:
        """Locks a blob as a row that refers to it does."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM datasets_blob WHERE id = %s FOR KEY SHARE", [pk])

    def noted() -> int:
        try:
            with transaction.atomic():
                lock_rows(Blob.objects.filter(pk__in=[low, high]))
                return Blob.objects.filter(pk__in=[low, high]).update(is_sound=True)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as other, transaction.atomic():
        refers(high)
        assert other.submit(noted).result(30) == 2
        refers(low)


def told(dataset: Dataset) -> None:
    """What a worker's thread of its own does."""
    try:
        tasks.decode(str(dataset.pk))
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_are_told_one_decodes(dataset: Dataset) -> None:
    with held("pg_advisory_lock", "pg_advisory_unlock", Family.DECODING, number_of(dataset.pk)):
        with ThreadPoolExecutor(1) as other:
            other.submit(told, dataset).result()
        assert (tried(), Revision.objects.get(dataset=dataset).alike) == (0, None), "who has the lock compares, too"
    tasks.decode(str(dataset.pk))
    assert tried() == len(blobs_of(dataset))
    assert Revision.objects.get(dataset=dataset).alike is not None


def test_what_is_published_while_it_is_decoded_is_decoded_too(dataset: Dataset) -> None:
    real = decoding._decode_waiting

    def published_meanwhile(*given: Any) -> int:
        done = real(*given)
        if decode.call_count == 1:
            published(dataset, {"images/train/late.png": large(3, "PNG")} | LABELS)
        return done

    with mock.patch.object(decoding, "_decode_waiting", side_effect=published_meanwhile) as decode:
        decoding.decode_images(dataset.pk)
    assert decode.call_count == 2
    assert blobs_of(dataset)["late.png"].is_sound


def test_a_decoding_that_was_lost_is_asked_for_again(dataset: Dataset) -> None:
    with mock.patch.object(messages, "send") as send:
        assert services.sweep()["decodings_asked_again"] == 0
        Revision.objects.filter(dataset=dataset).update(created_at=timezone.now() - timedelta(hours=1))
        assert services.sweep()["decodings_asked_again"] == 1
        send.assert_called_once_with("datasets.decode", dataset.pk, expires=60)
        tasks.decode(str(dataset.pk))
        assert services.sweep()["decodings_asked_again"] == 0
