"""Exports of images that were chosen: just these, as they were when they were asked for, through every door."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from apps.audit.models import AuditEvent
from apps.core.errors import Conflict, Invalid
from apps.core.storage import storage
from apps.core.testing import Cast, PermissionMatrix, RestClient, captured_queries
from apps.datasets import tasks
from apps.datasets.models import Blob, Dataset, Entry, Export
from apps.datasets.selectors import ImageFilter, choosing
from apps.datasets.services import (
    ImageChoice,
    export_ask,
    images_delete,
    images_move,
    snapshot_create,
)
from apps.datasets.services.exporting import FACTS, SUMS
from apps.datasets.services.exports import archive_key
from tests.datasets.factories import labels
from tests.datasets.test_downloads import body_of
from tests.datasets.test_export_doors import events
from tests.datasets.test_exports import archive_of, dataset_of, laid_out
from tests.factories.apikeys import key_of
from tests.factories.datasets import SYSTEM, DatasetFactory, exported, published, shapes

pytestmark = pytest.mark.django_db
FIRST, SECOND, VAL = "images/train/train-0000.jpg", "images/train/train-0001.jpg", "images/val/val-0000.jpg"
FORMATS = ("native", "yolo", "coco", "pascal_voc", "imagefolder", "dice")


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    """Three images to train on and two to validate."""
    return published(DatasetFactory(project=cast.sample("project"), name="Shapes"), person=cast.owner.user)


def item(dataset: Dataset, path: str) -> int:
    return int(dataset.items.get(path=path).pk)


def chosen(dataset: Dataset, *paths: str) -> ImageChoice:
    return ImageChoice(items=[item(dataset, path) for path in paths])


def content_of(export: Export) -> dict[str, bytes]:
    """The files of the set, without what the archive says of itself."""
    return {path: content for path, content in archive_of(export).items() if path not in (FACTS, SUMS)}


# --- What is in it


@pytest.mark.parametrize("format", FORMATS)
def test_just_the_chosen_images_are_in_it_with_every_byte(dataset: Dataset, format: str) -> None:
    export = exported(dataset, format=format, choice=chosen(dataset, FIRST, VAL))
    files = archive_of(export)
    pictures = sorted(content for path, content in files.items() if path.endswith(".jpg"))
    assert pictures == sorted((shapes()[FIRST], shapes()[VAL]))
    assert (export.image_count, export.chosen_count, export.version_image_count) == (2, 2, 5)
    facts = json.loads(files[FACTS])
    assert (facts["chosen"], facts["image_count"]) == ({"images": 2, "of": 5}, 2)
    sums = dict(reversed(line.split("  ", 1)) for line in files[SUMS].decode().splitlines())
    assert sums == {path: hashlib.sha256(content).hexdigest() for path, content in files.items() if path != SUMS}
    assert len(files) == export.file_count


@pytest.mark.parametrize("task", ["detect", "segment", "classify"])
def test_labels_of_chosen_images_are_those_of_the_whole_set(cast: Cast, task: str, tmp_path: Path) -> None:
    dataset = dataset_of(cast, task, tmp_path)
    whole = exported(dataset, format="dice")
    paths = [path for path in content_of(whole) if path.endswith(".jpg")][1:4]
    rows = Entry.objects.head(dataset.pk).images()
    digests = [hashlib.sha256(content_of(whole)[path]).hexdigest() for path in paths]
    some = exported(
        dataset,
        format="dice",
        choice=ImageChoice(items=list(rows.filter(blob__sha256__in=digests).values_list("item_id", flat=True))),
    )

    def read(export: Export, folder: str) -> Any:
        items, parsed, log = labels.read(laid_out(archive_of(export), tmp_path / folder), task)
        assert log.errors == 0, log.defects
        return labels.comparable(labels.again(items, parsed))

    everything, found = read(whole, "whole"), read(some, "some")
    assert len(found) == 3 and found == {key: everything[key] for key in found}


@pytest.mark.parametrize("format", FORMATS)
def test_all_images_chosen_make_the_set_of_the_whole_version(dataset: Dataset, format: str) -> None:
    whole = content_of(exported(dataset, format=format))
    every = content_of(exported(dataset, format=format, choice=ImageChoice(matching=ImageFilter())))
    assert every == {path: content for path, content in whole.items() if format != "native" or path != "data.yaml"}


def test_as_they_came_they_bring_their_own_labels_and_nothing_that_speaks_of_others(dataset: Dataset) -> None:
    found = content_of(exported(dataset, choice=chosen(dataset, FIRST, VAL)))
    own = [FIRST, VAL, "labels/train/train-0000.txt", "labels/val/val-0000.txt"]
    assert found == {path: shapes()[path] for path in own}


def test_a_document_of_many_images_stays(cast: Cast, tmp_path: Path) -> None:
    dataset = dataset_of(cast, "detect", tmp_path)
    path = Entry.objects.head(dataset.pk).images().order_by("item__path").values_list("item__path", flat=True)[0]
    export = exported(dataset, choice=chosen(dataset, path))
    assert list(content_of(export)) == [path] and export.image_count == 1


def test_an_export_of_the_whole_says_nothing_of_choosing(dataset: Dataset) -> None:
    """Its bytes, and the digest by which it is known again, are what they were before images could be chosen."""
    export = exported(dataset, format="yolo")
    facts = json.loads(archive_of(export)[FACTS])
    assert list(facts) == [
        *("kind", "version", "dataset", "revision", "format", "task", "split", "classes"),
        *("image_count", "object_count", "losses", "left_out", "digests"),
    ]
    split = export.split_plan.digest
    known = f'{{"format":"yolo","left_out":[],"revision":1,"split":"{split}","task":"detect","version":1}}'
    assert export.content == hashlib.sha256(known.encode()).hexdigest()
    assert (export.chosen, export.chosen_count) == (None, None)


@pytest.mark.parametrize("format", ["native", "yolo", "coco"])
def test_what_happens_later_changes_nothing_of_it(dataset: Dataset, cast: Cast, format: str) -> None:
    """Between the question and the worker one image is deleted, one moved, and others come in."""
    wanted = chosen(dataset, FIRST, VAL)
    before = exported(dataset, format=format, choice=wanted)
    archive = storage().read(archive_key(before))
    before.delete()
    export = export_ask(actor=SYSTEM, dataset=dataset, format=format, choice=wanted)
    images_move(actor=SYSTEM, dataset=dataset, choice=chosen(dataset, VAL), split="test")
    images_delete(actor=SYSTEM, dataset=dataset, choice=chosen(dataset, FIRST))
    published(dataset, shapes(seed=4), mode="replace")
    tasks.export(str(export.pk))
    export.refresh_from_db()
    assert export.revision.no == 1 and storage().read(archive_key(export)) == archive


def test_the_same_images_are_the_same_export_and_others_are_not(dataset: Dataset) -> None:
    first = exported(dataset, format="coco", choice=chosen(dataset, FIRST, VAL))
    assert exported(dataset, format="coco", choice=chosen(dataset, VAL, FIRST, VAL)) == first
    by_filter = ImageChoice(matching=ImageFilter(search="train-0000"))
    assert exported(dataset, format="coco", choice=by_filter) != first
    assert exported(dataset, format="coco") != first
    assert exported(dataset, format="yolo", choice=chosen(dataset, FIRST, VAL)) != first
    snapshot_create(actor=SYSTEM, dataset=dataset, tag="golden")
    assert exported(dataset, format="coco", version="golden", choice=chosen(dataset, FIRST, VAL)) == first


def test_only_damage_to_the_chosen_images_matters(dataset: Dataset) -> None:
    Blob.objects.filter(sha256=hashlib.sha256(shapes()[SECOND]).hexdigest()).update(damage="changed")
    assert exported(dataset, format="yolo", choice=chosen(dataset, FIRST)).state == "ready"
    with pytest.raises(Conflict) as refused:
        export_ask(actor=SYSTEM, dataset=dataset, format="yolo", choice=chosen(dataset, FIRST, SECOND))
    assert refused.value.code == "file_damaged"
    for format in ("yolo", "native"):
        export = exported(dataset, format=format, partial=True, choice=chosen(dataset, FIRST, SECOND))
        assert (export.image_count, export.left_out_count, export.chosen_count) == (1, 1, 2)


# --- What is refused


def test_what_cannot_be_exported_makes_nothing(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = published(DatasetFactory(project=dataset.project), shapes(seed=5))
    label = item(dataset, "labels/train/train-0000.txt")
    kept = item(dataset, SECOND)
    images_delete(actor=SYSTEM, dataset=dataset, choice=chosen(dataset, FIRST))
    dataset.refresh_from_db()
    gone = chosen(dataset, FIRST).items[0]
    for foreign in (item(elsewhere, FIRST), label, gone, 2**62):
        with pytest.raises(Conflict, match="1 of the images is not") as conflict:
            export_ask(actor=SYSTEM, dataset=dataset, format="yolo", choice=ImageChoice(items=[kept, foreign]))
        assert conflict.value.code == "images_gone"
    for nothing in (ImageChoice(), ImageChoice(matching=ImageFilter(search="nowhere"))):
        with pytest.raises(Invalid, match="No image is chosen"):
            export_ask(actor=SYSTEM, dataset=dataset, format="yolo", choice=nothing)
    with pytest.raises(Invalid) as refused:
        export_ask(actor=SYSTEM, dataset=dataset, format="yolo", version="r1", choice=chosen(dataset, SECOND))
    assert (refused.value.code, set(refused.value.fields)) == ("images_of_earlier", {"version"})
    monkeypatch.setattr(choosing, "MOST_IMAGES", 3)
    for many in (ImageChoice(matching=ImageFilter()), ImageChoice(items=[kept, label, gone, 7])):
        with pytest.raises(Invalid, match="At most 3"):
            export_ask(actor=SYSTEM, dataset=dataset, format="yolo", choice=many)
    assert not Export.objects.exists()


def test_the_database_keeps_no_export_of_no_image(dataset: Dataset) -> None:
    export = export_ask(actor=SYSTEM, dataset=dataset, format="yolo", choice=chosen(dataset, FIRST))
    with pytest.raises(IntegrityError, match="export_chosen_some"), transaction.atomic():
        Export.objects.filter(pk=export.pk).update(chosen=[])


def test_images_without_a_label_make_no_folders_of_classes(cast: Cast) -> None:
    bare = {**shapes(), "labels/train/train-0000.txt": b""}
    dataset = published(DatasetFactory(project=cast.sample("project")), bare)
    export = exported(dataset, format="imagefolder", choice=chosen(dataset, FIRST))
    assert (export.state, export.failure) == ("failed", "empty")


# --- Who did it


def test_one_event_names_the_dataset_and_every_image(dataset: Dataset, cast: Cast) -> None:
    wanted = chosen(dataset, FIRST, VAL)
    export = exported(dataset, actor=cast.viewer.actor, format="yolo", choice=wanted)
    base = f"/datasets/{dataset.pk}/exports/{export.pk}"
    body_of(cast.viewer.rest.get(f"{base}/download"))
    assert cast.viewer.rest.delete(base).status_code == 204
    for kind, key in (("datasets.dataset", dataset.pk), ("datasets.item", wanted.items[1])):
        history = cast.manager.rest.get(f"/audit-logs/entity/{kind}/{key}").json()["results"]
        (asked,) = [row for row in history if row["action"] == "dataset.export_images_requested"]
        assert {found["id"] for found in asked["about"]} == set(map(str, wanted.items))
        assert (asked["facts"]["count"], asked["facts"]["export"]) == (2, str(export.pk))
    for what in ("downloaded", "deleted"):
        (event,) = events(f"dataset.export_images_{what}")
        assert (event["count"], event["export"]) == (2, str(export.pk))
    waiting = export_ask(actor=cast.viewer.actor, dataset=dataset, format="coco", choice=wanted)
    cast.viewer.rest.post(f"/datasets/{dataset.pk}/exports/{waiting.pk}/cancel")
    assert len(events("dataset.export_images_cancelled")) == 1
    assert not AuditEvent.objects.filter(action__startswith="dataset.export_re").exists(), "no version was exported"


def test_many_images_cost_as_many_statements_as_one(dataset: Dataset) -> None:
    def ask(*paths: str) -> int:
        wanted = chosen(dataset, *paths)
        return len(captured_queries(lambda: exported(dataset, choice=wanted)))

    ask(SECOND)
    assert ask(FIRST) == ask(FIRST, SECOND, VAL)


# --- REST


class TestDoors(PermissionMatrix):
    portal = """
                                                       owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    POST  /datasets/{dataset}/images/export/           302    =       =       404     302      =      404    404       302        302
    POST  /datasets/{dataset}/images/export/choice/    200    =       =       404     200      =      404    404       302        200
    """


def test_chosen_watched_and_fetched_by_a_program(dataset: Dataset, cast: Cast) -> None:
    base = f"/datasets/{dataset.pk}"
    body = {"format": "coco", "images": list(chosen(dataset, FIRST, VAL).items)}
    asked = cast.viewer.rest.post(f"{base}/export", body)
    assert (asked.status_code, asked.json()["chosen_count"], asked.json()["version_image_count"]) == (202, 2, 5)
    tasks.export(asked.json()["id"])
    again = cast.viewer.rest.post(f"{base}/export", body)
    assert (again.status_code, again.json()["id"], again.json()["image_count"]) == (200, asked.json()["id"], 2)
    answer = cast.viewer.rest.get(f"{base}/exports/{asked.json()['id']}/download")
    assert "shapes-r1-coco-2-of-5.zip" in answer["Content-Disposition"]
    assert len(body_of(answer)) == again.json()["byte_count"]
    by_filter = cast.viewer.rest.post(f"{base}/export", {"format": "coco", "matching": {"split": "train"}})
    assert by_filter.json()["chosen_count"] == 3
    whole = cast.viewer.rest.post(f"{base}/export", {"format": "coco"})
    assert whole.json()["chosen_count"] is None
    listed = cast.viewer.rest.get(f"{base}/exports").json()["results"]
    assert [row["chosen_count"] for row in listed] == [None, 3, 2]


def test_rest_tells_what_is_wrong_with_the_choice(dataset: Dataset, cast: Cast) -> None:
    elsewhere = published(DatasetFactory(), shapes(seed=5))
    some = list(chosen(dataset, FIRST).items)
    for wrong, status, code in (
        ({"images": []}, 400, "invalid"),
        ({"images": None}, 400, "invalid"),
        ({"images": "all"}, 400, "invalid"),
        ({"images": [0]}, 400, "invalid"),
        ({"images": [2**63]}, 400, "invalid"),
        ({"images": ["x"]}, 400, "invalid"),
        ({"images": [1] * 5001}, 400, "invalid"),
        ({"images": some, "matching": {}}, 400, "invalid"),
        ({"matching": {"size": "huge"}}, 400, "invalid"),
        ({"matching": {"search": "nowhere"}}, 400, "images_none"),
        ({"images": [*some, item(elsewhere, FIRST)]}, 409, "images_gone"),
    ):
        answer = cast.viewer.rest.post(f"/datasets/{dataset.pk}/export", {"format": "yolo", **wrong})
        assert (answer.status_code, answer.json()["code"]) == (status, code), wrong
    looking = RestClient(key_of(cast.viewer, "datasets.view_dataset", name="looking")[1])
    body = {"format": "yolo", "images": some}
    assert looking.post(f"/datasets/{dataset.pk}/export", body).status_code == 403
    assert cast.stranger.rest.post(f"/datasets/{dataset.pk}/export", body).status_code == 404
    assert not Export.objects.exists()


# --- Pages


def test_the_grid_leads_to_an_export_of_what_is_chosen(dataset: Dataset, cast: Cast) -> None:
    """As a viewer, who may change nothing here."""
    choice, export = (reverse(f"datasets:images-export{name}", args=[dataset.pk]) for name in ("-choice", ""))
    grid = cast.viewer.portal.get(reverse("datasets:detail", args=[dataset.pk]), {"split": "train"}).content.decode()
    assert f'hx-post="{choice}?split=train"' in grid and 'id="export-choice"' in grid
    items = [str(found) for found in chosen(dataset, FIRST, VAL).items]
    dialog = cast.viewer.portal.post(choice, {"item": items}).content.decode()
    assert "2 images of revision 1" in dialog and f'formaction="{export}"' in dialog and "<html" not in dialog
    dialog = cast.viewer.portal.post(choice, {"item": items, "format": "imagefolder"}).content.decode()
    assert "The objects of an image become its class. Images: 2." in dialog
    dialog = cast.viewer.portal.post(choice, {"item": items, "format": "native"}).content.decode()
    assert "4 files of revision 1" in dialog and "Files that describe more than one image" in dialog
    assert not Export.objects.exists(), "nothing was begun"

    answer = cast.viewer.portal.post(export, {"item": items, "format": "coco", "task": "detect"})
    assert answer["Location"] == reverse("datasets:exports", args=[dataset.pk])
    tasks.export(str(Export.objects.get().pk))
    assert "2 of 5 images chosen" in cast.viewer.portal.get(answer["Location"]).content.decode()
    cast.viewer.portal.post(f"{export}?split=train", {"all": "1", "item": items[:1], "format": "coco"})
    assert Export.objects.latest("pk").chosen_count == 3
    cast.viewer.portal.post(answer["Location"], {"format": "dice"})
    assert "5 of 5" not in cast.viewer.portal.get(answer["Location"]).content.decode(), "of the whole nothing is said"


def test_the_dialog_says_what_stands_in_the_way(dataset: Dataset, cast: Cast) -> None:
    choice, export = (reverse(f"datasets:images-export{name}", args=[dataset.pk]) for name in ("-choice", ""))
    elsewhere = published(DatasetFactory(), shapes(seed=5))
    for wrong, told in (
        ({}, "No image is chosen"),
        ({"item": ["x", "9" * 30, "-1"]}, "No image is chosen"),
        ({"item": [str(item(elsewhere, FIRST))]}, "1 of the images is not in the dataset any more"),
    ):
        dialog = cast.viewer.portal.post(choice, wrong).content.decode()
        assert told in dialog and "formaction" not in dialog
        page = cast.viewer.portal.post(f"{export}?split=val", {**wrong, "format": "yolo"}, follow=True)
        assert told in page.content.decode() and page.redirect_chain[-1][0].endswith("/?split=val")
    some = [str(item(dataset, FIRST))]
    page = cast.viewer.portal.post(export, {"item": some, "format": "pdf"}, follow=True).content.decode()
    assert "Choose a format" in page
    Blob.objects.filter(sha256=hashlib.sha256(shapes()[FIRST]).hexdigest()).update(damage="missing")
    assert "Without the 1 file that is damaged" in cast.viewer.portal.post(choice, {"item": some}).content.decode()
    other = {"item": [str(item(dataset, VAL))]}
    assert "that is damaged" not in cast.viewer.portal.post(choice, other).content.decode()
    assert not Export.objects.exists()
