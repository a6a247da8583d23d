"""Datasets of every task, from upload to page and training; classes renamed on the way in."""

import html
import json
from pathlib import Path
from typing import Any

import pytest
from modelyard_trainer.dataset import TEACHES

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.testing import Cast
from apps.datasets import tasks
from apps.datasets.formats.model import TASKS
from apps.datasets.models import Dataset, Entry, Revision, Task
from apps.datasets.selectors import manifest_lines
from apps.datasets.services import snapshot_for_training
from tests.datasets.factories import labels
from tests.datasets.factories.documents import annotation, coco_files, document
from tests.datasets.factories.sets import yolo_files
from tests.factories.datasets import SYSTEM, DatasetFactory, published, uploaded

pytestmark = pytest.mark.django_db
WAYS = {"detect": "pascal_voc", "segment": "coco", "pose": "coco", "obb": "dice", "classify": "imagefolder"}


def files_of(task: str, folder: Path) -> dict[str, bytes]:
    """A set of the task in one of its formats, path → bytes."""
    labels.write(WAYS[task], labels.make_set(task), folder, task)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def dataset_of(cast: Cast, task: str = "detect") -> Dataset:
    return DatasetFactory(project=cast.sample("project"), task=task, created_by=cast.owner.user)


def publish(cast: Cast, upload: Any, **body: Any) -> Any:
    address = f"/datasets/{upload.dataset_id}/uploads/{upload.pk}"
    answer = cast.owner.rest.post(f"{address}/publish", body)
    if answer.status_code == 202:
        tasks.store(answer.json()["id"])
        return cast.owner.rest.get(address)
    return answer


def test_tasks_of_datasets_are_those_of_the_model() -> None:
    assert tuple(Task.values) == TASKS == tuple(TEACHES)


@pytest.mark.parametrize("task", TASKS)
def test_labels_of_every_task_are_kept_shown_and_handed_to_trainings(cast: Cast, task: str, tmp_path: Path) -> None:
    files = files_of(task, tmp_path)
    dataset = published(dataset_of(cast, task), files, person=cast.owner.user)

    made = labels.make_set(task)
    objects = sum(len(item.annotation.objects) for item in made.items if item.annotation is not None)
    assert (dataset.image_count, dataset.box_count, dataset.file_count) == (7, objects, len(files))
    entry = Entry.objects.head(dataset.pk).images().filter(box_count__gt=0).order_by("item__path").first()
    shown = cast.owner.rest.get(f"/datasets/{dataset.pk}/images/{entry.item_id}")
    assert shown.status_code == 200
    assert shown.json()["annotations"] == entry.annotation.document["objects"]

    page = cast.owner.portal.get(f"/datasets/{dataset.pk}/images/{entry.item_id}/")
    drawn = json.loads(html.unescape(page.content.decode().partition('data-boxes="')[2].partition('"')[0]))
    assert [set(found) for found in drawn] == [set(found) for found in entry.annotation.document["objects"]]
    assert cast.owner.portal.get(f"/datasets/{dataset.pk}/").status_code == 200

    head, *lines = map(json.loads, manifest_lines(snapshot_for_training(actor=SYSTEM, dataset=dataset)))
    assert (head["task"], [found["name"] for found in head["classes"]]) == (task, [one.name for one in made.classes])
    assert sum(len(line["annotations"]) for line in lines) == objects
    assert all("bbox" in found for line in lines for found in line["annotations"]) is (task != "classify")


@pytest.mark.parametrize(
    ("task", "word"),
    [
        ("detect", "centre x"),
        ("segment", "point of its outline"),
        ("pose", "kpt_shape"),
        ("obb", "four corners"),
        ("classify", "train/cat/0001.jpg"),
    ],
)
def test_the_page_of_an_upload_says_how_labels_of_the_task_are_written(cast: Cast, task: str, word: str) -> None:
    page = cast.owner.portal.get(f"/datasets/{dataset_of(cast, task).pk}/upload/")
    assert page.status_code == 200 and word in page.content.decode()


def test_keypoints_and_colours_stay_with_the_class_table(cast: Cast, tmp_path: Path) -> None:
    dataset = published(dataset_of(cast, "pose"), files_of("pose", tmp_path), person=cast.owner.user)
    (found,) = cast.owner.rest.get(f"/datasets/{dataset.pk}").json()["classes"]
    assert (found["name"], found["keypoints"], found["skeleton"]) == (
        "person",
        ["head", "left hand", "right hand"],
        [[0, 1], [0, 2]],
    )


def test_outlines_into_a_dataset_of_boxes_are_told_and_taken_as_boxes(cast: Cast) -> None:
    files = coco_files(document(annotation(segmentation=[[2, 3, 12, 3, 12, 11]])))
    upload = uploaded(dataset_of(cast), files)
    assert (upload.state, upload.analysis["defect_counts"]["coco.shapes_left_out"]) == ("ready", 1)
    assert publish(cast, upload).json()["state"] == "published"
    entry = Entry.objects.filter(dataset=upload.dataset, box_count=1).get()
    assert entry.annotation.document == {"objects": [{"bbox": [2.0, 3.0, 10.0, 8.0], "class": 0}], "version": 1}


def test_the_task_is_chosen_while_a_dataset_is_empty(cast: Cast) -> None:
    dataset = dataset_of(cast)
    changed = cast.owner.rest.patch(f"/datasets/{dataset.pk}", {"task": "segment"})
    assert (changed.status_code, changed.json()["task"]) == (200, "segment")
    assert cast.owner.portal.get(f"/datasets/{dataset.pk}/edit/").content.count(b'name="task"') == 1

    refused = cast.owner.rest.patch(f"/datasets/{cast.sample('dataset').pk}", {"task": "segment"})
    assert (refused.status_code, refused.json()["code"]) == (409, "task_fixed")
    page = cast.owner.portal.get(f"/datasets/{cast.sample('dataset').pk}/edit/")
    assert b'name="task"' not in page.content


def test_classes_are_renamed_merged_and_left_out_on_the_way_in(cast: Cast) -> None:
    label = b"0 .5 .5 .5 .5\n1 .3 .3 .2 .2\n2 .7 .7 .2 .2\n"
    yaml = b"names: [cat, dog, car]\ntrain: images/train\nval: images/val\n"
    upload = uploaded(dataset_of(cast), yolo_files(label, yaml=yaml))

    done = publish(cast, upload, classes={"cat": "animal", "dog": "animal", "car": None})

    assert (done.json()["state"], done.json()["class_map"]) == (
        "published",
        {"cat": "animal", "dog": "animal", "car": None},
    )
    revision = Revision.objects.get(dataset=upload.dataset)
    assert (revision.classes, revision.counts["boxes"]) == ([{"id": 0, "name": "animal"}], 4)
    event = AuditEvent.objects.get(action="dataset.publish_requested", entity_id=str(upload.pk))
    (told,) = readable([event])
    assert told.params["classes"] == {"cat": "animal", "dog": "animal", "car": None}


def test_renamed_classes_meet_those_of_the_dataset(cast: Cast) -> None:
    dataset = published(dataset_of(cast), yolo_files(), person=cast.owner.user)
    more = {path.replace("/0.", "/9."): data for path, data in yolo_files(train=1, val=0).items()}
    more["data.yaml"] = b"names: [kitten, puppy]\ntrain: images/train\nval: images/train\n"
    publish(cast, uploaded(dataset, more), classes={"kitten": "cat"})
    dataset.refresh_from_db()
    revision = Revision.objects.get(dataset=dataset, no=dataset.revision_no)
    assert [found["name"] for found in revision.classes] == ["cat", "dog", "puppy"]
    entry = Entry.objects.head(dataset.pk).get(item__path="images/train/9.jpg")
    assert entry.class_ids == [0]


@pytest.mark.parametrize(
    "classes",
    [{"bird": "cat"}, {"cat": "=cmd()"}, {"cat": ""}, {"cat": "a\nb"}],
    ids=["unknown", "formula", "empty", "line"],
)
def test_a_mapping_that_cannot_be_followed_is_refused_with_the_name(cast: Cast, classes: dict[str, str]) -> None:
    upload = uploaded(dataset_of(cast), yolo_files())
    refused = publish(cast, upload, classes=classes)
    assert refused.status_code == 400
    upload.refresh_from_db()
    assert upload.state == "ready"


def test_a_training_refuses_labels_that_it_cannot_learn_from(cast: Cast, tmp_path: Path) -> None:
    whole = published(dataset_of(cast, "classify"), files_of("classify", tmp_path / "a"), person=cast.owner.user)
    outlines = published(dataset_of(cast, "segment"), files_of("segment", tmp_path / "b"), person=cast.owner.user)
    body = {
        "name": "Detector",
        "project_id": str(cast.sample("project").pk),
        "trainer": "ultralytics",
        "resource_group_id": str(cast.sample("resource-group").pk),
    }
    refused = cast.owner.rest.post("/training-jobs", {**body, "dataset_id": str(whole.pk)})
    assert (refused.status_code, refused.json()["code"]) == (400, "dataset_task")
    assert "dataset_id" in refused.json()["errors"]
    taken = cast.owner.rest.post("/training-jobs", {**body, "dataset_id": str(outlines.pk)})
    assert taken.status_code == 201, taken.content


def test_classes_are_renamed_and_left_out_on_the_page(cast: Cast) -> None:
    upload = uploaded(
        dataset_of(cast), yolo_files(yaml=b"names: [cat, dog, car]\ntrain: images/train\nval: images/val\n")
    )
    address = f"/datasets/{upload.dataset_id}/uploads/{upload.pk}/"
    page = cast.owner.portal.get(address).content.decode()
    assert 'name="class-0" value="cat"' in page

    form = {"mode": "add", "note": "", "class-0": "animal", "class-1": "animal", "class-2": ""}
    assert cast.owner.portal.post(f"{address}publish/", form).status_code == 302
    upload.refresh_from_db()
    assert upload.class_map == {"cat": "animal", "dog": "animal", "car": None}


def test_a_name_that_may_not_be_is_refused_on_the_page_in_words(cast: Cast) -> None:
    upload = uploaded(dataset_of(cast), yolo_files())
    address = f"/datasets/{upload.dataset_id}/uploads/{upload.pk}/"
    form = {"mode": "add", "note": "", "class-0": "=cmd()", "class-1": "dog"}
    answer = cast.owner.portal.post(f"{address}publish/", form, follow=True)
    assert "cannot be mapped" in answer.content.decode()
    upload.refresh_from_db()
    assert upload.state == "ready"
