"""From upload to training over REST, with real archives and pictures."""

import hashlib
import io
import json
import time
from typing import Any

import pytest
from PIL import Image

from apps.core.errors import Conflict
from apps.core.storage import storage
from apps.core.storage.keys import blob_key
from apps.core.testing import Cast, RestClient
from apps.datasets import tasks
from apps.datasets.folders import UploadFolder
from apps.datasets.models import AnnotationDocument, Blob, Dataset, Entry, Item, Revision, Upload
from apps.datasets.samples import sample_archive, sample_files
from apps.datasets.selectors import manifest_lines, snapshot_has_blob
from apps.datasets.services import snapshot_for_training
from tests.datasets.factories.documents import annotation, coco_files, document, written
from tests.datasets.factories.images import encoded, oriented_jpeg, png
from tests.factories.datasets import published, shapes

pytestmark = pytest.mark.django_db


class Sender:
    """A program that uploads into one dataset; the workers' tasks run at once."""

    def __init__(self, client: RestClient, dataset_id: Any) -> None:
        self.client = client
        self.base = f"/datasets/{dataset_id}"
        self.upload = ""

    def open(self, **body: Any) -> dict[str, Any]:
        answer = self.client.post(f"{self.base}/uploads", body)
        assert answer.status_code == 201, answer.content
        self.upload = f"{self.base}/uploads/{answer.json()['id']}"
        return answer.json()

    def put(self, path: str, content: bytes) -> Any:
        return self.client.put(f"{self.upload}/files?path={path}", content, content_type="application/octet-stream")

    def analyze(self, **body: Any) -> dict[str, Any]:
        answer = self.client.post(f"{self.upload}/analyze", body)
        assert answer.status_code == 202, answer.content
        tasks.read(answer.json()["id"])
        return self.get()

    def publish(self, **body: Any) -> dict[str, Any]:
        answer = self.client.post(f"{self.upload}/publish", body)
        assert answer.status_code == 202, answer.content
        tasks.store(answer.json()["id"])
        return self.get()

    def get(self) -> dict[str, Any]:
        answer = self.client.get(self.upload)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def send(self, files: dict[str, bytes], **body: Any) -> dict[str, Any]:
        self.open(**body)
        for path, content in files.items():
            assert self.put(path, content).status_code == 200
        assert self.analyze()["state"] == "ready"
        return self.publish()


@pytest.fixture
def dataset(cast: Cast) -> dict[str, Any]:
    body = {"project_id": str(cast.sample("project").pk), "name": "Shapes"}
    answer = cast.editor.rest.post("/datasets", body)
    assert answer.status_code == 201, answer.content
    return answer.json()


@pytest.fixture
def sender(cast: Cast, dataset: dict[str, Any]) -> Sender:
    return Sender(cast.editor.rest, dataset["id"])


def rows() -> dict[str, int]:
    models = (Blob, AnnotationDocument, Item, Entry, Revision)
    return {model.__name__: model.objects.count() for model in models}


def test_an_archive_becomes_a_revision_within_two_seconds(sender: Sender, cast: Cast) -> None:
    archive = sample_archive()
    sender.open()
    began = time.process_time()  # whatever else the machine does
    assert sender.put("shapes.zip", archive).status_code == 200
    found = sender.analyze()
    assert found["state"] == "ready", found
    assert found["analysis"]["format"] == "yolo" and found["analysis"]["images"] == 300
    done = sender.publish()
    assert time.process_time() - began < 2
    assert (done["state"], done["revision"]) == ("published", 1)
    shown = cast.viewer.rest.get(sender.base).json()
    assert (shown["revision"], shown["image_count"], shown["labelled_count"], shown["file_count"]) == (
        1,
        300,
        300,
        601,
    )
    assert [found["name"] for found in shown["classes"]] == ["circle", "square", "triangle"]
    assert all(found["images"] for found in shown["classes"])
    assert not UploadFolder(done["id"]).root.exists()


def test_single_files_keep_every_byte(sender: Sender, cast: Cast) -> None:
    files = shapes()
    sender.send(files)
    organization_id = cast.sample("organization").pk
    entries = Entry.objects.select_related("item", "blob")
    stored = {entry.item.path: storage().read(blob_key(organization_id, entry.blob.sha256)) for entry in entries}
    assert stored == files


def test_an_interrupted_upload_tells_what_has_arrived(sender: Sender) -> None:
    sender.open()
    first = sender.put("images/train/a.jpg", b"abc")
    assert first.json() == {
        "path": "images/train/a.jpg",
        "size": 3,
        "sha256": hashlib.sha256(b"abc").hexdigest(),
        "kept": True,
    }
    sender.put("images/train/a.jpg", b"abcd")
    assert sender.put("__MACOSX/x", b"x").json()["kept"] is False
    found = sender.get()
    assert found["files"] == [{"path": "images/train/a.jpg", "size": 4}]
    assert (found["file_count"], found["byte_count"]) == (1, 4)


def test_nothing_is_sent_twice_into_a_closed_upload(sender: Sender) -> None:
    sender.open()
    empty = sender.client.post(f"{sender.upload}/analyze", {})
    assert (empty.status_code, empty.json()["code"]) == (409, "upload_empty")
    sender.put("a.zip", sample_archive(train=2, val=1, size=64))
    sender.analyze()
    late = sender.put("b.jpg", b"x")
    assert (late.status_code, late.json()["code"]) == (409, "upload_state")
    assert sender.publish()["state"] == "published"
    again = sender.client.post(f"{sender.upload}/publish", {})
    assert (again.status_code, again.json()["code"]) == (409, "upload_state")


def test_an_upload_with_errors_is_not_published_unless_leniently(sender: Sender) -> None:
    files = dict(shapes())
    label = next(path for path in files if path.startswith("labels/train/"))
    files[label] += b"99 0.5 0.5 0.1 0.1\n"
    sender.open()
    for path, content in files.items():
        sender.put(path, content)
    before = rows()
    found = sender.analyze()
    assert found["state"] == "refused"
    defect = found["analysis"]["defects"][0]
    assert (defect["code"], defect["path"]) == ("yolo.class_range", label)
    assert defect["line"] == files[label].count(b"\n") and "99" in defect["detail"] and defect["hint"]
    refused = sender.client.post(f"{sender.upload}/publish", {})
    assert (refused.status_code, refused.json()["code"]) == (400, "upload_refused")
    assert refused.json()["hint"] and refused.json()["params"]["first"]["path"] == label
    assert rows() == before
    assert sender.analyze(lenient=True)["state"] == "ready"
    assert sender.publish()["state"] == "published"
    assert Dataset.objects.get().box_count == sum(
        content.count(b"\n") for path, content in shapes().items() if path.startswith("labels/")
    )


def test_the_same_upload_again_makes_no_revision(sender: Sender) -> None:
    sender.send(shapes())
    before = rows()
    done = sender.send(shapes())
    assert (done["state"], done["revision"]) == ("published", 1)
    assert rows() == before


def test_an_upload_adds_and_replaces_files(sender: Sender) -> None:
    sender.send(shapes())
    more = dict(sample_files(train=4, val=2, size=64, seed=0))
    changed = dict(more)
    image = "images/train/train-0000.jpg"
    changed[image] = shapes(seed=5)[image]
    done = sender.send(changed)
    assert done["revision"] == 2
    assert Revision.objects.get(no=2).counts | {"bytes": 0} == {
        "images": 6,
        "labelled": 6,
        "boxes": Revision.objects.get(no=2).counts["boxes"],
        "files": 13,
        "bytes": 0,
        "added": 2,
        "changed": 1,
        "removed": 0,
    }
    head = Entry.objects.head(done["dataset_id"])
    assert head.count() == 13
    assert Entry.objects.at(done["dataset_id"], 1).count() == len(shapes())


def test_replacing_removes_what_the_upload_does_not_name(sender: Sender) -> None:
    sender.send(shapes())
    done = sender.send(dict(sample_files(train=1, val=1, size=64, seed=0)), mode="replace")
    counts = Revision.objects.get(no=done["revision"]).counts
    assert (counts["images"], counts["removed"], counts["added"]) == (2, 6, 0)


def test_classes_are_merged_by_name(sender: Sender, cast: Cast) -> None:
    sender.send(shapes())
    other = {
        "images/train/new.jpg": shapes(seed=9)["images/train/train-0000.jpg"],
        "labels/train/new.txt": b"0 0.5 0.5 0.5 0.5\n1 0.25 0.25 0.5 0.5\n",
        "data.yaml": b"train: images/train\nnames: [star, circle]\n",
    }
    sender.send(other)
    shown = cast.viewer.rest.get(sender.base).json()
    assert [(found["id"], found["name"]) for found in shown["classes"]] == [
        (0, "circle"),
        (1, "square"),
        (2, "triangle"),
        (3, "star"),
    ]
    listed = cast.viewer.rest.get(f"{sender.base}/images?search=new.jpg").json()["results"]
    assert [image["class_ids"] for image in listed] == [[0, 3]]


def test_numbers_without_names_mean_the_classes_of_the_dataset(sender: Sender) -> None:
    sender.send(shapes())
    picture = shapes(seed=9)["images/train/train-0000.jpg"]
    sender.send({"images/train/n.jpg": picture, "labels/train/n.txt": b"2 0.5 0.5 0.5 0.5\n"})
    assert len(Revision.objects.get(no=2).classes) == 3
    sender.open()
    sender.put("images/train/m.jpg", picture)
    sender.put("labels/train/m.txt", b"7 0.5 0.5 0.5 0.5\n")
    sender.analyze()
    failed = sender.publish()
    assert (failed["state"], failed["failure"]["code"]) == ("failed", "class_range")


def test_pictures_without_labels_keep_those_they_have(sender: Sender) -> None:
    sender.send(shapes())
    pictures = {path: content for path, content in shapes().items() if path.endswith(".jpg")}
    sender.send(pictures)
    assert Dataset.objects.get().labelled_count == len(pictures)


def test_images_are_listed_by_class_split_label_and_name(sender: Sender, cast: Cast) -> None:
    files = {**shapes(), "images/train/plain.jpg": shapes(seed=3)["images/train/train-0001.jpg"]}
    sender.send(files)
    client = cast.viewer.rest

    def listed(query: str) -> list[dict[str, Any]]:
        answer = client.get(f"{sender.base}/images{query}")
        assert answer.status_code == 200, answer.content
        return answer.json()["results"]

    assert [image["path"] for image in listed("")] == sorted(path for path in files if path.endswith(".jpg"))
    assert {image["split"] for image in listed("?split=val")} == {"val"}
    assert [image["path"] for image in listed("?labelled=false")] == ["images/train/plain.jpg"]
    assert all(1 in image["class_ids"] for image in listed("?class_id=1"))
    assert listed("?split=none") == []
    first = client.get(f"{sender.base}/images?page_size=4").json()
    second = client.get(first["next"]).json()
    assert len(first["results"]) == 4 and len(second["results"]) == 2 and second["next"] is None
    assert client.get(f"{sender.base}/images?split=nowhere").status_code == 400
    assert client.get(f"{sender.base}/images/{2**63}").status_code == 404


def test_an_image_has_its_labels_its_bytes_and_a_small_copy_without_metadata(sender: Sender, cast: Cast) -> None:
    original = oriented_jpeg(6, gps=True, width=320, height=200)
    sender.send({"images/train/a b.jpg": original, "labels/train/a b.txt": b"0 0.5 0.5 0.5 0.5\n"})
    client = cast.viewer.rest
    listed = client.get(f"{sender.base}/images").json()["results"][0]
    one = f"{sender.base}/images/{listed['id']}"
    detail = client.get(one).json()
    assert (detail["width"], detail["height"]) == (200, 320)
    assert detail["annotations"] == [{"class": 0, "bbox": [50.0, 80.0, 100.0, 160.0]}]
    whole = client.get(f"{one}/content?v={listed['sha256'][:16]}")
    assert whole.content == original
    assert whole["Content-Disposition"] == 'attachment; filename="a b.jpg"'
    assert whole["X-Content-Type-Options"] == "nosniff" and "immutable" in whole["Cache-Control"]
    again = client.get(f"{one}/content", headers={"If-None-Match": whole["ETag"]})
    assert again.status_code == 304
    small = client.get(f"{one}/thumbnail?size=128")
    picture = Image.open(io.BytesIO(small.content))
    assert picture.format == "WEBP" and picture.size == (80, 128) and not picture.getexif()
    assert "no-cache" in small["Cache-Control"]
    assert client.get(f"{one}/thumbnail?size=129").status_code == 400


def test_an_analysis_at_once_stores_nothing(sender: Sender, cast: Cast) -> None:
    before = rows()
    answer = cast.editor.rest.post(
        f"{sender.base}/analyze", sample_archive(train=2, val=1, size=64), content_type="application/zip"
    )
    assert answer.status_code == 200, answer.content
    assert answer.json()["ok"] and answer.json()["images"] == 3
    assert rows() == before and not Upload.objects.exists()


def test_preview_of_an_analysed_upload(sender: Sender) -> None:
    sender.open()
    for path, content in shapes().items():
        sender.put(path, content)
    shown = sender.analyze()["analysis"]["preview"]
    answer = sender.client.get(f"{sender.upload}/preview?path={shown[0]['path']}")
    assert answer.status_code == 200 and answer["Content-Type"] == "image/webp"
    assert sender.client.get(f"{sender.upload}/preview?path=data.yaml").status_code == 404
    assert sender.client.get(f"{sender.upload}/preview?path=../items.jsonl").status_code == 404


def test_a_training_gets_the_manifest_of_the_contract(sender: Sender, cast: Cast) -> None:
    sender.send(shapes())
    dataset = Dataset.objects.get()
    snapshot = snapshot_for_training(actor=cast.viewer.actor, dataset=dataset)
    lines = [json.loads(line) for line in manifest_lines(snapshot)]
    assert lines[0] == {
        "contract": 1,
        "name": "Shapes",
        "task": "detect",
        "root_hash": snapshot.root_hash,
        "classes": [{"id": 0, "name": "circle"}, {"id": 1, "name": "square"}, {"id": 2, "name": "triangle"}],
        "counts": {"train": 3, "val": 2, "test": 0},
        "split": {
            "level": "default",
            "method": "uploaded",
            "seed": 0,
            "ratios": {},
            "pattern": "",
            "moved_count": 0,
            "digest": snapshot.split_digest,
        },
    }
    images = {path: content for path, content in shapes().items() if path.endswith(".jpg")}
    assert [line["path"] for line in lines[1:]] == sorted(images)
    for line in lines[1:]:
        content = images[line["path"]]
        assert line["sha256"] == hashlib.sha256(content).hexdigest() and line["size"] == len(content)
        assert line["split"] == line["path"].split("/")[1]
        assert (line["width"], line["height"]) == (64, 64)
        assert all(set(found) == {"class", "bbox"} for found in line["annotations"])
        assert snapshot_has_blob(snapshot, line["sha256"])
    assert not snapshot_has_blob(snapshot, hashlib.sha256(shapes()["data.yaml"]).hexdigest())


def test_pictures_that_cannot_be_decoded_are_found_in_the_background(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    # Header and trailer are right; what lies between is no picture.
    broken = png(8, 8, pixels=b"too short")
    files = {"images/train/bad.png": broken, "labels/train/bad.txt": b"0 0.5 0.5 0.5 0.5\n"}
    published(dataset, files, person=cast.owner.user)
    assert tasks.decode(str(dataset.pk)) == 1
    sound = dict(Blob.objects.filter(entries__is_image=True).values_list("entries__item__path", "is_sound"))
    assert sound.pop("images/train/bad.png") is False
    assert set(sound.values()) == {True}
    with pytest.raises(Conflict) as refused:
        snapshot_for_training(actor=cast.owner.actor, dataset=dataset)
    assert (refused.value.code, refused.value.params["path"]) == ("image_broken", "images/train/bad.png")
    published(dataset, {**files, "images/train/bad.png": encoded("PNG")}, person=cast.owner.user)
    assert tasks.decode(str(dataset.pk)) == 0
    assert snapshot_for_training(actor=cast.owner.actor, dataset=dataset).counts["train"] == 2


def test_a_document_that_takes_the_place_of_another_is_told_before_it_does(
    cast: Cast, dataset: dict[str, Any]
) -> None:
    """The labels stay, but a ZIP of the files as they came would lack those that only the first document has."""
    name = "annotations/instances.json"
    first = coco_files(document(annotation(1, 1), annotation(2, 2)), name=name)
    sender = Sender(cast.editor.rest, dataset["id"])
    sender.send(first)

    def warnings(files: dict[str, bytes]) -> list[tuple[str, dict[str, Any]]]:
        sender.open()
        for path, content in files.items():
            sender.put(path, content)
        found = sender.analyze()
        assert found["state"] == "ready"
        defects = found["analysis"]["defects"]
        told = [defect for defect in defects if defect["code"] == "set.labels_replaced"]
        assert found["analysis"]["warnings"] >= len(told)
        assert all("2 images" in defect["detail"] and defect["hint"] for defect in told)
        return [(defect["path"], defect["params"]) for defect in told]

    new = document(annotation(1, 3), images=[{"id": 3, "file_name": "3.jpg", "width": 32, "height": 24}])
    image = {"images/3.jpg": encoded(seed=3)}
    assert warnings({**image, name: written(new)}) == [(name, {"images": 2})]
    assert warnings({**image, "annotations/more.json": written(new)}) == []
    whole = document(annotation(1, 1, bbox=[1, 1, 5, 5]), annotation(2, 2))
    assert warnings({**first, name: written(whole)}) == []
    assert warnings(first) == []
