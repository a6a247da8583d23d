"""Versions written in a format of choice: what is in the archive, that it says so, and that it is made once."""

import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest

from apps.core.errors import Conflict, Invalid
from apps.core.storage import storage
from apps.core.testing import Cast
from apps.datasets.formats.losses import LOSSES
from apps.datasets.formats.model import TASKS, Annotation
from apps.datasets.formats.packing import SetPack
from apps.datasets.formats.registry import FORMATS
from apps.datasets.formats.writing import WritableItem
from apps.datasets.models import Dataset, Export
from apps.datasets.selectors import contents, exports
from apps.datasets.selectors.exports import preview_of, target_of
from apps.datasets.selectors.versions import version_named
from apps.datasets.services import export_ask, snapshot_create, split_set
from apps.datasets.services.exporting import FACTS, SUMS
from apps.datasets.services.exports import archive_key
from tests.datasets.factories import labels
from tests.datasets.test_tasks_versions import files_of
from tests.factories.datasets import SYSTEM, DatasetFactory, exported, published, shapes

pytestmark = pytest.mark.django_db
#: Every way out: the task of the set, the format, the task that it is written for.
WAYS = [
    (task, found.name, target)
    for task in TASKS
    for found in FORMATS.values()
    for target in found.targets.get(task, ())
]
#: Formats that hold a task as it is, so that nothing but the table of classes may be lost.
HOLDING = [(task, name) for task, name, target in WAYS if task == target and task in FORMATS[name].holds]
HARMLESS = {"colors", "skeleton", "keypoint_names", "class_renamed", "unlabelled_left_out"}


def dataset_of(cast: Cast, task: str, folder: Path) -> Dataset:
    """A published set of `labels.make_set`, one of whose images nobody has labelled."""
    found = DatasetFactory(project=cast.sample("project"), task=task, name="Out & about")
    return published(found, files_of(labels.make_set(task), "dice", folder / "in", task))


def archive_of(export: Export) -> dict[str, bytes]:
    """The members of the archive, each as large as it says."""
    assert export.state == "ready", export.failure
    content = storage().read(archive_key(export))
    assert (len(content), hashlib.sha256(content).hexdigest()) == (export.byte_count, export.sha256)
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


def laid_out(files: dict[str, bytes], folder: Path) -> Path:
    """The archive unpacked, without what it says of itself."""
    for path, content in files.items():
        if path not in (FACTS, SUMS):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    return folder


@pytest.mark.parametrize(("task", "name"), HOLDING)
def test_an_export_is_read_as_the_set_that_came_in(cast: Cast, task: str, name: str, tmp_path: Path) -> None:
    export = exported(dataset_of(cast, task, tmp_path), format=name)
    items, parsed, log = labels.read(laid_out(archive_of(export), tmp_path / "out"), task)
    assert log.errors == 0, log.defects
    assert labels.comparable(labels.again(items, parsed)) == labels.comparable(labels.make_set(task))
    assert {loss["code"] for loss in export.losses} <= HARMLESS
    assert (export.task, export.image_count) == (task, len(items))


@pytest.mark.parametrize(("task", "name", "target"), WAYS)
def test_every_way_out_is_listed_before_and_after(
    cast: Cast, task: str, name: str, target: str, tmp_path: Path
) -> None:
    """The preview, the row and the manifest tell the same losses; every file has its digest; our own reader takes it."""
    dataset = dataset_of(cast, task, tmp_path)
    preview = preview_of(target_of(version_named(dataset, "head"), name, target))
    export = exported(dataset, format=name, task=target)
    files = archive_of(export)
    facts = json.loads(files[FACTS])
    assert preview.losses == export.losses
    assert [(loss["code"], loss["count"], loss["path"]) for loss in facts["losses"]] == [
        (loss["code"], loss["count"], loss["path"]) for loss in export.losses
    ]
    assert all(loss["code"] in LOSSES and str(loss["count"]) in loss["text"] for loss in facts["losses"])
    assert (facts["format"], facts["task"], facts["revision"], facts["left_out"]) == (name, target, 1, [])
    assert (facts["image_count"], facts["object_count"]) == (export.image_count, export.object_count)
    sums = dict(reversed(line.split("  ", 1)) for line in files[SUMS].decode().splitlines())
    assert sums == {path: hashlib.sha256(content).hexdigest() for path, content in files.items() if path != SUMS}
    assert len(files) == export.file_count
    _items, _parsed, log = labels.read(laid_out(files, tmp_path / "out"), target)
    assert log.errors == 0, log.defects


@pytest.mark.parametrize("task", ["segment", "pose", "obb"])
@pytest.mark.parametrize("name", ["yolo", "pascal_voc"])
def test_what_a_detector_learns_from_is_the_boxes_around_the_objects(
    cast: Cast, task: str, name: str, tmp_path: Path
) -> None:
    export = exported(dataset_of(cast, task, tmp_path), format=name, task="detect")
    items, parsed, _log = labels.read(laid_out(archive_of(export), tmp_path / "out"), "detect")
    expected = labels.comparable(labels.as_boxes(labels.make_set(task)))
    found = labels.comparable(labels.again(items, parsed))
    assert found.keys() == expected.keys()
    for key, (split, rows) in expected.items():
        assert found[key][0] == split
        for row, wanted in zip(found[key][1] or (), rows or (), strict=True):
            assert row[:3] == wanted[:3] and row[3] == pytest.approx(wanted[3], abs=0.02)
    assert {"outline_to_box", "keypoints_dropped", "turned_to_box"} & {loss["code"] for loss in export.losses}


def test_masks_become_outlines_where_rows_must_have_them(cast: Cast, tmp_path: Path) -> None:
    made = labels.make_set("segment", images=1)
    mask = Annotation.of([labels.square_mask()])
    made.items[0] = WritableItem("a.jpg", "train", labels.WIDTH, labels.HEIGHT, mask, made.items[0].open)
    dataset = DatasetFactory(project=cast.sample("project"), task="segment")
    published(dataset, {**files_of_set(made, tmp_path / "in")})
    export = exported(dataset, format="yolo")
    assert {loss["code"] for loss in export.losses} >= {"mask_to_outline", "parts_joined"}
    items, _parsed, _log = labels.read(laid_out(archive_of(export), tmp_path / "out"), "segment")
    (shape,) = items[0].annotation.objects
    assert shape.parts[0][:8] == pytest.approx((20, 20, 30, 20, 30, 30, 20, 30), abs=1e-4)


def files_of_set(made: labels.Labelled, folder: Path) -> dict[str, bytes]:
    return files_of(made, "dice", folder, "segment")


def test_native_is_what_came_in_with_digests_and_facts(cast: Cast) -> None:
    files = {**shapes(), "export.json": b"{}", "notes/README.md": "뒤\n".encode()}
    dataset = published(DatasetFactory(project=cast.sample("project")), files)
    kept = {path: content for path, content in files.items() if path != "export.json"}
    export = exported(dataset, format="native")
    found = archive_of(export)
    sums = found.pop(SUMS).decode().splitlines()
    assert json.loads(found.pop(FACTS))["format"] == "native"
    assert found == kept and len(sums) == len(kept) + 1
    assert (export.task, export.split_plan, export.losses) == ("", None, [])
    assert (export.image_count, export.object_count) == (dataset.image_count, dataset.box_count)


def test_a_name_that_a_file_came_in_under_is_left_to_it(cast: Cast) -> None:
    files = {**shapes(), "Export.md": b"mine\n"}
    dataset = published(DatasetFactory(project=cast.sample("project")), files)
    dataset.items.filter(path="Export.md").update(path="Export.json")
    found = archive_of(exported(dataset))
    assert found["Export.json"] == b"mine\n" and json.loads(found["export-2.json"])["format"] == "native"


def test_the_same_version_gives_the_same_bytes(cast: Cast, tmp_path: Path) -> None:
    dataset = dataset_of(cast, "segment", tmp_path)
    for name in ("native", "yolo", "coco"):
        first = exported(dataset, format=name)
        archive = storage().read(archive_key(first))
        first.delete()
        second = exported(dataset, format=name)
        assert second.pk != first.pk and storage().read(archive_key(second)) == archive


def test_what_was_exported_already_is_given_again(cast: Cast) -> None:
    dataset = published(DatasetFactory(project=cast.sample("project")))
    snapshot_create(actor=cast.owner.actor, dataset=dataset, tag="golden")
    waiting = export_ask(actor=cast.viewer.actor, dataset=dataset, format="yolo")
    assert export_ask(actor=cast.owner.actor, dataset=dataset, format="yolo") == waiting
    ready = exported(dataset, format="yolo")
    assert ready == waiting and ready.state == "ready"
    assert exported(dataset, format="yolo", version="golden") == ready, "the tag names the same content"
    assert exported(dataset, format="yolo", task="segment") != ready
    assert exported(dataset, format="coco") != ready
    split_set(actor=cast.owner.actor, dataset=dataset, method="auto", ratios={"train": 0.5, "val": 0.5})
    other = exported(dataset, format="yolo")
    assert other != ready and exported(dataset, format="yolo", version="golden") == ready, "a snapshot has its split"
    assert json.loads(archive_of(other)[FACTS])["split"]["method"] == "auto"
    published(dataset, shapes(seed=4), mode="replace")
    assert exported(dataset, format="yolo").revision.no == 2


def test_images_are_divided_as_the_version_says(cast: Cast) -> None:
    dataset = published(DatasetFactory(project=cast.sample("project")))
    items = {"test": ["images/train/train-0000.jpg"], "train": ["images/val/val-0000.jpg"]}
    split_set(actor=cast.owner.actor, dataset=dataset, method="manual", items=items)
    export = exported(dataset, format="yolo")
    found = {path for path in archive_of(export) if path.startswith("images/")}
    assert {"images/test/train-0000.jpg", "images/train/val-0000.jpg"} <= found
    assert {loss["code"]: loss["count"] for loss in export.losses}["split_default"] == 3


def test_labels_that_have_no_place_are_refused(cast: Cast, tmp_path: Path) -> None:
    dataset = dataset_of(cast, "classify", tmp_path)
    with pytest.raises(Invalid) as refused:
        export_ask(actor=SYSTEM, dataset=dataset, format="pascal_voc")
    assert (refused.value.code, set(refused.value.fields)) == ("export_format", {"format"})
    with pytest.raises(Invalid) as refused:
        export_ask(actor=SYSTEM, dataset=dataset, format="yolo", task="detect")
    assert (refused.value.code, refused.value.params["tasks"]) == ("export_task", ["classify"])
    with pytest.raises(Invalid, match="no version of this name"):
        export_ask(actor=SYSTEM, dataset=dataset, format="yolo", version="never")
    assert not Export.objects.exists()


def test_what_has_no_image_for_the_format_fails_and_says_so(cast: Cast) -> None:
    images = {path: content for path, content in shapes().items() if path.endswith(".jpg")}
    export = exported(published(DatasetFactory(project=cast.sample("project")), images), format="imagefolder")
    assert (export.state, export.failure) == ("failed", "empty") and "No image" in str(export.failure_text)
    assert storage().size(archive_key(export)) is None


def test_a_distant_store_gives_the_same_archive(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = published(DatasetFactory(project=cast.sample("project")))
    near = exported(dataset, format="coco")
    archive = storage().read(archive_key(near))
    near.delete()
    monkeypatch.setattr(type(storage()), "local_path", lambda self, key: None)
    monkeypatch.setattr(contents, "AHEAD", 2)
    monkeypatch.setattr(contents, "PAGE", 2)
    assert storage().read(archive_key(exported(dataset, format="coco"))) == archive


def test_of_many_images_some_are_tried_for_the_losses(
    cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "LOOKED_AT", 3)
    dataset = dataset_of(cast, "segment", tmp_path)
    target = target_of(version_named(dataset, "head"), "pascal_voc")
    preview = preview_of(target)
    assert preview.images == 7 and 0 < preview.looked_at <= 3 and preview.losses
    monkeypatch.setattr(exports, "LOOKED_AT", 2000)
    assert preview_of(target).looked_at == 7
    monkeypatch.setattr(exports, "SECONDS", 0.0)
    assert preview_of(target).looked_at == 1, "a page waits no longer than that"


def test_a_kept_export_is_one_of_few(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.datasets.services.exports.MOST_KEPT", 2)
    dataset = published(DatasetFactory(project=cast.sample("project")))
    for name in ("yolo", "coco"):
        export_ask(actor=SYSTEM, dataset=dataset, format=name)
    with pytest.raises(Conflict) as refused:
        export_ask(actor=SYSTEM, dataset=dataset, format="dice")
    assert refused.value.code == "exports_many" and refused.value.hint
    Export.objects.filter(format="coco").update(state="failed")
    assert export_ask(actor=SYSTEM, dataset=dataset, format="dice").state == "waiting"


# --- The pack


def test_a_pack_keeps_the_order_and_every_byte(tmp_path: Path) -> None:
    pack = SetPack(tmp_path / "pack")
    large = b"x" * (3 << 20)
    document = Path(pack.locate("annotations/one.json"))
    document.write_bytes(large)
    pack.write("labels/가위.txt", "가위\n")
    pack.refer("images/a.jpg", 7, "0" * 64)
    pack.add("empty.txt", ())
    pack.finish()
    pieces = list(pack.pieces())
    assert [piece.path for piece in pieces] == ["labels/가위.txt", "images/a.jpg", "empty.txt", "annotations/one.json"]
    texts = [b"".join(pack.read(piece.offset, piece.size)) for piece in pieces if piece.offset is not None]
    assert texts == ["가위\n".encode(), b"", large] and pieces[1].offset is None
    assert [piece.sha256 for piece in pieces if piece.offset is not None] == [
        hashlib.sha256(text).hexdigest() for text in texts
    ]
    assert (pack.files, pack.content_bytes) == (4, sum(piece.size for piece in pieces))
    assert pack.name_bytes == sum(len(piece.path.encode()) for piece in pieces)
    with pytest.raises(EOFError):
        list(pack.read(0, len(large) + 100))
    pack.close()
    assert not document.exists()


def test_every_format_says_for_which_tasks_it_takes_labels() -> None:
    assert {task for task, _name, _target in WAYS} == set(TASKS)
    for found in FORMATS.values():
        assert all(set(targets) <= set(found.holds) for targets in found.targets.values())
        assert all(found.targets[task][0] == task for task in found.holds)
    assert [(task, target) for task, name, target in WAYS if (name, target) == ("yolo", "pose")] == [("pose", "pose")]
