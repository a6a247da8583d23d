"""Large files in parts with digests, and files that need not be sent since the dataset has them."""

import hashlib
import io
import runpy
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote

import pytest

from apps.core.errors import DomainError, TooLarge
from apps.core.storage import storage
from apps.core.storage.keys import blob_key
from apps.core.testing import Cast
from apps.datasets import services, tasks
from apps.datasets.archives.paths import LEFT_BEHIND
from apps.datasets.folders import UploadFolder
from apps.datasets.models import Blob, Dataset, Upload
from apps.datasets.services import known, parts, room, uploads
from tests.factories.datasets import DatasetFactory, published, shapes

pytestmark = pytest.mark.django_db
OCTETS = "application/octet-stream"
SIZE = 16
UPLOADER = Path(__file__).resolve().parents[2] / "scripts" / "modelyard_upload.py"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", SIZE)


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    return published(DatasetFactory(project=cast.sample("project")), shapes())


@pytest.fixture
def upload(cast: Cast, dataset: Dataset) -> str:
    """The address of an open upload."""
    base = f"/datasets/{dataset.pk}/uploads"
    return f"{base}/{cast.editor.rest.post(base, {}).json()['id']}"


def folder_of(upload: str) -> UploadFolder:
    return UploadFolder(upload.rpartition("/")[2])


def counted(upload: str) -> tuple[int, int]:
    row = Upload.objects.get(pk=upload.rpartition("/")[2])
    return row.file_count, row.byte_count


def put(cast: Cast, upload: str, content: bytes, number: int, digest: str = "", path: str = "set.zip") -> Any:
    part = content[(number - 1) * SIZE : number * SIZE]
    query = f"path={quote(path)}&number={number}&sha256={digest or sha256(part)}"
    return cast.editor.rest.put(f"{upload}/parts?{query}", part, content_type=OCTETS)


def join(cast: Cast, upload: str, content: bytes, path: str = "set.zip") -> Any:
    body = {"path": path, "size": len(content), "sha256": sha256(content)}
    return cast.editor.rest.post(f"{upload}/parts/join", body)


def test_a_size_beyond_what_a_file_may_have_is_refused_at_once(
    cast: Cast, upload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of the missing parts of an exabyte would take all memory."""
    put(cast, upload, b"a" * SIZE, 1)
    row = Upload.objects.get(pk=upload.rpartition("/")[2])
    listed = mock.Mock(side_effect=AssertionError("the parts of this size are listed"))
    monkeypatch.setattr(parts._Parts, "marks", listed)
    for size in (services.MOST_BYTES + 1, 2**60, 2**200):
        refused = cast.editor.rest.post(f"{upload}/parts/join", {"path": "set.zip", "size": size, "sha256": "0" * 64})
        assert refused.status_code == 400 and list(refused.json()["errors"]) == ["size"]
        with pytest.raises(DomainError) as found:
            services.parts_join(actor=cast.editor.actor, upload=row, path="set.zip", size=size, sha256="0" * 64)
        assert found.value.code == "archive.member_too_big"
    assert counted(upload) == (1, SIZE), "the part is kept"


def test_parts_in_any_order_and_twice_make_the_file(cast: Cast, upload: str) -> None:
    content = bytes(range(40))
    for number in (3, 1, 1):
        assert put(cast, upload, content, number).json() == {
            "number": number,
            "sha256": sha256(content[(number - 1) * SIZE : number * SIZE]),
        }
    assert counted(upload) == (1, 40)
    arrived = cast.editor.rest.get(f"{upload}/parts?path=set.zip").json()
    assert [part["number"] for part in arrived["parts"]] == [1, 3]
    early = join(cast, upload, content)
    assert (early.status_code, early.json()["code"]) == (409, "parts_missing")
    assert early.json()["params"] == {"missing": [2], "count": 1}
    closed = cast.editor.rest.post(f"{upload}/analyze", {})
    assert (closed.status_code, closed.json()["code"]) == (409, "parts_open")
    put(cast, upload, content, 2)
    assert join(cast, upload, content).json() == {
        "path": "set.zip",
        "size": 40,
        "sha256": sha256(content),
        "kept": True,
    }
    assert (folder_of(upload).files / "set.zip").read_bytes() == content
    assert counted(upload) == (1, 40) and not any(folder_of(upload).parts.iterdir())
    assert cast.editor.rest.post(f"{upload}/analyze", {}).status_code == 202


def test_a_part_with_a_wrong_byte_is_refused_and_leaves_nothing(cast: Cast, upload: str) -> None:
    content = bytes(range(40))
    answer = put(cast, upload, content, 2, digest=sha256(b"what was sent"))
    assert (answer.status_code, answer.json()["code"]) == (400, "digest_mismatch") and answer.json()["hint"]
    assert cast.editor.rest.get(f"{upload}/parts?path=set.zip").json()["parts"] == []
    assert counted(upload) == (0, 0) and not folder_of(upload).parts.exists()


def test_an_empty_part_takes_no_room(cast: Cast, upload: str) -> None:
    """Its place is far behind what has arrived: counted, a few requests would take the organization's whole quota."""
    for _number in range(3):
        assert cast.editor.rest.put(
            f"{upload}/parts?path=set.zip&number=9&sha256={sha256(b'')}", b"", content_type=OCTETS
        ).status_code in (200, 400)
    assert counted(upload)[1] == 0
    content = bytes(range(20))
    for number in (1, 2):
        put(cast, upload, content, number)
    assert join(cast, upload, content).status_code == 200 and counted(upload) == (1, 20)


def test_a_small_file_with_a_wrong_byte_is_refused_too(cast: Cast, upload: str) -> None:
    answer = cast.editor.rest.put(f"{upload}/files?path=a.txt&sha256={sha256(b'a')}", b"b", content_type=OCTETS)
    assert (answer.status_code, answer.json()["code"]) == (400, "digest_mismatch")
    assert cast.editor.rest.get(upload).json()["files"] == [] and counted(upload) == (0, 0)
    right = cast.editor.rest.put(f"{upload}/files?path=a.txt&sha256={sha256(b'b')}", b"b", content_type=OCTETS)
    assert right.status_code == 200 and counted(upload) == (1, 1)


def test_parts_of_two_states_of_a_file_are_thrown_away(cast: Cast, upload: str) -> None:
    before, after = bytes(20), bytes(range(20))
    put(cast, upload, before, 1)
    put(cast, upload, after, 2)
    answer = join(cast, upload, after)
    assert (answer.status_code, answer.json()["code"]) == (400, "digest_mismatch")
    assert counted(upload) == (0, 0) and not any(folder_of(upload).parts.iterdir())
    for number in (1, 2):
        put(cast, upload, after, number)
    assert join(cast, upload, after).status_code == 200


def join_by_parts(cast: Cast, upload: str, content: bytes, digests: list[str]) -> Any:
    body = {"path": "set.zip", "size": len(content), "parts": digests}
    return cast.editor.rest.post(f"{upload}/parts/join", body)


def digests_of(content: bytes) -> list[str]:
    return [sha256(content[start : start + SIZE]) for start in range(0, len(content), SIZE)]


def test_a_sender_that_cannot_digest_the_whole_names_its_parts(cast: Cast, upload: str) -> None:
    content = bytes(range(40))
    for number in (1, 2, 3):
        put(cast, upload, content, number)
    few = join_by_parts(cast, upload, content, digests_of(content)[:2])
    assert (few.status_code, few.json()["code"]) == (400, "part_digests")
    for body in ({}, {"sha256": sha256(content), "parts": digests_of(content)}):
        both = cast.editor.rest.post(f"{upload}/parts/join", {"path": "set.zip", "size": 40, **body})
        assert both.status_code == 400
    done = join_by_parts(cast, upload, content, digests_of(content))
    assert (done.status_code, done.json()["sha256"]) == (200, sha256(content))
    assert (folder_of(upload).files / "set.zip").read_bytes() == content
    assert counted(upload) == (1, 40) and not any(folder_of(upload).parts.iterdir())


def test_of_named_parts_only_those_are_sent_again_that_lie_here_otherwise(cast: Cast, upload: str) -> None:
    content, other = bytes(range(40)), bytes(40)
    for number, sent in ((1, content), (2, other), (3, content)):
        put(cast, upload, sent, number)
    answer = join_by_parts(cast, upload, content, digests_of(content))
    assert (answer.status_code, answer.json()["code"]) == (409, "parts_missing")
    assert answer.json()["params"] == {"missing": [2], "count": 1}
    arrived = cast.editor.rest.get(f"{upload}/parts?path=set.zip").json()["parts"]
    assert [part["number"] for part in arrived] == [1, 3] and counted(upload) == (1, 40)
    put(cast, upload, content, 2)
    assert join_by_parts(cast, upload, content, digests_of(content)).status_code == 200
    assert (folder_of(upload).files / "set.zip").read_bytes() == content


def test_a_bit_that_turns_on_the_disk_is_found_before_named_parts_are_joined(cast: Cast, upload: str) -> None:
    content = bytes(range(40))
    for number in (1, 2, 3):
        put(cast, upload, content, number)
    (kept,) = folder_of(upload).parts.glob("*/content")
    kept.write_bytes(content[:20] + b"x" + content[21:])
    answer = join_by_parts(cast, upload, content, digests_of(content))
    assert answer.json()["params"] == {"missing": [2], "count": 1}


def test_a_sender_that_goes_on_is_told_which_files_have_begun(cast: Cast, upload: str) -> None:
    content = bytes(range(40))
    cast.editor.rest.put(f"{upload}/files?path=a.txt", b"a", content_type=OCTETS)
    put(cast, upload, content, 2, path="큰 묶음.zip")
    found = cast.editor.rest.get(upload).json()
    assert (found["files"], found["begun"]) == ([{"path": "a.txt", "size": 1}], ["큰 묶음.zip"])
    for number in (1, 3):
        put(cast, upload, content, number, path="큰 묶음.zip")
    assert join(cast, upload, content, path="큰 묶음.zip").status_code == 200
    found = cast.editor.rest.get(upload).json()
    assert {file["path"] for file in found["files"]} == {"a.txt", "큰 묶음.zip"} and found["begun"] == []


def test_a_part_far_beyond_the_end_is_not_read_through(
    cast: Cast, upload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies between is a hole: two small requests would have gigabytes of nothing read."""
    for number in (1, 1001):
        body = b"x"
        query = f"path=set.zip&number={number}&sha256={sha256(body)}"
        assert cast.editor.rest.put(f"{upload}/parts?{query}", body, content_type=OCTETS).status_code == 200
    monkeypatch.setattr(parts, "sha256_of", lambda file: pytest.fail("it was read"))
    answer = join(cast, upload, b"x")
    assert (answer.status_code, answer.json()["code"]) == (400, "size_mismatch")
    assert answer.json()["params"] == {"size": 1000 * SIZE + 1}
    assert counted(upload) == (0, 0) and not any(folder_of(upload).parts.iterdir())


def test_a_part_that_is_sent_again_at_this_moment_is_not_there(
    cast: Cast, upload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(40))
    for number in (1, 2, 3):
        put(cast, upload, content, number)
    read = Path.read_text

    def sent_again(path: Path, *given: Any, **options: Any) -> str:
        if path.name == "1":
            (path.parent / "2").unlink(missing_ok=True)
        return read(path, *given, **options)

    monkeypatch.setattr(Path, "read_text", sent_again)
    arrived = cast.editor.rest.get(f"{upload}/parts?path=set.zip").json()
    assert [part["number"] for part in arrived["parts"]] == [1, 3]


def test_a_joined_file_replaces_one_that_arrived(cast: Cast, upload: str) -> None:
    cast.editor.rest.put(f"{upload}/files?path=set.zip", bytes(7), content_type=OCTETS)
    content = bytes(range(20))
    for number in (1, 2):
        put(cast, upload, content, number)
    assert counted(upload) == (2, 27)
    assert join(cast, upload, content).status_code == 200
    assert counted(upload) == (1, 20)


@pytest.mark.parametrize("path", ["../evil", "/etc/passwd", "a\\b", ".DS_Store"])
def test_parts_go_under_no_bad_path(cast: Cast, upload: str, path: str) -> None:
    answer = put(cast, upload, bytes(3), 1, path=path)
    assert answer.status_code == 400 and answer.json()["detail"]
    assert counted(upload) == (0, 0)


def test_a_part_is_not_larger_than_a_part(cast: Cast, upload: str) -> None:
    content = bytes(SIZE + 1)
    query = f"path=a&number=1&sha256={sha256(content)}"
    answer = cast.editor.rest.put(f"{upload}/parts?{query}", content, content_type=OCTETS)
    assert (answer.status_code, answer.json()["code"]) == (413, "part_too_large")
    beyond = put(cast, upload, content, parts.MOST_PARTS + 1)
    assert (beyond.status_code, list(beyond.json()["errors"])) == (400, ["number"])
    row = Upload.objects.get(pk=upload.rpartition("/")[2])
    with pytest.raises(TooLarge):
        services.part_receive(
            actor=cast.editor.actor, upload=row, path="a", number=parts.MOST_PARTS + 1, sha256="", stream=io.BytesIO()
        )
    assert counted(upload) == (0, 0)


def test_parts_take_no_more_room_than_there_is(cast: Cast, upload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (parts, uploads):
        monkeypatch.setattr(module, "room_now", lambda upload: room.Room(20, room.TOO_BIG, {"limit": 20}))
    content = bytes(range(40))
    assert put(cast, upload, content, 1).status_code == 200
    answer = put(cast, upload, content, 2)
    assert (answer.status_code, answer.json()["code"]) == (413, "archive.too_big")
    assert counted(upload) == (1, SIZE)


def test_known_files_take_no_more_room_than_there_is(cast: Cast, upload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"files": [{"path": path, "sha256": sha256(content)} for path, content in shapes().items()]}
    with monkeypatch.context() as narrow:
        narrow.setattr(known, "room_now", lambda upload: room.Room(20, room.TOO_BIG, {"limit": 20}))
        answer = cast.editor.rest.post(f"{upload}/known", asked)
    assert (answer.status_code, answer.json()["code"]) == (413, "archive.too_big") and answer.json()["hint"]
    assert counted(upload) == (0, 0) and not folder_of(upload).files.exists()
    assert cast.editor.rest.post(f"{upload}/known", asked).json()["taken"] == sorted(shapes())


def test_a_known_file_is_not_put_where_a_folder_is(cast: Cast, dataset: Dataset, upload: str) -> None:
    blob = Blob.objects.filter(entries__dataset=dataset).first()
    assert blob is not None
    cast.editor.rest.put(f"{upload}/files?path=a/b.txt", b"b", content_type=OCTETS)
    answer = cast.editor.rest.post(f"{upload}/known", {"files": [{"path": "a", "sha256": blob.sha256}]})
    assert (answer.status_code, answer.json()) == (200, {"taken": []})
    assert counted(upload) == (1, 1)


def test_files_that_the_dataset_has_need_not_be_sent(cast: Cast, dataset: Dataset, upload: str) -> None:
    files = shapes()
    asked = [{"path": path, "sha256": sha256(content)} for path, content in files.items()]
    asked.append({"path": "images/train/new.png", "sha256": sha256(b"new")})
    first = cast.editor.rest.post(f"{upload}/known", {"files": asked}).json()
    assert first == {"taken": sorted(files)}
    # An answer that was lost is asked for again.
    assert cast.editor.rest.post(f"{upload}/known", {"files": asked}).json() == first
    assert counted(upload) == (len(files), sum(map(len, files.values())))
    assert {path: (folder_of(upload).files / path).read_bytes() for path in files} == files


def test_known_files_are_fetched_from_a_distant_store(
    cast: Cast, dataset: Dataset, upload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = shapes()
    monkeypatch.setattr(type(storage()), "local_path", lambda self, key: None)
    asked = [{"path": path, "sha256": sha256(content)} for path, content in files.items()]
    assert cast.editor.rest.post(f"{upload}/known", {"files": asked}).json() == {"taken": sorted(files)}
    assert {path: (folder_of(upload).files / path).read_bytes() for path in files} == files
    assert not any(folder_of(upload).incoming.iterdir())


def test_a_digest_opens_no_file_of_another_dataset(cast: Cast, dataset: Dataset) -> None:
    """Not even of one in the same organization: who knows a digest need not be one who may see the file."""
    other = DatasetFactory(project=cast.sample("project"))
    base = f"/datasets/{other.pk}/uploads"
    upload = f"{base}/{cast.editor.rest.post(base, {}).json()['id']}"
    path, content = next(iter(shapes().items()))
    answer = cast.editor.rest.post(f"{upload}/known", {"files": [{"path": path, "sha256": sha256(content)}]})
    assert answer.json() == {"taken": []} and counted(upload) == (0, 0)


def test_what_is_damaged_or_gone_is_to_be_sent(cast: Cast, dataset: Dataset, upload: str) -> None:
    (one, first), (two, second), *_others = shapes().items()
    Blob.objects.filter(sha256=sha256(first)).update(damage="changed")
    storage().delete(blob_key(dataset.organization_id, sha256(second)))
    asked = [{"path": one, "sha256": sha256(first)}, {"path": two, "sha256": sha256(second)}]
    assert cast.editor.rest.post(f"{upload}/known", {"files": asked}).json() == {"taken": []}
    assert counted(upload) == (0, 0)


def test_so_many_digests_are_asked_for_at_once(cast: Cast, upload: str) -> None:
    asked = [{"path": f"{number}", "sha256": sha256(b"")} for number in range(known.MOST_KNOWN + 1)]
    assert cast.editor.rest.post(f"{upload}/known", {"files": asked}).status_code == 400


def test_a_sender_meets_an_upload_that_takes_nothing_more(cast: Cast, dataset: Dataset, upload: str) -> None:
    path, content = next(iter(shapes().items()))
    put(cast, upload, content, 1)
    Upload.objects.filter(pk=upload.rpartition("/")[2]).update(state="cancelled")
    for answer in (
        put(cast, upload, content, 1),
        join(cast, upload, content),
        cast.editor.rest.post(f"{upload}/known", {"files": [{"path": path, "sha256": sha256(content)}]}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "upload_state")


def test_the_uploader_tells_what_the_analysis_found(cast: Cast, upload: str) -> None:
    for path, content in {**shapes(), "labels/train/train-0000.txt": b"7 .5 .5 .1\n"}.items():
        cast.editor.rest.put(f"{upload}/files?path={path}", content, content_type=OCTETS)
    tasks.read(cast.editor.rest.post(f"{upload}/analyze", {}).json()["id"])
    found, said = cast.editor.rest.get(upload).json(), list[str]()
    runpy.run_path(str(UPLOADER))["_tell"](found, said.append)
    assert said[0] == "The upload is refused."
    (wrong,) = (defect for defect in found["analysis"]["defects"] if defect["path"] == "labels/train/train-0000.txt")
    assert f"error labels/train/train-0000.txt:1 {wrong['detail']} {wrong['hint']}" in said


def test_the_uploader_which_stands_alone_knows_what_the_portal_does() -> None:
    known_there = runpy.run_path(str(UPLOADER))
    assert known_there["LEFT_BEHIND"] == LEFT_BEHIND
    assert known_there["PART_BYTES"] == services.PART_BYTES
    assert known_there["ASKED_AT_ONCE"] <= services.MOST_KNOWN
