"""What is done with versions is done with labels of every task: comparing, restoring, splitting, giving them out."""

import html
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from apps.core.testing import Cast
from apps.datasets.formats.model import TASKS
from apps.datasets.models import Dataset, Entry
from apps.datasets.selectors import manifest_lines
from apps.datasets.selectors.compare import Comparison
from apps.datasets.selectors.versions import version_named
from apps.datasets.services import snapshot_for_training, split_set, version_restore
from tests.datasets.factories import labels
from tests.factories.datasets import SYSTEM, DatasetFactory, published

pytestmark = pytest.mark.django_db
WAYS = {
    "detect": ("yolo", "pascal_voc"),
    "segment": ("coco", "yolo"),
    "pose": ("yolo", "coco"),
    "obb": ("dice", "yolo"),
    "classify": ("imagefolder", "dice"),
}
CASES = [(task, way) for task in TASKS for way in WAYS[task]]
#: What an object of a task has beside its class.
KEYS = {"segment": "polygon", "pose": "keypoints", "obb": "corners", "detect": "bbox"}


def files_of(made: labels.Labelled, way: str, folder: Path, task: str) -> dict[str, bytes]:
    labels.write(way, made, folder, task)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def grown(cast: Cast, task: str, folder: Path) -> Dataset:
    """A dataset of two revisions: the same images, of which some have other labels in the second."""
    found = DatasetFactory(project=cast.sample("project"), task=task, created_by=cast.owner.user)
    for made, name in ((labels.make_set(task), "first"), (relabelled(task), "second")):
        published(found, files_of(made, "dice", folder / name, task), person=cast.owner.user, mode="replace")
    return found


def relabelled(task: str) -> labels.Labelled:
    """The images of `make_set` with the labels that another seed gives them."""
    made, other = labels.make_set(task), labels.make_set(task, seed=1)
    for item, another in zip(made.items, other.items, strict=True):
        object.__setattr__(item, "annotation", another.annotation)
    return made


def documents(dataset: Dataset, no: int) -> dict[str, Any]:
    rows = Entry.objects.at(dataset.pk, no).images().select_related("item", "annotation")
    return {row.item.path: row.annotation.document if row.annotation else None for row in rows}


def drawn(page: str) -> list[list[dict[str, Any]]]:
    """What the pictures of a page are told to draw."""
    return [json.loads(html.unescape(part.partition('"')[0])) for part in page.split('data-boxes="')[1:]]


@pytest.mark.parametrize("task", TASKS)
def test_labels_of_every_task_are_compared_and_drawn_before_and_after(cast: Cast, task: str, tmp_path: Path) -> None:
    dataset = grown(cast, task, tmp_path)
    old, new = documents(dataset, 1), documents(dataset, 2)
    differing = {path for path in old if old[path] != new[path]}
    assert differing, "the second set is labelled otherwise"

    asked = f"dataset_id={dataset.pk}&before=r1&after=r2"
    counts = cast.viewer.rest.get(f"/datasets/compare?{asked}").json()
    assert counts["images"]["annotations"] == len(differing)
    assert sum(row["after"] for row in counts["classes"]) == sum(
        len({found["class"] for found in document["objects"]}) for document in new.values() if document
    )
    rows = cast.viewer.rest.get(f"/datasets/compare/images?{asked}").json()["results"]
    assert {row["path"] for row in rows} == differing
    for row in rows:
        assert row["before"]["annotations"] == old[row["path"]]["objects"]
        assert row["after"]["annotations"] == new[row["path"]]["objects"]

    page = cast.viewer.portal.get(f"/datasets/{dataset.pk}/compare/?before=r1&after=r2").content.decode()
    shown = [found for picture in drawn(page) for found in picture]
    expected = [found for path in differing for side in (old, new) for found in side[path]["objects"]]
    assert len(shown) == len(expected)
    assert all(KEYS.get(task, "class") in found for found in shown)
    assert ("skeleton" in html.unescape(page)) is (task == "pose"), "lines between keypoints come with the classes"


@pytest.mark.parametrize("task", TASKS)
def test_restored_labels_are_those_of_then(cast: Cast, task: str, tmp_path: Path) -> None:
    dataset = grown(cast, task, tmp_path)
    version_restore(actor=SYSTEM, dataset=dataset, version="r1")
    assert documents(dataset, 3) == documents(dataset, 1) != documents(dataset, 2)
    dataset.refresh_from_db()
    assert dataset.box_count == sum(len(found["objects"]) for found in documents(dataset, 1).values() if found)
    assert Comparison(dataset, version_named(dataset, "r1"), version_named(dataset, "r3")).page().rows == []


@pytest.mark.parametrize("method", ["stratified", "grouped"])
@pytest.mark.parametrize("task", TASKS)
def test_computed_splits_divide_sets_of_every_task(cast: Cast, task: str, method: str, tmp_path: Path) -> None:
    dataset = DatasetFactory(project=cast.sample("project"), task=task, created_by=cast.owner.user)
    made = labels.make_set(task, images=12)
    published(dataset, files_of(made, "dice", tmp_path, task), person=cast.owner.user)
    ratios = {"train": 0.5, "val": 0.5, "test": 0.0}
    pattern = "[0-9]+" if method == "grouped" else ""
    split_set(actor=SYSTEM, dataset=dataset, method=method, seed=3, ratios=ratios, pattern=pattern)

    dataset.refresh_from_db()
    head, *lines = map(json.loads, manifest_lines(snapshot_for_training(actor=SYSTEM, dataset=dataset)))
    labelled = sum(item.annotation is not None for item in made.items)
    assert sum(head["counts"].values()) == len(lines) == labelled
    # Images of several classes are dealt out for their classes; groups of one image each divide evenly.
    allowed = labelled // 3 if method == "stratified" else 1
    assert abs(head["counts"]["train"] - head["counts"]["val"]) <= allowed
    if method == "stratified":
        assert_even([line for line in lines if line["annotations"]])
    page = cast.viewer.portal.get(f"/datasets/{dataset.pk}/classes/")
    assert page.status_code == 200


def assert_even(lines: list[dict[str, Any]]) -> None:
    """Every class that two images or more have is in both splits."""
    holders: dict[int, list[str]] = {}
    for line in lines:
        for number in {found["class"] for found in line["annotations"]}:
            holders.setdefault(number, []).append(line["split"])
    assert all(set(splits) == {"train", "val"} for splits in holders.values() if len(splits) > 1), holders


@pytest.mark.parametrize(("task", "way"), CASES, ids=[f"{task}-{way}" for task, way in CASES])
def test_sets_of_every_format_go_out_byte_for_byte(cast: Cast, task: str, way: str, tmp_path: Path) -> None:
    files = files_of(labels.make_set(task), way, tmp_path, task)
    dataset = DatasetFactory(project=cast.sample("project"), task=task, created_by=cast.owner.user)
    published(dataset, files, person=cast.owner.user)
    answer = cast.viewer.rest.get(f"/datasets/{dataset.pk}/download")
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files
    page = cast.owner.portal.get(f"/datasets/{dataset.pk}/files/")
    assert page.status_code == 200


def test_a_comparison_names_classes_that_are_drawn_otherwise(cast: Cast, tmp_path: Path) -> None:
    dataset = DatasetFactory(project=cast.sample("project"), task="pose", created_by=cast.owner.user)
    made = labels.make_set("pose")
    for name, skeleton in (("first", ((0, 1), (0, 2))), ("second", ((1, 2),))):
        made.classes = (made.classes[0]._replace(skeleton=skeleton),)
        published(dataset, files_of(made, "dice", tmp_path / name, "pose"), person=cast.owner.user, mode="replace")

    found = cast.viewer.rest.get(f"/datasets/compare?dataset_id={dataset.pk}&before=r1&after=r2").json()
    assert (found["redefined"], found["renumbered"], found["images"]["annotations"]) == (["person"], [], 0)
    page = cast.viewer.portal.get(f"/datasets/{dataset.pk}/compare/?before=r1&after=r2").content.decode()
    assert "another colour, other keypoints" in page
    same = cast.viewer.rest.get(f"/datasets/compare?dataset_id={dataset.pk}&before=r1&after=r1").json()
    assert same["redefined"] == []
