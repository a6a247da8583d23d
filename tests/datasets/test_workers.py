"""Several at once, workers that die, and what is swept behind them."""

import contextlib
import hashlib
import io
import json
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection
from django.utils import timezone

from apps.core.identity import Actor
from apps.core.models import LooseObject
from apps.core.storage import storage
from apps.core.storage.keys import blob_key
from apps.core.storage.locks import blobs_shared
from apps.core.testing import Cast
from apps.datasets import services
from apps.datasets.folders import UploadFolder, untouched, uploads_root
from apps.datasets.models import Blob, Dataset, Entry, Revision, Upload, UploadState
from apps.datasets.samples import sample_archive
from apps.datasets.services import messages, publishing, reading, uploads
from apps.datasets.services.locks import upload_lock
from apps.evaluation import services as evaluation
from apps.jobs.models import Job
from apps.jobs.services import ingest
from tests.datasets.factories.archives import zip_of
from tests.datasets.factories.images import encoded
from tests.factories.datasets import SYSTEM, DatasetFactory, owner_of, published, shapes, uploaded
from tests.factories.evaluation import PNG
from tests.jobs.support import running


def owner(dataset: Dataset) -> Actor:
    return Actor.of(owner_of(dataset), organization_id=dataset.organization_id)


def ready(dataset: Dataset, files: dict[str, bytes]) -> Upload:
    """An upload whose publication was asked for."""
    actor = owner(dataset)
    upload = uploaded(dataset, files, actor=actor)
    return services.upload_publish(actor=actor, upload=upload)


def at_once(*calls: Callable[[], Any]) -> list[BaseException]:
    """Runs the calls in threads of their own that start together; returns what they raised."""
    barrier = threading.Barrier(len(calls))
    raised: list[BaseException] = []

    def run(call: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


def only(pattern: str) -> dict[str, bytes]:
    files = {path: content for path, content in shapes().items() if pattern in path}
    return {**files, "data.yaml": b"names: [circle, square, triangle]\n"}


@pytest.mark.django_db(transaction=True)
def test_two_publications_at_once_become_two_revisions() -> None:
    dataset = DatasetFactory()
    two = [ready(dataset, only("/train/")), ready(dataset, only("/val/"))]
    raised = at_once(*(lambda upload=upload: services.upload_store(upload.pk) for upload in two))  # type: ignore[misc]
    assert raised == []
    assert list(Revision.objects.order_by("no").values_list("no", flat=True)) == [1, 2]
    assert Upload.objects.filter(state=UploadState.PUBLISHED).count() == 2
    dataset.refresh_from_db()
    assert (dataset.revision_no, dataset.image_count, dataset.file_count) == (2, 5, 11)
    assert Entry.objects.head(dataset.pk).count() == 11


@pytest.mark.django_db(transaction=True)
def test_a_message_delivered_twice_publishes_once() -> None:
    dataset = DatasetFactory()
    upload = ready(dataset, dict(shapes()))
    assert at_once(*(lambda: services.upload_store(upload.pk) for _number in range(4))) == []
    assert Revision.objects.count() == 1
    upload.refresh_from_db()
    assert upload.state == UploadState.PUBLISHED


@pytest.mark.django_db(transaction=True)
def test_files_sent_side_by_side_are_all_counted() -> None:
    dataset = DatasetFactory()
    actor = owner(dataset)
    upload = services.upload_create(actor=actor, dataset=dataset)

    def send(number: int) -> None:
        for part in range(10):
            services.upload_receive(
                actor=actor, upload=upload, path=f"images/{number}-{part}.jpg", stream=io.BytesIO(b"abc")
            )

    assert at_once(*(lambda number=number: send(number) for number in range(4))) == []  # type: ignore[misc]
    upload.refresh_from_db()
    assert (upload.file_count, upload.byte_count) == (40, 120)
    assert len(list(services.received_files(upload))) == 40


@pytest.mark.django_db(transaction=True)
def test_of_two_files_for_one_path_at_once_one_is_there_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    upload = services.upload_create(actor=SYSTEM, dataset=DatasetFactory())
    both, count = threading.Barrier(2), uploads.upload_count

    def counted(**arguments: Any) -> bool:
        """Both have looked for the file by now, unless one waits for the other."""
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(1)
        return count(**arguments)

    def send(size: int) -> None:
        services.upload_receive(actor=SYSTEM, upload=upload, path="images/one.jpg", stream=io.BytesIO(b"x" * size))

    monkeypatch.setattr(uploads, "upload_count", counted)
    assert at_once(lambda: send(3), lambda: send(5)) == []
    upload.refresh_from_db()
    (found,) = services.received_files(upload)
    assert found == ("images/one.jpg", upload.byte_count)
    assert upload.file_count == 1


def sweep_between(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, content: bytes) -> Callable[[Job], None]:
    """Sweeps when an app has stored the blob `content` and is about to name it, as `name` of the module does.

    A dataset that was deleted for good held the same bytes. Returns a check that they are there.
    """
    digest, naming = hashlib.sha256(content).hexdigest(), getattr(module, name)
    swept = []

    def named(**arguments: Any) -> Any:
        organization_id = (arguments.get("project") or arguments["attempt"].job).organization_id
        if not swept:
            Blob.objects.create(organization_id=organization_id, sha256=digest, size=len(content))
            assert storage().size(blob_key(organization_id, digest)) == len(content)
            assert at_once(lambda: swept.append(services.sweep())) == []
        return naming(**arguments)

    def check(job: Job) -> None:
        assert len(swept) == 1
        assert storage().read(blob_key(job.organization_id, digest)) == content
        services.sweep()
        assert not Blob.objects.filter(sha256=digest).exists(), "nobody stores now"
        assert storage().read(blob_key(job.organization_id, digest)) == content, "the job's row names it"

    monkeypatch.setattr(module, name, named)
    return check


@pytest.mark.django_db(transaction=True)
def test_a_jobs_file_is_not_swept_before_its_row_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    launcher, content = running(), b"the bytes of a checkpoint"
    check = sweep_between(monkeypatch, ingest, "_file_row", content)
    assert launcher.upload("best.pt", content)[0] == 200
    check(launcher.attempt.job)


@pytest.mark.django_db(transaction=True)
def test_a_picture_to_try_is_not_swept_before_its_row_is_there(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = cast.sample("tried-checkpoint")
    check = sweep_between(monkeypatch, evaluation, "inference_create", PNG)
    files = [SimpleUploadedFile("a.png", PNG)]
    check(evaluation.inference_start(actor=cast.owner.actor, checkpoint=checkpoint, files=files).job)


@pytest.mark.django_db(transaction=True)
def test_nothing_is_swept_while_objects_are_stored() -> None:
    dataset = DatasetFactory()
    upload = uploaded(dataset, dict(shapes()))
    services.upload_cancel(actor=SYSTEM, upload=upload)
    inside, leave = threading.Event(), threading.Event()

    def store() -> None:
        with blobs_shared(dataset.organization_id):
            inside.set()
            leave.wait(30)
        connection.close()

    thread = threading.Thread(target=store)
    thread.start()
    assert inside.wait(30)
    assert services.sweep()["swept"] == 0
    leave.set()
    thread.join(30)
    assert services.sweep()["swept"] == 1
    assert not UploadFolder(upload.pk).root.exists()


@pytest.mark.django_db(transaction=True)
def test_an_upload_in_other_hands_is_left_alone() -> None:
    upload = uploaded(DatasetFactory(), dict(shapes()))
    services.upload_analyse(actor=SYSTEM, upload=upload)
    with upload_lock(upload.pk) as held:
        assert held
        assert at_once(lambda: services.upload_read(upload.pk)) == []
        upload.refresh_from_db()
        assert upload.state == UploadState.ANALYSING
    services.upload_read(upload.pk)
    upload.refresh_from_db()
    assert upload.state == UploadState.READY


@pytest.mark.django_db
def test_a_publication_that_fails_leaves_no_row_and_is_swept() -> None:
    dataset = DatasetFactory()
    upload = ready(dataset, dict(shapes()))
    folder = UploadFolder(upload.pk)
    with (
        mock.patch.object(publishing, "dataset_publish", side_effect=RuntimeError("boom")),
        pytest.raises(RuntimeError),
    ):
        services.upload_store(upload.pk)
    upload.refresh_from_db()
    assert (upload.state, upload.failure["code"]) == (UploadState.FAILED, "publish_failed")
    left = folder.stored.read_text().split()
    assert left and all(storage().size(blob_key(dataset.organization_id, sha256)) for sha256 in left)
    assert not Blob.objects.exists() and not Entry.objects.exists()
    assert services.sweep()["swept"] == 1
    assert not any(storage().size(blob_key(dataset.organization_id, sha256)) for sha256 in left)
    assert not folder.root.exists()


@pytest.mark.django_db
def test_a_sweep_keeps_objects_that_others_name() -> None:
    dataset = published(DatasetFactory(), only("/train/"))
    kept = set(Blob.objects.values_list("sha256", flat=True))
    upload = ready(dataset, dict(shapes()))
    with (
        mock.patch.object(publishing, "dataset_publish", side_effect=RuntimeError("boom")),
        pytest.raises(RuntimeError),
    ):
        services.upload_store(upload.pk)
    noted = set(UploadFolder(upload.pk).stored.read_text().split())
    assert noted and not noted & kept
    services.sweep()
    assert all(storage().size(blob_key(dataset.organization_id, sha256)) for sha256 in kept)


@pytest.mark.django_db
def test_a_database_that_is_away_leaves_the_upload_for_another_try() -> None:
    upload = ready(DatasetFactory(), dict(shapes()))
    with (
        mock.patch.object(publishing, "dataset_publish", side_effect=OperationalError("gone")),
        pytest.raises(OperationalError),
    ):
        services.upload_store(upload.pk)
    upload.refresh_from_db()
    assert upload.state == UploadState.PUBLISHING
    services.upload_store(upload.pk)
    upload.refresh_from_db()
    assert upload.state == UploadState.PUBLISHED


@pytest.mark.django_db
def test_rights_lost_meanwhile_stop_the_publication() -> None:
    dataset = DatasetFactory()
    upload = ready(dataset, dict(shapes()))
    dataset.project.memberships.update(role="viewer")
    services.upload_store(upload.pk)
    upload.refresh_from_db()
    assert (upload.state, upload.failure["code"]) == (UploadState.FAILED, "forbidden")
    assert not Entry.objects.exists() and not Blob.objects.exists()


@pytest.mark.django_db
def test_a_worker_that_died_while_unpacking_is_followed_by_another() -> None:
    dataset = DatasetFactory()
    upload = services.upload_create(actor=SYSTEM, dataset=dataset)
    archive = io.BytesIO(sample_archive(train=2, val=1, size=32))
    services.upload_receive(actor=SYSTEM, upload=upload, path="set.zip", stream=archive)
    services.upload_analyse(actor=SYSTEM, upload=upload)
    half = UploadFolder(upload.pk).unpacking
    half.mkdir()
    (half / "images").write_bytes(b"half")
    services.upload_read(upload.pk)
    upload.refresh_from_db()
    assert upload.state == UploadState.READY and not half.exists()


def _coco(name: str) -> dict[str, bytes]:
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9]}
    rows = {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [box]}
    return {"a.json": json.dumps({**rows, "categories": [{"id": 1, "name": name}]}).encode(), "a.jpg": encoded()}


def _yolo(name: str) -> dict[str, bytes]:
    described = f"train: images\nval: images\nnames: [{json.dumps(name)}]\n".encode()
    return {"data.yaml": described, "images/a.jpg": encoded(), "labels/a.txt": b"0 .5 .5 .1 .1\n"}


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["a\0b", "\ud800"], ids=["nul", "half a character"])
@pytest.mark.parametrize("made", [_coco, _yolo])
def test_a_name_that_is_no_text_is_a_defect_and_not_the_end_of_the_worker(made: Any, name: str, cast: Cast) -> None:
    dataset = DatasetFactory(project=cast.sample("project"))
    upload = uploaded(dataset, made(name))
    assert upload.state == UploadState.REFUSED and set(upload.analysis["defect_counts"]) & {
        "class.name",
        "yaml.invalid",
    }
    archive = zip_of(made(name))
    answer = cast.editor.rest.post(f"/datasets/{dataset.pk}/analyze", archive, content_type="application/octet-stream")
    assert (answer.status_code, answer.json()["ok"]) == (200, False), answer.content


@pytest.mark.django_db
def test_a_set_that_breaks_the_reader_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    upload = uploaded(DatasetFactory(), dict(shapes()))
    services.upload_analyse(actor=SYSTEM, upload=upload)

    def breaks(*_given: Any, **_options: Any) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(reading, "analyse", breaks)
    with pytest.raises(RuntimeError):
        services.upload_read(upload.pk)
    upload.refresh_from_db()
    assert (upload.state, upload.failure["code"]) == (UploadState.FAILED, "unreadable")


@pytest.mark.django_db
def test_of_many_files_the_disk_begins_while_they_are_analysed(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()
    monkeypatch.setattr("apps.datasets.services.blobs.os.sync", begun.set)
    uploaded(DatasetFactory(), dict(shapes()))
    assert not begun.wait(0.1), "few are brought to the disk one by one"
    monkeypatch.setattr("apps.datasets.services.blobs.SINGLE_SYNCS", 0)
    uploaded(DatasetFactory(), dict(shapes()))
    assert begun.wait(20)


@pytest.mark.django_db
def test_lost_messages_are_sent_again_and_idle_uploads_given_up() -> None:
    dataset = DatasetFactory()
    busy = uploaded(dataset, dict(shapes()))
    services.upload_analyse(actor=SYSTEM, upload=busy)
    idle = services.upload_create(actor=SYSTEM, dataset=dataset)
    fresh = services.upload_create(actor=SYSTEM, dataset=dataset)
    long_ago = timezone.now() - timedelta(days=2)
    Upload.objects.filter(pk__in=[busy.pk, idle.pk]).update(updated_at=long_ago)
    with mock.patch.object(messages, "send") as send:
        done = services.sweep()
    send.assert_called_once_with("datasets.read", busy.pk)
    assert (done["given_up"], done["asked_again"], done["swept"]) == (1, 1, 1)
    states = dict(Upload.objects.values_list("pk", "state"))
    assert states == {busy.pk: "analysing", idle.pk: "cancelled", fresh.pk: "receiving"}


@pytest.mark.django_db
def test_blobs_and_folders_of_deleted_datasets_go() -> None:
    dataset = published(DatasetFactory())
    organization_id = dataset.organization_id
    digests = list(Blob.objects.values_list("sha256", flat=True))
    stray = uploads_root() / "nobody"
    stray.mkdir(parents=True)
    os.utime(stray, (0, 0))
    Dataset.objects.filter(pk=dataset.pk).delete()
    done = services.sweep()
    assert done["objects"] == 0 and done["folders"] == 1
    assert not Blob.objects.exists() and all(storage().size(blob_key(organization_id, sha256)) for sha256 in digests)
    LooseObject.objects.update(since=timezone.now() - timedelta(days=9))
    assert services.sweep()["objects"] == len(digests)
    assert not any(storage().size(blob_key(organization_id, sha256)) for sha256 in digests)
    assert not Path(stray).exists()


def test_a_sweep_passes_over_what_a_worker_removes_at_this_moment(tmp_path: Path) -> None:
    """A link to nothing stands for it: it is listed, and not there when it is looked at."""
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "old").mkdir()
    os.utime(tmp_path / "old", (0, 0))
    (tmp_path / "new").mkdir()
    assert list(untouched(tmp_path, 3600)) == [tmp_path / "old"]
    assert list(untouched(tmp_path / "nowhere", 3600)) == []
