"""From an upload in a format that datumaro reads to a revision, through REST and the pages; and where it is off."""

from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from apps.core.errors import Conflict
from apps.core.testing import Cast
from apps.datasets import foreign, services
from apps.datasets.archives import walk
from apps.datasets.defects import BadInput
from apps.datasets.folders import UploadFolder
from apps.datasets.foreign import environment
from apps.datasets.models import Blob, Dataset, Entry, Upload, UploadState
from apps.datasets.services.reading import upload_read
from tests.datasets.foreign.support import cvat_boxes, cvat_outlines, kitti
from tests.datasets.test_flow import Sender
from tests.factories.datasets import SYSTEM, uploaded

pytestmark = pytest.mark.django_db


@pytest.fixture
def sender(cast: Cast) -> Sender:
    body = {"project_id": str(cast.sample("project").pk), "name": "Shapes"}
    return Sender(cast.editor.rest, cast.editor.rest.post("/datasets", body).json()["id"])


@pytest.fixture
def switched_on(settings: Any, python: Path, cache: Path) -> None:
    settings.DATASET_DATUMARO = True
    settings.CACHE_DIR = cache


@pytest.mark.usefixtures("switched_on")
def test_a_set_becomes_a_revision_and_keeps_the_bytes_of_its_pictures(sender: Sender, cast: Cast) -> None:
    files = cvat_boxes().files
    sender.open()
    for path, content in files.items():
        assert sender.put(path, content).status_code == 200

    told = sender.analyze()["analysis"]
    assert (told["format"], told["labelled"]) == ("images", 0)

    found = sender.analyze(format="datumaro:cvat")
    assert (found["state"], found["format"]) == ("ready", "datumaro:cvat"), found["analysis"]["defects"]
    assert found["analysis"]["format"] == "datumaro:cvat"
    assert [(one["name"], one["boxes"]) for one in found["analysis"]["classes"]] == [("cat", 1), ("강아지", 1)]
    shown = cast.editor.rest.get(f"{sender.upload}/preview?path=images/a.jpg")
    assert (shown.status_code, shown["Content-Type"]) == (200, "image/webp")
    page = cast.editor.portal.get(f"/datasets/{sender.base.rpartition('/')[2]}/uploads/{found['id']}/")
    assert "CVAT for images (XML)" in page.content.decode()

    done = sender.publish()

    assert (done["state"], done["revision"]) == ("published", 1)
    for name in "abc":
        entry = Entry.objects.get(item__path=f"images/{name}.jpg")
        answer = cast.editor.rest.get(f"{sender.base}/images/{entry.item_id}/content")
        assert b"".join(answer) == files[f"images/{name}.jpg"]
    assert {entry.item.path for entry in Entry.objects.filter(is_image=False)} == {"annotations.json"}
    assert not UploadFolder(done["id"]).root.exists()


@pytest.mark.usefixtures("switched_on")
def test_the_format_is_told_and_what_is_left_out_is_warned_of(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    Dataset.objects.filter(pk=dataset.pk).update(task="segment")
    upload = uploaded(dataset, cvat_outlines().files)
    services.upload_analyse(actor=SYSTEM, upload=upload, format="datumaro")
    upload_read(upload.pk)
    upload.refresh_from_db()
    assert (upload.state, upload.analysis["format"]) == (UploadState.READY, "datumaro:cvat")
    counts = upload.analysis["defect_counts"]
    assert (counts["datumaro.lines"], counts["datumaro.other_kinds"]) == (1, 1)

    # Another look without it finds what was there before.
    services.upload_analyse(actor=SYSTEM, upload=upload, format="")
    upload_read(upload.pk)
    upload.refresh_from_db()
    assert (upload.format, upload.analysis["format"], upload.analysis["labelled"]) == ("", "images", 0)
    assert not UploadFolder(upload.pk).converted.exists()


@pytest.mark.usefixtures("switched_on")
def test_a_damaged_set_is_refused_and_leaves_nothing(sender: Sender, cast: Cast) -> None:
    files = cvat_boxes().files
    before = Blob.objects.count()
    sender.open()
    for path, content in files.items():
        sender.put(path, content[:-200] if path == "annotations.xml" else content)
    found = sender.analyze(format="datumaro:cvat")
    (defect,) = found["analysis"]["defects"]
    assert (found["state"], defect["code"], defect["path"]) == ("refused", "datumaro.unreadable", "annotations.xml")
    assert "CVAT for images (XML)" in defect["detail"]
    assert cast.editor.rest.post(f"{sender.upload}/publish", {}).status_code == 400
    assert not UploadFolder(found["id"]).converted.exists()
    assert Blob.objects.count() == before


@pytest.mark.usefixtures("switched_on")
def test_the_report_names_the_file_that_cannot_be_read(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    files = {**kitti().files, "training/label_2/000001.txt": b"Car 1 2\n"}
    upload = uploaded(dataset, files)
    services.upload_analyse(actor=SYSTEM, upload=upload, format="datumaro:kitti_detection")
    upload_read(upload.pk)
    upload.refresh_from_db()
    assert upload.state == UploadState.REFUSED
    page = cast.editor.portal.get(reverse("datasets:upload-detail", args=[dataset.pk, upload.pk])).content.decode()
    assert "training/label_2/000001.txt" in page and "KITTI Detection" in page
    cast.editor.portal.post(reverse("datasets:upload-lenient", args=[dataset.pk, upload.pk]))
    upload.refresh_from_db()
    assert (upload.lenient, upload.format) == (True, "datumaro:kitti_detection")


@pytest.mark.usefixtures("switched_on")
def test_pages_offer_the_formats_and_ask_for_the_one_chosen(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    page = cast.editor.portal.get(reverse("datasets:upload", args=[dataset.pk])).content.decode()
    assert '<option value="datumaro:cvat">CVAT for images (XML)</option>' in page
    upload = uploaded(dataset, cvat_boxes().files)
    answer = cast.editor.portal.post(
        reverse("datasets:upload-analyse", args=[dataset.pk, upload.pk]), {"format": "datumaro:cvat"}
    )
    assert answer.status_code == 302
    upload.refresh_from_db()
    assert (upload.state, upload.format) == (UploadState.ANALYSING, "datumaro:cvat")
    upload_read(upload.pk)
    upload.refresh_from_db()
    assert upload.state == UploadState.READY
    folder = cast.sample("server-folder")
    sent = {"folder": str(folder.pk), "path": "shapes", "format": "datumaro:kitti_detection"}
    cast.editor.portal.post(reverse("datasets:import-folder", args=[dataset.pk]), sent)
    assert Upload.objects.get(state=UploadState.FETCHING).format == "datumaro:kitti_detection"


def test_where_it_is_off_the_choice_is_shown_with_the_reason(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    off = foreign.reason_off()
    assert "switched" in off
    listed = cast.editor.rest.get("/datasets/formats").json()
    assert {found["format"]: found["is_available"] for found in listed} == {
        **dict.fromkeys(("yolo", "coco", "pascal_voc", "imagefolder", "dice"), True),
        **dict.fromkeys(foreign.FORMATS, False),
    }
    assert all(found["reason"] == ("" if found["is_available"] else off) for found in listed)
    for route in ("upload", "import-address", "import-bucket"):
        page = cast.editor.portal.get(reverse(f"datasets:{route}", args=[dataset.pk])).content.decode()
        select = page[page.index('<select name="format"') :].partition(">")[0]
        assert "disabled" in select
        assert off in page


@pytest.mark.parametrize(
    ("name", "status", "code"), [("datumaro:cvat", 409, "format_off"), ("datumaro:cifar", 400, "invalid")]
)
def test_what_is_not_read_here_is_refused_before_anything_happens(
    sender: Sender, cast: Cast, name: str, status: int, code: str
) -> None:
    sender.open()
    sender.put("a.jpg", b"picture")
    answer = cast.editor.rest.post(f"{sender.upload}/analyze", {"format": name})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    body = {"source": "address", "url": "https://example.com/a.zip", "format": name}
    answer = cast.editor.rest.post(f"{sender.base}/import", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert sender.get()["state"] == "receiving"
    assert not Upload.objects.filter(state=UploadState.FETCHING).exists()


def test_an_upload_whose_reading_is_switched_off_meanwhile_is_refused(cast: Cast) -> None:
    upload = uploaded(cast.sample("dataset"), cvat_boxes().files)
    Upload.objects.filter(pk=upload.pk).update(state=UploadState.ANALYSING, format="datumaro:cvat")
    upload_read(upload.pk)
    upload.refresh_from_db()
    assert (upload.state, upload.analysis["defect_counts"]) == (UploadState.REFUSED, {"datumaro.off": 1})


def test_an_environment_that_cannot_be_built_is_told_and_the_upload_is_kept(
    cast: Cast, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATASET_DATUMARO, settings.CACHE_DIR = True, tmp_path
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"attrs==0.0.1 --hash=sha256:{'0' * 64}\n")
    monkeypatch.setattr(environment, "LOCK", lock)
    monkeypatch.setenv("UV_OFFLINE", "1")
    upload = uploaded(cast.sample("dataset"), cvat_boxes().files)
    services.upload_analyse(actor=SYSTEM, upload=upload, format="datumaro:cvat")
    upload_read(upload.pk)
    upload.refresh_from_db()
    assert (upload.state, upload.analysis["defect_counts"]) == (UploadState.REFUSED, {"datumaro.not_built": 1})
    # The portal's own look at it needs nothing of that.
    services.upload_analyse(actor=SYSTEM, upload=upload, format="")
    upload_read(upload.pk)
    upload.refresh_from_db()
    assert (upload.state, upload.analysis["images"]) == (UploadState.READY, 3)


def test_where_a_process_cannot_be_shut_in_nothing_is_read(
    cast: Cast, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATASET_DATUMARO = True
    upload = uploaded(cast.sample("dataset"), cvat_boxes().files)
    monkeypatch.setattr(environment, "lack", lambda: "the kernel has no Landlock")
    with pytest.raises(Conflict, match="no Landlock") as refused:
        services.upload_analyse(actor=SYSTEM, upload=upload, format="datumaro:cvat")
    assert refused.value.code == "format_off"
    with pytest.raises(BadInput) as bad:
        foreign.convert(walk(UploadFolder(upload.pk).analysed), Path("/nowhere"), "datumaro:cvat", task="detect")
    assert bad.value.code == "datumaro.unconfined"
