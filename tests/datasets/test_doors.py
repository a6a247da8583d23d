"""The bad inputs of test_bad_inputs.py, sent through the REST doors: a clear 4xx, and nothing written.

An archive goes to `analyze`, which answers at once; a set whose archive is sound goes the whole way, and is refused when
it is to be published.
"""

import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.core.errors import Invalid
from apps.core.testing import Cast
from apps.datasets import tasks
from apps.datasets.archives import Limits
from apps.datasets.folders import UploadFolder, uploads_root
from apps.datasets.models import Blob, Entry, Item, Revision, Upload
from apps.datasets.services import reading, room, sweep, uploads
from apps.organizations.models import Organization
from tests.datasets.factories import archives
from tests.datasets.factories.sets import yolo_files
from tests.datasets.test_bad_inputs import ARCHIVES, IMAGES, ROWS
from tests.factories.datasets import DatasetFactory
from tests.security.report import BAD_INPUT, bad_names

pytestmark = [pytest.mark.django_db, pytest.mark.security(BAD_INPUT, "uploads over REST")]
#: Takes a name and what docs/security.md says under it.
Record = Callable[[str, Any], None]
OCTETS = "application/octet-stream"


@pytest.fixture
def base(cast: Cast) -> str:
    return f"/datasets/{DatasetFactory(project=cast.sample('project')).pk}"


@pytest.fixture(autouse=True)
def nothing_written(request: pytest.FixtureRequest) -> Iterator[None]:
    """No row of content, no temporary folder; what an upload received goes with the upload."""
    before = set(Path(tempfile.gettempdir()).glob("modelyard-analyse-*"))
    yield
    assert set(Path(tempfile.gettempdir()).glob("modelyard-analyse-*")) <= before
    for model in (Blob, Item, Entry, Revision):
        assert not model.objects.exists()
    Upload.objects.exclude(state="cancelled").update(state="cancelled")
    sweep()
    assert not any((uploads_root() / str(pk)).exists() for pk in Upload.objects.values_list("pk", flat=True))


def send(cast: Cast, base: str, path: str, content: bytes) -> str:
    upload = f"{base}/uploads/{cast.editor.rest.post(f'{base}/uploads', {}).json()['id']}"
    answer = cast.editor.rest.put(f"{upload}/files?path={path}", content, content_type=OCTETS)
    assert answer.status_code == 200, answer.content
    return upload


def analysed(cast: Cast, upload: str) -> dict[str, Any]:
    assert cast.editor.rest.post(f"{upload}/analyze", {}).status_code == 202
    tasks.read(upload.rpartition("/")[2])
    return cast.editor.rest.get(upload).json()


def test_bad_archives_are_refused_at_once(cast: Cast, base: str, record_property: Record) -> None:
    record_property("bad", bad_names(ARCHIVES))
    wrong = []
    for row in ARCHIVES:
        make, code, member = row.values
        answer = cast.editor.rest.post(f"{base}/analyze", make(), content_type=OCTETS)
        problem = answer.json()
        told = answer.status_code in (400, 413) and problem["code"] == code and problem["detail"] and problem["hint"]
        if not told or (member is not None and problem["params"]["path"] != member):
            wrong.append(f"{row.id}: {answer.status_code} {problem}")
    assert wrong == []


@pytest.mark.parametrize(
    "make", [lambda: archives.zip_of({"a": b"x", "../evil": b"y"}), lambda: archives.zip_of({"a": bytes(5000)})[:-30]]
)
def test_a_bad_archive_is_refused_after_an_upload(cast: Cast, base: str, make: Any) -> None:
    upload = send(cast, base, "set.zip", make())
    found = analysed(cast, upload)
    assert found["state"] == "refused" and found["analysis"]["defects"][0]["hint"]
    answer = cast.editor.rest.post(f"{upload}/publish", {})
    assert (answer.status_code, answer.json()["code"]) == (400, "upload_refused")


def test_bad_images_keep_their_set_out(cast: Cast, base: str, record_property: Record) -> None:
    record_property("bad", bad_names(IMAGES))
    for row in IMAGES:
        make, code, _member = row.values
        refused(cast, base, {**yolo_files(), "images/train/0.jpg": make()}, code, "images/train/0.jpg")


def test_bad_labels_keep_their_set_out(cast: Cast, base: str, record_property: Record) -> None:
    record_property("bad", bad_names(ROWS))
    for row in ROWS:
        label, code, line, severity = row.values
        if severity == "error":
            assert refused(cast, base, yolo_files(label), code, "labels/train/0.txt")["line"] == line, row.id


def refused(cast: Cast, base: str, files: dict[str, bytes], code: str, path: str) -> dict[str, Any]:
    upload = send(cast, base, "set.zip", archives.zip_of(files))
    found = analysed(cast, upload)
    assert found["state"] == "refused" and not found["analysis"]["ok"]
    first = found["analysis"]["defects"][0]
    # A label of ten million equal rows is packed so well that the archive itself is refused.
    assert first["code"] in (code, "archive.ratio") and first["path"] == path and first["detail"] and first["hint"]
    answer = cast.editor.rest.post(f"{upload}/publish", {})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "upload_refused")
    assert problem["hint"] and problem["params"]["first"]["code"] == first["code"]
    return first


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("../evil.jpg", "path.traversal"),
        ("/etc/evil.jpg", "path.absolute"),
        ("C:/evil.jpg", "path.drive"),
        ("a%00b.jpg", "path.control"),
        ("%3Cimg%20src=x%3E.jpg", "path.forbidden"),
        ("..%5Cevil.jpg", "path.backslash"),
        ("n" * 300, "path.component_long"),
        ("", "path.empty"),
    ],
)
def test_a_bad_path_of_a_single_file_is_refused(cast: Cast, base: str, path: str, code: str) -> None:
    upload = f"{base}/uploads/{cast.editor.rest.post(f'{base}/uploads', {}).json()['id']}"
    answer = cast.editor.rest.put(f"{upload}/files?path={path}", b"x", content_type=OCTETS)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["hint"]
    assert cast.editor.rest.get(upload).json()["files"] == []


def test_a_file_and_a_folder_of_one_name_are_refused(cast: Cast, base: str) -> None:
    upload = send(cast, base, "a", b"x")
    answer = cast.editor.rest.put(f"{upload}/files?path=a/b", b"x", content_type=OCTETS)
    assert (answer.status_code, answer.json()["code"]) == (400, "path.file_and_folder")
    assert cast.editor.rest.get(upload).json()["files"] == [{"path": "a", "size": 1}]


def test_files_over_the_limits_are_refused(cast: Cast, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (uploads, room):
        monkeypatch.setattr(module, "LIMITS", Limits(members=2, member_bytes=10, total_bytes=15))
    upload = send(cast, base, "a", bytes(10))
    answers = [
        cast.editor.rest.put(f"{upload}/files?path={path}", bytes(size), content_type=OCTETS)
        for path, size in (("b", 11), ("b", 6), ("b", 5), ("c", 0))
    ]
    assert [(answer.status_code, answer.json().get("code")) for answer in answers] == [
        (413, "archive.member_too_big"),
        (413, "archive.too_big"),
        (200, None),
        (413, "archive.too_many_members"),
    ]
    assert {found["path"] for found in cast.editor.rest.get(upload).json()["files"]} == {"a", "b"}


def test_what_is_uploaded_may_not_exceed_what_is_left_of_the_quota(cast: Cast, base: str) -> None:
    """All uploads of the organization together: each alone would fit."""
    Organization.objects.filter(pk=cast.editor.actor.organization_id).update(max_storage_gb=30_000 / 1e9)
    first = send(cast, base, "a", bytes(20_000))
    refused = cast.editor.rest.put(f"{first}/files?path=b", bytes(20_000), content_type=OCTETS)
    assert (refused.status_code, refused.json()["code"]) == (409, "quota_exceeded")
    assert cast.editor.rest.put(f"{first}/files?path=a", bytes(8_000), content_type=OCTETS).status_code == 200
    second = f"{base}/uploads/{cast.editor.rest.post(f'{base}/uploads', {}).json()['id']}"
    refused = cast.editor.rest.put(f"{second}/files?path=a", bytes(25_000), content_type=OCTETS)
    assert (refused.status_code, refused.json()["code"]) == (409, "quota_exceeded")
    assert not list(UploadFolder(second.rpartition("/")[2]).incoming.iterdir())
    assert cast.editor.rest.delete(first).status_code == 204
    third = f"{base}/uploads/{cast.editor.rest.post(f'{base}/uploads', {}).json()['id']}"
    assert cast.editor.rest.put(f"{third}/files?path=a", bytes(20_000), content_type=OCTETS).status_code == 200


def test_files_that_come_side_by_side_are_counted_together(cast: Cast, base: str) -> None:
    """Each was let in by the room that was there when it began."""
    upload = Upload.objects.get(pk=send(cast, base, "a", bytes(10)).rpartition("/")[2])
    assert uploads.upload_count(upload_id=upload.pk, files=1, size=10, most=25)
    assert not uploads.upload_count(upload_id=upload.pk, files=1, size=10, most=25)
    assert uploads.upload_count(upload_id=upload.pk, files=0, size=-5, most=1)


def test_a_full_disk_takes_no_files(cast: Cast, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "RESERVE_BYTES", 1 << 60)
    upload = f"{base}/uploads/{cast.editor.rest.post(f'{base}/uploads', {}).json()['id']}"
    refused = cast.editor.rest.put(f"{upload}/files?path=a", b"x", content_type=OCTETS)
    assert (refused.status_code, refused.json()["code"]) == (503, "disk_full")


def test_a_third_archive_at_once_is_asked_to_come_again(
    cast: Cast, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hold a thread and a core each, and no connection of the database."""
    answers: list[Any] = []

    def analyse_again(*found: Any, **options: Any) -> Any:
        answers.append(cast.editor.rest.post(f"{base}/analyze", archive, content_type=OCTETS))
        return unpack(*found, **options)

    archive, unpack = archives.zip_of({"a": b"x"}), reading.unpack
    monkeypatch.setattr(reading, "unpack", analyse_again)
    assert cast.editor.rest.post(f"{base}/analyze", archive, content_type=OCTETS).status_code == 200
    assert [answer.status_code for answer in answers] == [429, 200]
    assert (answers[0].json()["code"], answers[0]["Retry-After"]) == ("too_many_requests", "10")


def test_a_body_that_breaks_off_leaves_nothing(cast: Cast) -> None:
    dataset = DatasetFactory(project=cast.sample("project"))
    upload = uploads.upload_create(actor=cast.editor.actor, dataset=dataset)
    with pytest.raises(Invalid) as refused:
        uploads.upload_receive(actor=cast.editor.actor, upload=upload, path="a", stream=io.BytesIO(b"x"), length=5)
    assert refused.value.code == "incomplete" and refused.value.hint
    assert list(uploads.received_files(upload)) == [] and not list(UploadFolder(upload.pk).incoming.iterdir())


def test_an_archive_among_single_files_is_refused(cast: Cast, base: str) -> None:
    upload = send(cast, base, "images/a.jpg", b"\xff\xd8\xff")
    cast.editor.rest.put(f"{upload}/files?path=b.zip", archives.zip_of({"c": b"x"}), content_type=OCTETS)
    found = analysed(cast, upload)
    assert found["state"] == "refused"
    assert [(defect["code"], defect["path"]) for defect in found["analysis"]["defects"]] == [
        ("archive.nested", "b.zip")
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "<b>"}, "name"),
        ({"name": "x", "visibility": "everybody"}, "visibility"),
        ({"name": "x", "task": "fly"}, "task"),
        ({"name": "x" * 121}, "name"),
    ],
)
def test_bad_fields_are_named(cast: Cast, body: dict[str, Any], field: str) -> None:
    body = {"project_id": str(cast.sample("project").pk), **body}
    answer = cast.editor.rest.post("/datasets", body)
    assert answer.status_code == 400 and field in answer.json()["errors"]


def test_what_a_caller_may_not_set_is_ignored(cast: Cast) -> None:
    body = {"project_id": str(cast.sample("project").pk), "name": "Mine", "image_count": 7, "revision": 9}
    answer = cast.editor.rest.post("/datasets", {**body, "organization_id": str(cast.stranger.organization_id)})
    made = answer.json()
    assert (made["image_count"], made["revision"]) == (0, 0)
    assert made["organization_id"] == str(cast.sample("organization").pk)
