"""Exports by workers that die, for people who think better of it, of files that are damaged; and what is swept."""

import hashlib
import os
import random
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from apps.core.storage import storage
from apps.core.storage.keys import blob_key
from apps.core.storage.locks import Family, held, number_of
from apps.core.testing import Cast
from apps.datasets import tasks
from apps.datasets.folders import exports_root
from apps.datasets.models import Blob, Dataset, Export
from apps.datasets.services import (
    dataset_trash,
    export_ask,
    export_cancel,
    export_delete,
    exporting,
    messages,
    sweep,
)
from apps.datasets.services.exports import archive_key
from tests.datasets.test_exports import archive_of
from tests.datasets.test_workers import at_once
from tests.factories.datasets import SYSTEM, DatasetFactory, exported, published, shapes

pytestmark = pytest.mark.django_db


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    return published(DatasetFactory(project=cast.sample("project"), name="Shapes & more"))


def nothing_left(export: Export) -> bool:
    return storage().size(archive_key(export)) is None and not (exports_root() / str(export.pk)).exists()


def test_files_in_quarantine_are_refused_or_left_out_and_named(dataset: Dataset, cast: Cast) -> None:
    path = "images/train/train-0000.jpg"
    Blob.objects.filter(sha256=hashlib.sha256(shapes()[path]).hexdigest()).update(damage="changed")
    base = f"/datasets/{dataset.pk}/export"
    assert cast.viewer.rest.get(f"{base}?format=yolo").json()["damaged"] == 1
    refused = cast.viewer.rest.post(base, {"format": "yolo"})
    assert (refused.status_code, refused.json()["code"]) == (409, "file_damaged")
    for format, left in (("yolo", 4), ("native", 4)):
        export = exported(dataset, format=format, partial=True)
        files = archive_of(export)
        assert (export.left_out_count, export.image_count) == (1, left)
        assert not any(name.endswith("train-0000.jpg") for name in files)
        assert path.encode() in files["export.json"] and path.encode() not in files["SHA256SUMS"]
    Blob.objects.update(damage="")
    whole = exported(dataset, format="yolo")
    assert (whole.left_out_count, whole.image_count) == (0, 5)


def test_other_bytes_are_never_written(dataset: Dataset) -> None:
    """What nobody has noticed yet ends the export, and is in quarantine afterwards."""
    blob = Blob.objects.get(sha256=hashlib.sha256(shapes()["images/val/val-0001.jpg"]).hexdigest())
    path = storage().local_path(blob_key(blob.organization_id, blob.sha256))
    assert path is not None
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-1] + b"?")
    export = exported(dataset, format="yolo")
    blob.refresh_from_db()
    assert (export.state, export.failure, blob.damage) == ("failed", "file_damaged", "changed")
    assert nothing_left(export)
    assert Export.objects.filter(state="ready").count() == 0
    waiting = Export.objects.create(
        dataset=dataset, revision=export.revision, version_name="r1", format="native", content="x"
    )
    tasks.export(str(waiting.pk))
    waiting.refresh_from_db()
    assert (waiting.state, waiting.failure) == ("failed", "file_damaged"), "noticed between asking and writing"


def test_an_archive_is_never_whole_in_memory(cast: Cast) -> None:
    size = 24 << 20
    files = {**shapes(), "notes.md": random.Random(1).randbytes(size)}
    export = export_ask(actor=SYSTEM, dataset=published(DatasetFactory(project=cast.sample("project")), files))
    del files
    tracemalloc.start()
    try:
        tasks.export(str(export.pk))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    export.refresh_from_db()
    assert export.state == "ready" and export.byte_count > size > 3 * peak


def interrupted(monkeypatch: pytest.MonkeyPatch, step: str, act: Callable[[], Any]) -> None:
    """Calls `act` when a worker first notes that it is at a step."""
    note = exporting.export_note
    done: list[bool] = []

    def noting(*, export: Export, progress: dict[str, Any]) -> bool:
        if progress["step"] == step and not done:
            done.append(True)
            act()
        return note(export=export, progress=progress)

    monkeypatch.setattr(exporting, "export_note", noting)
    monkeypatch.setattr(exporting, "PAUSE_SECONDS", 0)


@pytest.mark.parametrize("step", ["labels", "archive"])
@pytest.mark.parametrize("how", ["cancel", "delete", "trash"])
def test_an_export_that_is_wanted_no_more_leaves_nothing(
    dataset: Dataset, cast: Cast, monkeypatch: pytest.MonkeyPatch, step: str, how: str
) -> None:
    export = export_ask(actor=cast.owner.actor, dataset=dataset, format="yolo")
    actor = cast.owner.actor
    acts: dict[str, Callable[[], Any]] = {
        "cancel": lambda: export_cancel(actor=actor, export=export),
        "delete": lambda: export_delete(actor=actor, export=Export.objects.get(pk=export.pk)),
        "trash": lambda: dataset_trash(actor=actor, dataset=dataset),
    }
    interrupted(monkeypatch, step, acts[how])
    tasks.export(str(export.pk))
    found = Export.objects.filter(pk=export.pk).first()
    assert found is None if how == "delete" else found is not None and found.state == "cancelled"
    assert nothing_left(export)


def test_an_export_of_a_dataset_in_the_trash_is_not_begun(dataset: Dataset, cast: Cast) -> None:
    export = export_ask(actor=SYSTEM, dataset=dataset, format="yolo")
    dataset_trash(actor=cast.owner.actor, dataset=dataset)
    tasks.export(str(export.pk))
    export.refresh_from_db()
    assert export.state == "cancelled" and nothing_left(export)
    assert cast.owner.rest.get(f"/datasets/{dataset.pk}/exports/{export.pk}").status_code == 404


def test_a_worker_that_dies_is_followed_by_another_a_few_times(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = export_ask(actor=SYSTEM, dataset=dataset, format="yolo")
    sent: list[Any] = []
    monkeypatch.setattr(messages, "send", lambda name, pk: sent.append((name, pk)))

    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    for attempt in (1, 2, 3):
        with monkeypatch.context() as patched:
            interrupted(patched, "archive", die)
            with pytest.raises(Killed):
                tasks.export(str(export.pk))
        export.refresh_from_db()
        assert (export.state, export.attempt) == ("running", attempt)
        assert sweep()["exports_asked_again"] == 0
        Export.objects.update(updated_at=timezone.now() - timedelta(minutes=2))
        assert sweep()["exports_asked_again"] == 1 and sent.pop() == ("datasets.export", export.pk)
        if attempt == 1:
            Export.objects.filter(pk=export.pk).update(updated_at=timezone.now())
    tasks.export(str(export.pk))
    export.refresh_from_db()
    assert (export.state, export.failure) == ("failed", "interrupted")


def test_the_worker_after_a_dead_one_writes_the_whole(dataset: Dataset) -> None:
    whole = exported(dataset, format="coco")
    sha256 = whole.sha256
    folder = exports_root() / str(whole.pk)
    folder.mkdir(parents=True)
    (folder / "texts").write_bytes(b"left by the dead one")
    Export.objects.filter(pk=whole.pk).update(state="running", expires_at=None, sha256="", progress={"step": "x"})
    tasks.export(str(whole.pk))
    whole.refresh_from_db()
    assert (whole.state, whole.sha256, whole.attempt, whole.progress) == ("ready", sha256, 2, {})
    assert not folder.exists()


def test_trouble_is_told_and_leaves_nothing(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def put(key: str, stream: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage(), "put", put)
    export = exported(dataset, format="yolo")
    assert (export.state, export.failure) == ("failed", "broken") and "again" in str(export.failure_text)
    assert nothing_left(export)
    monkeypatch.undo()
    assert exported(dataset, format="yolo").state == "ready", "a failed one stands in nobody's way"


def test_a_database_that_is_away_leaves_the_export_for_another_try(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise OperationalError("gone")

    export = export_ask(actor=SYSTEM, dataset=dataset, format="yolo")
    with monkeypatch.context() as patched:
        interrupted(patched, "archive", away)
        with pytest.raises(OperationalError):
            tasks.export(str(export.pk))
    export.refresh_from_db()
    assert export.state == "running"
    tasks.export(str(export.pk))
    export.refresh_from_db()
    assert export.state == "ready"


@pytest.mark.django_db(transaction=True)
def test_an_export_in_other_hands_is_left_alone() -> None:
    export = export_ask(actor=SYSTEM, dataset=published(DatasetFactory()), format="yolo")
    with held("pg_try_advisory_lock", "pg_advisory_unlock", Family.EXPORT, number_of(export.pk)) as got:
        assert got
        assert at_once(lambda: tasks.export(str(export.pk))) == []
        export.refresh_from_db()
        assert export.state == "waiting"
    tasks.export(str(export.pk))
    export.refresh_from_db()
    assert export.state == "ready"


@pytest.mark.django_db(transaction=True)
def test_asked_for_twice_at_once_it_is_one(cast: Cast) -> None:
    dataset = published(DatasetFactory(project=cast.sample("project")))
    actors = (cast.owner.actor, cast.viewer.actor)
    asks = [partial(export_ask, actor=actor, dataset=dataset, format="yolo") for actor in actors]
    assert at_once(*asks) == []
    assert Export.objects.filter(dataset=dataset).count() == 1


def test_exports_are_kept_for_some_days_and_swept(dataset: Dataset, cast: Cast, settings: Any) -> None:
    settings.DATASET_EXPORT_DAYS = 2
    export, deleted = exported(dataset, format="yolo"), exported(dataset, format="coco")
    assert timedelta(days=1, hours=23) < export.expires_at - timezone.now() <= timedelta(days=2)
    tasks.exports_sweep()
    assert storage().size(archive_key(export)) == export.byte_count
    export_delete(actor=cast.owner.actor, export=deleted)
    gone = archive_key(deleted)
    deleted.pk = gone.rpartition("/")[2].removesuffix(".zip")
    Export.objects.filter(pk=export.pk).update(expires_at=timezone.now())
    late = cast.viewer.rest.get(f"/datasets/{dataset.pk}/exports/{export.pk}/download")
    assert (late.status_code, late.json()["code"]) == (409, "export_expired")
    assert tasks.exports_sweep() >= 2
    export.refresh_from_db()
    assert export.state == "expired" and storage().size(archive_key(export)) is None
    assert storage().size(gone) is None
    assert exported(dataset, format="yolo").state == "ready", "asked for again it is written again"


def test_what_expired_a_moment_ago_is_written_again_before_any_sweep(dataset: Dataset) -> None:
    export = exported(dataset, format="yolo")
    Export.objects.filter(pk=export.pk).update(expires_at=timezone.now())
    again = exported(dataset, format="yolo")
    export.refresh_from_db()
    assert (again.state, export.state) == ("ready", "expired") and again.pk != export.pk


def test_folders_of_dead_workers_are_swept(dataset: Dataset) -> None:
    live = export_ask(actor=SYSTEM, dataset=dataset, format="yolo")
    for name in (str(live.pk), "of-nobody"):
        (exports_root() / name).mkdir(parents=True)
        os.utime(exports_root() / name, (0, 0))
    tasks.exports_sweep()
    assert (exports_root() / str(live.pk)).exists() and not (exports_root() / "of-nobody").exists()
