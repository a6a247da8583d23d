"""D3: files sent straight to the object store, against a server that verifies signatures and, for breadth, moto."""

import base64
import hashlib
import io
import logging
import runpy
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import httpx
import pytest
from django.test import Client
from django.utils import timezone
from modelyard.supervisor.address import free_port

from apps.audit.models import AuditEvent
from apps.core.errors import NotAuthenticated
from apps.core.errors.outages import RETRY_SECONDS
from apps.core.identity import Actor
from apps.core.storage import storage
from apps.core.storage.keys import blob_key
from apps.core.storage.s3 import S3Storage
from apps.core.testing import Cast
from apps.datasets import services
from apps.datasets.models import Blob, Dataset, DirectFile, Upload, UploadState
from apps.datasets.services import direct, room, sweep
from apps.datasets.services.fsck import examine_stores
from apps.organizations.models import Organization
from tests.datasets.factories.archives import zip_of
from tests.datasets.factories.images import encoded
from tests.factories.datasets import shapes
from tests.stores import KEYS, configured, moto_server, signed_server

pytestmark = pytest.mark.django_db
PART = 5 << 20  # the least that stores take of a part that is not the last
#: 6 MB of noise: two parts.
PICTURE = encoded("BMP", 1500, 1400)


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with signed_server(tmp_path_factory.mktemp("signed"), "data") as url:
        yield url


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with moto_server(tmp_path_factory.mktemp("moto"), "data") as url:
        yield url


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "PART_BYTES", PART)


@pytest.fixture
def store(signing: str, small_parts: None, settings: Any) -> Iterator[S3Storage]:
    """The portal with this store, which others know by another address."""
    outer = signing.replace("127.0.0.1", "localhost")
    with configured(settings, {**KEYS, "bucket": "data", "endpoint": signing, "public_endpoint": outer}):
        found = _store()
        yield found
        for left in list(found.direct.unfinished("")):
            found.direct.abort(left.key, left.upload)
        for key in list(found.keys("")):
            found.delete(key)


def _store() -> S3Storage:
    found = storage()
    assert isinstance(found, S3Storage)
    return found


@pytest.fixture
def base(cast: Cast) -> str:
    return f"/datasets/{cast.sample('dataset').pk}/uploads"


class Sender:
    """A program that sends a file, as docs/guides/datasets-for-programs.md has one."""

    def __init__(self, rest: Any, base: str) -> None:
        self.rest = rest
        self.answer = rest.post(base, {"direct": True})
        assert self.answer.status_code == 201, self.answer.content
        self.id = self.answer.json()["id"]
        self.url = f"{base}/{self.id}"

    @property
    def upload(self) -> Upload:
        return Upload.objects.select_related("dataset").get(pk=self.id)

    def open(self, path: str, size: int) -> dict[str, Any]:
        answer = self.rest.post(f"{self.url}/direct", {"path": path, "size": size})
        assert answer.status_code in (200, 201), answer.content
        return answer.json()

    def address(self, file: dict[str, Any], number: int, **more: str) -> dict[str, Any]:
        answer = self.rest.post(f"{self.url}/direct/{file['id']}/parts", {"parts": [{"number": number, **more}]})
        assert answer.status_code == 200, answer.content
        assert answer["Cache-Control"] == "no-store"
        return answer.json()["parts"][0]

    def put(self, file: dict[str, Any], number: int, content: bytes) -> httpx.Response:
        piece = content[(number - 1) * file["part_bytes"] : number * file["part_bytes"]]
        part = self.address(file, number)
        assert part["size"] == len(piece)
        return httpx.request(part["method"], part["url"], content=piece, headers=part["headers"])

    def complete(self, file: dict[str, Any], content: bytes) -> Any:
        size = file["part_bytes"]
        pieces = [content[start : start + size] for start in range(0, len(content), size)]
        digests = [hashlib.sha256(piece).hexdigest() for piece in pieces]
        return self.rest.post(f"{self.url}/direct/{file['id']}/complete", {"sha256": digests})

    def send(self, path: str, content: bytes) -> dict[str, Any]:
        file = self.open(path, len(content))
        for number in range(1, file["parts"] + 1):
            if number not in file["arrived"]:
                assert self.put(file, number, content).status_code == 200
        answer = self.complete(file, content)
        assert answer.status_code == 200, answer.content
        return file

    def analyse(self) -> Upload:
        """Ends the sending; the workers' own functions bring and read what arrived."""
        answer = self.rest.post(f"{self.url}/analyze", {})
        assert (answer.status_code, answer.json()["state"]) == (202, "fetching")
        services.upload_fetch(self.id)
        services.upload_read(self.id)
        return self.upload


def incoming() -> list[str]:
    return list(storage().keys("incoming/"))


def parts_left() -> list[str]:
    found = storage().direct
    assert found is not None
    return [left.key for left in found.unfinished("incoming/")]


def set_of(picture: bytes) -> bytes:
    """A ZIP of a labelled set in two parts."""
    return zip_of({**shapes(seed=9), "images/train/large.bmp": picture}, stored=True)


@pytest.mark.parametrize("server", ["signing", "lenient"])
def test_an_archive_goes_to_the_store_in_parts_and_becomes_a_revision(
    request: pytest.FixtureRequest, server: str, small_parts: None, settings: Any, cast: Cast, base: str
) -> None:
    url = request.getfixturevalue(server)
    dataset = cast.sample("dataset")
    with configured(settings, {**KEYS, "bucket": "data", "endpoint": url}):
        sender = Sender(cast.editor.rest, base)
        assert sender.answer.json()["source"] == "direct"
        file = sender.send("set.zip", set_of(PICTURE))
        assert (file["parts"], file["arrived"]) == (2, [])
        assert cast.editor.rest.get(sender.url).json()["files"] == [{"path": "set.zip", "size": file["size"]}]
        assert not Blob.objects.filter(sha256=hashlib.sha256(PICTURE).hexdigest()).exists()
        upload = sender.analyse()
        assert upload.state == UploadState.READY, (upload.failure, upload.analysis)
        assert cast.editor.rest.post(f"{sender.url}/publish", {}).status_code == 202
        services.upload_store(upload.pk)
        assert sender.upload.state == UploadState.PUBLISHED
        key = blob_key(dataset.organization_id, hashlib.sha256(PICTURE).hexdigest())
        assert storage().read(key) == PICTURE
        sweep()
        assert (incoming(), parts_left()) == ([], [])
        assert not DirectFile.objects.exists()
    actions = AuditEvent.objects.filter(organization_id=dataset.organization_id).values_list("action", flat=True)
    assert {"dataset.upload_started", "dataset.upload_analysed", "dataset.publish_requested"} <= set(actions)


def test_a_picture_moves_to_its_address_in_the_store_and_is_not_sent_a_second_time(
    store: S3Storage, cast: Cast, base: str
) -> None:
    sender = Sender(cast.editor.rest, base)
    sender.send("images/train/large.bmp", PICTURE)
    (key,) = incoming()
    organization_id = cast.sample("dataset").organization_id
    assert key.startswith(f"incoming/{organization_id}/")
    target = blob_key(organization_id, hashlib.sha256(PICTURE).hexdigest())
    upload = sender.analyse()
    assert upload.state == UploadState.READY, upload.failure
    assert store.size(target) is None, "nothing is at its address before the publication"
    services.upload_publish(actor=cast.editor.actor, upload=upload)
    with mock.patch.object(S3Storage, "put", side_effect=AssertionError("sent a second time")):
        services.upload_store(upload.pk)
    assert sender.upload.state == UploadState.PUBLISHED, sender.upload.failure
    assert (store.read(target), store.size(key)) == (PICTURE, None)


def test_an_address_writes_one_part_of_the_announced_length_and_nothing_else(
    store: S3Storage, cast: Cast, base: str
) -> None:
    """bar-S12, bad-K37, bad-K38."""
    sender = Sender(cast.editor.rest, base)
    file = sender.open("set.zip", PART + 3)
    part = sender.address(file, 1)
    url = part["url"]
    assert url.startswith("http://localhost:"), "the address of the store for others"
    assert "X-Amz-Expires=900" in url
    before = timezone.now() + timedelta(seconds=901)
    assert part["expires_at"] < before.isoformat()
    whole = bytes(PART)
    key = DirectFile.objects.get().key
    other = key.rpartition("/")[0] + f"/{uuid4()}"
    attempts = {
        "longer": httpx.put(url, content=whole + b"x"),
        "shorter": httpx.put(url, content=whole[:-1]),
        "of no told length": httpx.put(url, content=iter([whole])),
        "another key": httpx.put(url.replace(key, other), content=whole),
        "a blob": httpx.put(url.replace(key, blob_key(uuid4(), "a" * 64)), content=whole),
        "another part": httpx.put(url.replace("partNumber=1", "partNumber=2"), content=whole),
        "the object itself": httpx.put(url.replace("partNumber=1", "x=1"), content=whole),
        "read": httpx.get(url),
        "join": httpx.post(url, content=whole),
        "give up": httpx.delete(url),
        "unsigned": httpx.put(url.partition("?")[0], content=whole),
    }
    assert {
        name: answer.status_code for name, answer in attempts.items() if answer.status_code not in (400, 403)
    } == {}
    assert (incoming(), parts_left()) == ([], [key])
    assert sender.open("set.zip", PART + 3)["arrived"] == []
    assert httpx.put(url, content=whole).status_code == 200
    assert sender.open("set.zip", PART + 3)["arrived"] == [1]


def test_an_address_ends_and_none_lives_longer_than_a_quarter_of_an_hour(
    store: S3Storage, cast: Cast, base: str
) -> None:
    """bar-S12, bad-K36."""
    sender = Sender(cast.editor.rest, base)
    sender.open("set.zip", 3)
    file = DirectFile.objects.get()
    ended = store.direct.url(file.key, file.store_upload, 1, 3, seconds=-60)
    assert httpx.put(ended, content=b"abc").status_code in (400, 403)
    assert "X-Amz-Expires=900" in store.direct.url(file.key, file.store_upload, 1, 3, seconds=86_400)


def test_an_address_writes_no_more_once_the_file_is_complete_or_the_upload_given_up(
    store: S3Storage, cast: Cast, base: str
) -> None:
    sender = Sender(cast.editor.rest, base)
    file = sender.open("set.zip", 3)
    late = sender.address(file, 1)["url"]
    assert httpx.put(late, content=b"abc").status_code == 200
    assert sender.complete(file, b"abc").status_code == 200
    assert httpx.put(late, content=b"xyz").status_code == 404
    assert [storage().read(key) for key in incoming()] == [b"abc"]
    again = sender.rest.post(f"{sender.url}/direct/{file['id']}/parts", {"parts": [{"number": 1}]})
    assert (again.status_code, again.json()["code"]) == (409, "file_complete")

    other = sender.open("other.zip", 3)
    late = sender.address(other, 1)["url"]
    assert cast.editor.rest.delete(sender.url).status_code == 204
    refused = sender.rest.post(f"{sender.url}/direct/{other['id']}/parts", {"parts": [{"number": 1}]})
    assert (refused.status_code, refused.json()["code"]) == (409, "upload_state")
    sweep()
    assert httpx.put(late, content=b"abc").status_code == 404
    assert (incoming(), parts_left(), DirectFile.objects.count()) == ([], [], 0)


def test_a_sender_that_begins_again_sends_what_is_missing_only(store: S3Storage, cast: Cast, base: str) -> None:
    sender = Sender(cast.editor.rest, base)
    content = set_of(PICTURE)
    file = sender.open("set.zip", len(content))
    assert sender.put(file, 2, content).status_code == 200
    early = sender.complete(file, content)
    assert (early.status_code, early.json()["code"], early.json()["params"]) == (
        409,
        "parts_missing",
        {"missing": [1]},
    )
    refused = sender.rest.post(f"{sender.url}/analyze", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "upload_incomplete")
    again = sender.open("set.zip", len(content))
    assert (again["id"], again["arrived"]) == (file["id"], [2])
    sender.send("set.zip", content)
    twice = sender.complete(file, content)
    assert (twice.status_code, twice.json()["arrived"]) == (200, [1, 2])
    assert sender.complete(file, content[::-1]).status_code == 409
    assert sender.open("set.zip", len(content))["completed_at"] is not None
    assert sender.analyse().state == UploadState.READY


def test_what_did_not_arrive_as_it_was_sent_is_never_seen(store: S3Storage, cast: Cast, base: str) -> None:
    """A byte of the second part is flipped on the way, past every check of the store."""
    sender = Sender(cast.editor.rest, base)
    content = set_of(PICTURE)
    file = sender.open("set.zip", len(content))
    flipped = content[:-1] + bytes([content[-1] ^ 1])
    for number in (1, 2):
        assert sender.put(file, number, flipped).status_code == 200
    assert sender.complete(file, content).status_code == 200
    upload = sender.analyse()
    assert upload.state == UploadState.FAILED
    assert upload.failure == {"code": "digest_differs", "params": {"path": "set.zip", "part": 2}}
    assert "part 2" in cast.editor.rest.get(sender.url).json()["failure"]["message"]
    assert AuditEvent.objects.filter(action="dataset.upload_failed", entity_id=str(upload.pk)).count() == 1
    refused = cast.editor.rest.post(f"{sender.url}/publish", {})
    assert refused.status_code == 409
    sweep()
    assert (incoming(), DirectFile.objects.count()) == ([], 0)


def test_the_store_itself_refuses_a_part_that_differs_from_its_md5(store: S3Storage, cast: Cast, base: str) -> None:
    sender = Sender(cast.editor.rest, base)
    file = sender.open("set.zip", 3)
    md5 = base64.b64encode(hashlib.md5(b"abc", usedforsecurity=False).digest()).decode()
    part = sender.address(file, 1, md5=md5)
    assert part["headers"] == {"Content-MD5": md5}
    assert httpx.put(part["url"], content=b"abc").status_code == 403, "without the header"
    assert httpx.put(part["url"], content=b"abd", headers=part["headers"]).status_code == 400
    # This server forgets the whole upload after such a part: the file begins anew.
    fresh = sender.open("set.zip", 3)
    part = sender.address(fresh, 1, md5=md5)
    assert httpx.put(part["url"], content=b"abc", headers=part["headers"]).status_code == 200
    assert sender.complete(fresh, b"abc").status_code == 200


def test_room_is_taken_before_the_first_byte_and_given_back(store: S3Storage, cast: Cast, base: str) -> None:
    organization = Organization.objects.filter(pk=cast.editor.actor.organization_id)
    organization.update(max_storage_gb=100_000 / 1e9)
    first, second = Sender(cast.editor.rest, base), Sender(cast.editor.rest, base)
    file = first.open("a.zip", 60_000)
    for sender, path in ((first, "b.zip"), (second, "a.zip")):
        refused = sender.rest.post(f"{sender.url}/direct", {"path": path, "size": 60_000})
        assert (refused.status_code, refused.json()["code"]) == (409, "quota_exceeded"), refused.content
    assert parts_left() == [DirectFile.objects.get().key]
    assert cast.editor.rest.delete(f"{first.url}/direct/{file['id']}").status_code == 204
    assert (first.upload.byte_count, first.upload.file_count, parts_left()) == (0, 0, [])
    second.open("a.zip", 60_000)
    assert (second.upload.byte_count, second.upload.file_count) == (60_000, 1)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"path": "../a.zip", "size": 1}, "path.traversal"),
        ({"path": "/etc/passwd", "size": 1}, "path.absolute"),
        ({"path": ".DS_Store", "size": 1}, "path_junk"),
        ({"path": "a.zip", "size": 51 << 30}, "archive.too_big"),
    ],
)
def test_paths_and_sizes_that_may_not_be_are_refused(
    store: S3Storage,
    cast: Cast,
    base: str,
    body: dict[str, Any],
    code: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "RESERVE_BYTES", -(1 << 50))  # a large disk
    sender = Sender(cast.editor.rest, base)
    refused = sender.rest.post(f"{sender.url}/direct", body)
    assert (refused.status_code in (400, 413), refused.json()["code"]) == (True, code), refused.content
    assert (parts_left(), DirectFile.objects.count()) == ([], 0)


def test_parts_that_the_file_does_not_have_get_no_address(store: S3Storage, cast: Cast, base: str) -> None:
    sender = Sender(cast.editor.rest, base)
    file = sender.open("a.zip", PART + 1)
    parts = f"{sender.url}/direct/{file['id']}/parts"
    for wanted, status in (
        ([{"number": 3}], 400),
        ([{"number": 0}], 400),
        ([], 400),
        ([{"number": 1}] * 101, 400),
        ([{"number": 1, "md5": "no base64"}], 400),
    ):
        assert sender.rest.post(parts, {"parts": wanted}).status_code == status, wanted
    for digests in (["a" * 64], ["a" * 64] * 3, ["a"] * 2, ["A" * 64] * 2):
        assert sender.rest.post(f"{sender.url}/direct/{file['id']}/complete", {"sha256": digests}).status_code == 400
    refused = sender.rest.post(f"{sender.url}/direct", {"path": "a.zip", "size": 5})
    assert (refused.status_code, refused.json()["code"]) == (409, "path_taken")
    for size in (2**60, 2**200):
        refused = sender.rest.post(f"{sender.url}/direct", {"path": "b.zip", "size": size})
        assert (refused.status_code, list(refused.json()["errors"])) == (400, ["size"])
    assert sender.rest.delete(f"{sender.url}/direct/{uuid4()}").status_code == 404


def test_another_persons_upload_is_not_there(store: S3Storage, cast: Cast, base: str) -> None:
    """Neither for a stranger, nor for those who may change the dataset and see that there is an upload."""
    sender = Sender(cast.editor.rest, base)
    file = sender.open("set.zip", 3)
    calls = [
        ("post", "direct", {"path": "set.zip", "size": 3}),
        ("post", f"direct/{file['id']}/parts", {"parts": [{"number": 1}]}),
        ("post", f"direct/{file['id']}/complete", {"sha256": ["a" * 64]}),
        ("delete", f"direct/{file['id']}", None),
    ]
    for person in (cast.stranger, cast.viewer, cast.owner, cast.admin, cast.platform):
        for method, path, body in calls:
            answer = getattr(person.rest, method)(f"{sender.url}/{path}", body)
            assert answer.status_code == 404, (person, path, answer.content)
    elsewhere = Sender(cast.owner.rest, base)
    for method, path, body in calls[1:]:
        assert getattr(cast.owner.rest, method)(f"{elsewhere.url}/{path}", body).status_code == 404
    assert sender.put(file, 1, b"abc").status_code == 200
    assert sender.complete(file, b"abc").status_code == 200


def test_an_upload_that_nobody_goes_on_with_leaves_nothing(store: S3Storage, cast: Cast, base: str) -> None:
    sender = Sender(cast.editor.rest, base)
    half = sender.open("half.zip", PART + 1)
    sender.put(half, 1, bytes(PART + 1))
    sender.send("whole.zip", b"abc")
    sweep()
    assert (len(incoming()), len(parts_left())) == (1, 1)
    Upload.objects.filter(pk=sender.id).update(updated_at=timezone.now() - timedelta(hours=23))
    sender.address(half, 2)
    sweep()
    assert sender.upload.state == UploadState.RECEIVING, "its sender asked for more"
    Upload.objects.filter(pk=sender.id).update(updated_at=timezone.now() - timedelta(hours=25))
    sweep()
    assert sender.upload.state == UploadState.CANCELLED
    assert (incoming(), parts_left(), DirectFile.objects.count()) == ([], [], 0)


def test_what_was_sent_to_a_dataset_that_is_gone_for_good_is_removed(store: S3Storage, cast: Cast, base: str) -> None:
    sender = Sender(cast.editor.rest, base)
    sender.put(sender.open("half.zip", PART + 1), 1, bytes(PART + 1))
    sender.send("whole.zip", b"abc")
    Dataset.objects.filter(pk=cast.sample("dataset").pk).delete()
    assert (len(incoming()), len(parts_left())) == (1, 1)
    sweep()
    assert (incoming(), parts_left(), DirectFile.objects.count()) == ([], [], 0)


def test_a_file_that_the_store_does_not_remove_stands_in_nobodys_way(
    store: S3Storage, cast: Cast, base: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sender = Sender(cast.editor.rest, base)
    kept = sender.send("kept.zip", b"abc")["id"]
    sender.send("gone.zip", b"def")
    Dataset.objects.filter(pk=cast.sample("dataset").pk).delete()
    key, delete = DirectFile.objects.get(pk=kept).key, S3Storage.delete

    def stubborn(self: S3Storage, wanted: str) -> None:
        if wanted == key:
            raise OSError("not now")
        delete(self, wanted)

    with monkeypatch.context() as patched, caplog.at_level(logging.ERROR):
        patched.setattr(S3Storage, "delete", stubborn)
        assert sweep()["sent"] == 1
    assert f"{key} was not removed" in caplog.text
    assert (incoming(), DirectFile.objects.count()) == ([key], 1)
    assert sweep()["sent"] == 1
    assert (incoming(), DirectFile.objects.count()) == ([], 0)


def test_while_the_store_is_away_programs_are_told_when_to_come_back(
    store: S3Storage, cast: Cast, base: str, settings: Any
) -> None:
    rest = cast.editor.rest
    sender, file = Sender(rest, base), {"path": "shapes.zip", "size": 3}
    nobody = f"http://127.0.0.1:{free_port()}"
    with configured(settings, {**KEYS, "bucket": "data", "endpoint": nobody}):
        rest.raise_request_exception = False
        answer = rest.post(f"{sender.url}/direct", file)
    assert (answer.status_code, answer["Retry-After"]) == (503, str(RETRY_SECONDS)), answer.content
    assert (answer.json()["code"], DirectFile.objects.count()) == ("storage_unavailable", 0)
    assert sender.open(**file), "it passes by itself"


def test_fsck_finds_parts_that_nobody_knows_and_leaves_those_of_uploads(
    store: S3Storage, cast: Cast, base: str
) -> None:
    sender = Sender(cast.editor.rest, base)
    half = sender.open("half.zip", PART + 1)
    sender.put(half, 1, bytes(PART + 1))
    sender.send("whole.zip", b"abc")
    kept = set(incoming())
    lost = f"incoming/{uuid4()}/{uuid4()}"
    store.direct.begin(lost)
    store.put("incoming/lost", io.BytesIO(b"lost"))
    found = {row.key for row in examine_stores(grace=-60) if row.key.startswith("incoming/")}
    assert found == {lost, "incoming/lost"}
    list(examine_stores(grace=-60, repair=True))
    assert (set(incoming()), len(parts_left())) == (kept, 1)
    sender.put(half, 2, bytes(PART + 1))
    assert sender.complete(half, bytes(PART + 1)).status_code == 200


def test_a_worker_that_dies_is_followed_by_one_that_goes_on(store: S3Storage, cast: Cast, base: str) -> None:
    sender = Sender(cast.editor.rest, base)
    sender.send("set.zip", set_of(PICTURE))
    cast.editor.rest.post(f"{sender.url}/analyze", {})
    with (
        mock.patch("apps.datasets.services.importing._note_fetched", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        services.upload_fetch(sender.id)
    assert sender.upload.state == UploadState.FETCHING
    with mock.patch.object(S3Storage, "open", side_effect=AssertionError("fetched a second time")):
        services.upload_fetch(sender.id)
    services.upload_read(sender.id)
    assert sender.upload.state == UploadState.READY


def test_who_lost_the_right_meanwhile_brings_nothing_in(store: S3Storage, cast: Cast, base: str) -> None:
    sender = Sender(cast.editor.rest, base)
    sender.send("set.zip", set_of(PICTURE))
    cast.editor.rest.post(f"{sender.url}/analyze", {})
    cast.sample("dataset").project.memberships.filter(user=cast.editor.user).delete()
    services.upload_fetch(sender.id)
    assert sender.upload.failure["code"] == "no_permission"


def test_an_upload_goes_one_way_or_the_other(store: S3Storage, cast: Cast, base: str) -> None:
    sender = Sender(cast.editor.rest, base)
    refused = sender.rest.put(f"{sender.url}/files?path=a", b"abc", content_type="application/octet-stream")
    assert (refused.status_code, refused.json()["code"]) == (409, "upload_direct")
    through = f"{base}/{cast.editor.rest.post(base, {}).json()['id']}"
    refused = cast.editor.rest.post(f"{through}/direct", {"path": "a", "size": 3})
    assert (refused.status_code, refused.json()["code"]) == (409, "upload_not_direct")


def test_without_a_bucket_or_without_leave_there_is_no_direct_upload(
    signing: str, settings: Any, cast: Cast, base: str
) -> None:
    def refusal() -> tuple[int, str]:
        answer = cast.editor.rest.post(base, {"direct": True})
        return answer.status_code, answer.json()["code"]

    assert refusal() == (409, "direct_unavailable")
    with configured(settings, {**KEYS, "bucket": "data", "endpoint": signing}):
        settings.DIRECT_UPLOADS = "off"
        assert refusal() == (409, "direct_unavailable")
        settings.DIRECT_UPLOADS = "programs"
        assert cast.editor.rest.post(base, {"direct": True}).status_code == 201


def test_no_address_and_no_signature_gets_into_the_log(
    store: S3Storage, cast: Cast, base: str, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    """bar-S12, with every logger of the portal at its finest; the store's client is held at INFO by the settings."""
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.INFO, "botocore"):
        sender = Sender(cast.editor.rest, base)
        file = sender.open("set.zip", 3)
        url = sender.address(file, 1)["url"]
        signature = url.partition("X-Amz-Signature=")[2]
        assert len(signature) == 64
        store.direct.parts(DirectFile.objects.get().key, DirectFile.objects.get().store_upload)
    assert "X-Amz-" not in caplog.text
    assert signature not in caplog.text
    for event in AuditEvent.objects.filter(organization_id=cast.editor.actor.organization_id):
        assert "X-Amz" not in str(event.__dict__)


def test_the_program_of_the_guide_sends_an_archive_and_goes_on_after_a_break(
    store: S3Storage, cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = Path(__file__).resolve().parents[2] / "docs" / "guides" / "datasets-for-programs.md"
    program = (
        guide.read_text().partition("## Straight to the store")[2].partition("```python\n")[2].partition("```")[0]
    )
    archive = tmp_path / "shapes.zip"
    archive.write_bytes(set_of(PICTURE))
    monkeypatch.setattr("sys.argv", ["send.py", str(cast.sample("dataset").pk), str(archive)])
    monkeypatch.setenv("PORTAL", "http://testserver")
    monkeypatch.setenv("MODELYARD_KEY", cast.editor.token)

    def portal(request: httpx.Request) -> httpx.Response:
        headers = {"Authorization": request.headers["Authorization"]}
        content = request.read()
        path = request.url.raw_path.decode()
        answer = Client().generic(request.method, path, content, content_type="application/json", headers=headers)
        return httpx.Response(answer.status_code, content=answer.content)

    client, sent, broken = httpx.Client, [], []

    def put(url: str, **options: Any) -> httpx.Response:
        number = httpx.URL(url).params["partNumber"]
        if number == "2" and not broken:
            broken.append(number)
            raise httpx.ConnectError("the line is dead")
        sent.append(number)
        return client().put(url, **options)

    def work(seconds: float) -> None:
        """The workers' part, while the program waits."""
        upload = Upload.objects.get(source="direct")
        services.upload_fetch(upload.pk)
        services.upload_read(upload.pk)

    monkeypatch.setattr(httpx, "Client", lambda **options: client(**options, transport=httpx.MockTransport(portal)))
    monkeypatch.setattr(httpx, "put", put)
    monkeypatch.setattr("time.sleep", work)
    (tmp_path / "send.py").write_text(program)
    with pytest.raises(httpx.ConnectError):
        runpy.run_path(str(tmp_path / "send.py"))
    runpy.run_path(str(tmp_path / "send.py"))
    assert sent == ["1", "2"], "the first part a second time"
    assert Upload.objects.get(source="direct").state == UploadState.READY
    assert {path.name for path in tmp_path.iterdir()} == {"shapes.zip", "send.py"}


def test_the_page_of_uploads_may_send_to_the_store_where_it_is_allowed_and_no_other_page(
    store: S3Storage, cast: Cast, settings: Any
) -> None:
    page = f"/datasets/{cast.sample('dataset').pk}/upload/"
    assert "data-direct" not in cast.editor.portal.get(page).content.decode()
    settings.DIRECT_UPLOADS = "browsers"
    origin = httpx.URL(store.public_endpoint)
    answer = cast.editor.portal.get(page)
    assert "data-direct" in answer.content.decode()
    (rule,) = [rule for rule in answer["Content-Security-Policy"].split(";") if "connect-src" in rule]
    assert rule.split()[1:] == ["'self'", f"http://localhost:{origin.port}"]
    other = cast.editor.portal.get(f"/datasets/{cast.sample('dataset').pk}/")
    assert f"localhost:{origin.port}" not in other["Content-Security-Policy"]


def test_keys_of_two_organizations_never_meet(store: S3Storage, cast: Cast, base: str) -> None:
    Sender(cast.editor.rest, base).open("set.zip", 3)
    (file,) = DirectFile.objects.all()
    assert file.key.split("/")[1] == str(cast.sample("dataset").organization_id)
    assert file.organization_id == cast.sample("dataset").organization_id
    with pytest.raises(NotAuthenticated):
        direct.direct_open(actor=Actor.anonymous(), upload=Upload.objects.get(pk=file.upload_id), path="a", size=1)
