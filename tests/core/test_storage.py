"""The object store: a local folder, moto's S3 and a server that checks signatures behave alike."""

import errno
import hashlib
import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from apps.core.storage import ObjectNotFound, Storage
from apps.core.storage.local import LocalStorage
from apps.core.storage.probing import HINTS, examine, hint_for
from apps.core.storage.providers import AMAZON, GOOGLE, OTHER, R2, provider_of
from apps.core.storage.registry import storage as configured
from apps.core.storage.s3 import S3Storage
from tests.stores import ACCESS, SIGNING, signed_server


@pytest.fixture(scope="module")
def signing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3 server that verifies signatures, on a free loopback port."""
    with signed_server(tmp_path_factory.mktemp("s3"), "bucket") as url:
        yield url


def s3(**changes: Any) -> S3Storage:
    options = {
        "bucket": "bucket",
        "endpoint": "",
        "public_endpoint": "",
        "region": "us-east-1",
        "access_key": ACCESS,
        "secret_key": SIGNING,
    }
    return S3Storage(**{**options, **changes})


@pytest.fixture(params=["local", "moto", "signed"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "local":
        yield LocalStorage(tmp_path)
    elif request.param == "moto":
        with mock_aws():
            boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="bucket")
            yield s3()
    else:
        found = s3(endpoint=request.getfixturevalue("signing_server"))
        yield found
        for key in list(found.keys("")):
            found.delete(key)


def put(store: Storage, key: str, content: bytes) -> None:
    stored = store.put(key, io.BytesIO(content))
    assert (stored.size, stored.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_what_was_put_is_read_whole_and_in_parts(store: Storage) -> None:
    content = bytes(range(256)) * 5000
    put(store, "a/b/object.bin", content)
    assert store.read("a/b/object.bin") == content
    assert b"".join(store.open("a/b/object.bin", offset=1000)) == content[1000:]
    assert b"".join(store.open("a/b/object.bin", offset=7, length=20)) == content[7:27]
    assert store.size("a/b/object.bin") == len(content)


def test_objects_over_one_part_are_stored_whole(store: Storage) -> None:
    content = os.urandom(1024) * (9 * 1024 + 1)
    put(store, "large", content)
    assert hashlib.sha256(store.read("large")).hexdigest() == hashlib.sha256(content).hexdigest()


def test_an_empty_object_is_an_object(store: Storage) -> None:
    put(store, "empty", b"")
    assert store.size("empty") == 0
    assert store.read("empty") == b""


def test_putting_again_replaces(store: Storage) -> None:
    put(store, "key", b"first version")
    put(store, "key", b"second")
    assert store.read("key") == b"second"
    assert list(store.keys("")) == ["key"]


def test_an_absent_object_is_a_typed_error_before_the_first_chunk(store: Storage) -> None:
    assert store.size("absent") is None
    with pytest.raises(ObjectNotFound):
        store.open("absent")
    with pytest.raises(ObjectNotFound):
        store.move("absent", "elsewhere")
    store.delete("absent")


def test_moving_replaces_the_target_and_empties_the_source(store: Storage) -> None:
    put(store, "incoming/1", b"new")
    put(store, "blobs/1", b"old")
    store.move("incoming/1", "blobs/1")
    assert store.read("blobs/1") == b"new"
    assert store.size("incoming/1") is None


def test_keys_are_those_under_the_prefix(store: Storage) -> None:
    for key in ("jobs/1/a", "jobs/1/b/c", "jobs/2/a", "blobs/1"):
        put(store, key, b"x")
    assert sorted(store.keys("jobs/1/")) == ["jobs/1/a", "jobs/1/b/c"]
    assert list(store.keys("nothing/")) == []
    store.delete("jobs/1/a")
    assert sorted(store.keys("jobs/")) == ["jobs/1/b/c", "jobs/2/a"]


def test_every_step_of_the_probe_succeeds_and_it_leaves_nothing_behind(store: Storage) -> None:
    steps = list(examine(store))
    assert [step.error for step in steps] == [None] * len(steps)
    parts = ["multipart"] if isinstance(store, S3Storage) else []
    assert [step.name for step in steps] == ["put", "get", "range", "list", "move", *parts, "delete"]
    assert list(store.keys("")) == []


def test_a_key_never_leaves_the_local_folder(tmp_path: Path) -> None:
    store = LocalStorage(tmp_path / "root")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path)
    (tmp_path / "root" / "object").symlink_to(tmp_path / "secret")
    for key in ("../secret", "/etc/passwd", "a/../../secret", "link/secret", "object", "a/../..", ".."):
        with pytest.raises(ValueError, match="leaves the store"):
            store.open(key)
        with pytest.raises(ValueError, match="leaves the store"):
            store.put(key, io.BytesIO(b"x"))
    assert (tmp_path / "secret").read_text() == "secret"


def test_a_folder_takes_a_file_without_a_copy(tmp_path: Path) -> None:
    store, source = LocalStorage(tmp_path / "root"), tmp_path / "staged"
    source.write_bytes(b"content")
    assert store.take_file(source, "a/b")
    assert os.path.samefile(source, tmp_path / "root/a/b")
    source.unlink()
    assert store.read("a/b") == b"content"


def test_what_lies_under_the_name_is_replaced_and_never_followed(tmp_path: Path) -> None:
    store, source, outside = LocalStorage(tmp_path / "root"), tmp_path / "staged", tmp_path / "outside"
    source.write_bytes(b"content")
    outside.write_bytes(b"of somebody else")
    store.put("a/damaged", io.BytesIO(b"damaged"))
    (tmp_path / "root/a/link").symlink_to(outside)
    for key in ("a/damaged", "a/link", "a/link"):
        assert store.take_file(source, key)
        assert store.read(key) == b"content"
    assert outside.read_bytes() == b"of somebody else"
    assert sorted(store.keys("a")) == ["a/damaged", "a/link"], "and nothing is left beside them"
    with pytest.raises(ValueError, match="leaves the store"):
        store.take_file(source, "../b")


def test_a_file_that_cannot_be_linked_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "staged"
    source.write_bytes(b"content")
    assert not s3().take_file(source, "a/b")
    store = LocalStorage(tmp_path / "root")
    monkeypatch.setattr(os, "link", mock.Mock(side_effect=OSError(errno.EXDEV, "another file system")))
    assert not store.take_file(source, "a/b")
    assert list(store.keys("")) == []


def test_a_local_write_that_breaks_leaves_the_old_object_and_no_rest(tmp_path: Path) -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise OSError("connection lost")
            return super().read(10)

    store = LocalStorage(tmp_path)
    put(store, "key", b"old")
    with pytest.raises(OSError, match="connection lost"):
        store.put("key", Breaking(b"x" * 100))
    assert store.read("key") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_signed_links_work_for_their_time_and_object_only(signing_server: str) -> None:
    store = s3(endpoint=signing_server)
    put(store, "report.txt", b"content")
    url = store.signed_url("report.txt", filename="r.txt", media_type="text/plain", expires_seconds=60)
    assert url is not None
    with urlopen(url, timeout=10) as answer:
        assert answer.read() == b"content"
    for other in (
        url.replace("report.txt", "other.txt"),
        url.split("?")[0],
        url.replace("X-Amz-Signature=", "X-Amz-Signature=0"),
    ):
        with pytest.raises(OSError, match="HTTP Error 40[03]"):
            urlopen(other, timeout=10)


def test_a_signed_link_reads_and_does_nothing_else(signing_server: str) -> None:
    """bad-K37, bad-K38: nothing is ever uploaded by a link."""
    store = s3(endpoint=signing_server)
    put(store, "kept.txt", b"content")
    url = store.signed_url("kept.txt", filename="r.txt", media_type="text/plain", expires_seconds=60)
    assert url is not None
    for method, body in (("PUT", b"longer than before"), ("DELETE", None), ("POST", b"x")):
        with pytest.raises(HTTPError) as caught:
            urlopen(Request(url, data=body, method=method), timeout=10)
        assert caught.value.code in (400, 403, 405), method
    assert store.read("kept.txt") == b"content"


def test_a_signed_link_ends(signing_server: str) -> None:
    """bad-K36."""
    store = s3(endpoint=signing_server)
    put(store, "kept.txt", b"content")
    url = store.signed_url("kept.txt", filename="r.txt", media_type="text/plain", expires_seconds=1)
    assert url is not None

    def has_ended() -> bool:
        try:
            with urlopen(url, timeout=10):
                return False
        except HTTPError as error:
            assert error.code in (400, 403)
            return True

    deadline = time.monotonic() + 20
    while not has_ended():
        assert time.monotonic() < deadline, "it still works"


def test_wrong_keys_are_refused_and_never_taken_for_an_absent_object(signing_server: str) -> None:
    store = s3(endpoint=signing_server, secret_key="wrong")
    with pytest.raises(Exception, match="403|SignatureDoesNotMatch"):
        store.size("probe")
    (step,) = examine(store)
    assert (step.name, step.hint) == ("put", HINTS["SignatureDoesNotMatch"])


def test_links_for_browsers_carry_the_public_address() -> None:
    store = s3(endpoint="http://minio:9000", public_endpoint="https://files.example.com")
    url = store.signed_url("key", filename="a.txt", media_type="text/plain", expires_seconds=60)
    assert url is not None
    assert url.startswith("https://files.example.com/bucket/key?")
    assert "X-Amz-Expires=60" in url


def test_the_settings_choose_between_folder_and_bucket(settings: Any, tmp_path: Path) -> None:
    configured.cache_clear()
    try:
        settings.STORAGE = {**settings.STORAGE, "bucket": "", "local_root": tmp_path}
        assert isinstance(configured(), LocalStorage)
        configured.cache_clear()
        settings.STORAGE = {**settings.STORAGE, "bucket": "b"}
        assert isinstance(configured(), S3Storage)
    finally:
        configured.cache_clear()


@pytest.mark.parametrize(
    ("endpoint", "provider"),
    [
        ("", AMAZON),
        ("https://s3.ap-northeast-2.amazonaws.com", AMAZON),
        ("https://1234abcd.r2.cloudflarestorage.com", R2),
        ("https://storage.googleapis.com", GOOGLE),
        ("http://minio:9000", OTHER),
        ("https://amazonaws.com.example", OTHER),
    ],
)
def test_the_dialect_is_told_by_the_endpoint(endpoint: str, provider: Any) -> None:
    assert provider_of(endpoint) == provider


def link_of(**options: Any) -> str:
    url = s3(region="", **options).signed_url("key", filename="a.txt", media_type="text/plain", expires_seconds=60)
    assert url is not None
    return url


def test_each_dialect_is_addressed_and_signed_as_it_wants() -> None:
    assert link_of().startswith("https://bucket.s3.amazonaws.com/key?")
    assert link_of(bucket="my.bucket").startswith("https://s3.amazonaws.com/my.bucket/key?")
    assert link_of(endpoint="https://minio.internal:9000").startswith("https://minio.internal:9000/bucket/key?")
    assert "%2Fauto%2Fs3%2F" in link_of(endpoint="https://1234.r2.cloudflarestorage.com")
    assert "%2Fauto%2Fs3%2F" in link_of(endpoint="https://storage.googleapis.com")
    virtual = link_of(endpoint="https://store.example", addressing="virtual")
    assert virtual.startswith("https://bucket.store.example/key?")


@pytest.mark.parametrize(
    ("options", "checksums"),
    [
        ({}, "when_supported"),
        ({"endpoint": "https://storage.googleapis.com"}, "when_required"),
        ({"endpoint": "http://minio:9000", "checksums": "when_supported"}, "when_supported"),
    ],
)
def test_checksums_that_a_dialect_does_not_know_are_not_sent(options: dict[str, str], checksums: str) -> None:
    config = s3(**options).client.meta.config
    assert (config.request_checksum_calculation, config.response_checksum_validation) == (checksums, checksums)


def test_the_portal_and_browsers_may_reach_the_store_by_two_addresses(signing_server: str) -> None:
    """The link is made for the outer address, while the object went in by the inner one."""
    port = signing_server.rpartition(":")[2]
    store = s3(endpoint=signing_server, public_endpoint=f"http://localhost:{port}")
    put(store, "report.txt", b"content")
    url = store.signed_url("report.txt", filename="r.txt", media_type="text/plain", expires_seconds=60)
    assert url is not None
    assert url.startswith(f"http://localhost:{port}/bucket/")
    with urlopen(url, timeout=10) as answer:
        assert answer.read() == b"content"


def test_objects_are_listed_with_size_and_age_and_folders_by_name(store: Storage) -> None:
    before = time.time()
    for key in ("blobs/one/aa/x", "blobs/one/bb/y", "blobs/two/aa/z", "logs/1"):
        put(store, key, b"12345")
    found = {row.key: row for row in store.objects("blobs/one/")}
    assert set(found) == {"blobs/one/aa/x", "blobs/one/bb/y"}
    assert {row.size for row in found.values()} == {5}
    assert all(abs(row.modified_at - before) < 60 for row in found.values())
    assert sorted(store.folders("blobs/")) == ["one", "two"]
    assert list(store.folders("nothing/")) == []


@pytest.mark.parametrize(
    ("step", "failing", "hint"),
    [
        ("put", ClientError({"Error": {"Code": "NoSuchBucket"}}, "PutObject"), "Create the bucket"),
        ("put", EndpointConnectionError(endpoint_url="http://x"), "S3_ENDPOINT_URL"),
        ("put", ClientError({"Error": {"Code": "AuthorizationHeaderMalformed"}}, "PutObject"), "S3_REGION"),
        ("get", ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject"), "s3:GetObject"),
        ("multipart", ClientError({"Error": {"Code": "NotImplemented"}}, "UploadPart"), "S3_CHECKSUMS"),
        ("delete", ClientError({"Error": {"Code": "AccessDenied"}}, "DeleteObject"), "s3:DeleteObject"),
        ("list", ClientError({"Error": {"Code": "AccessDenied"}}, "ListObjectsV2"), "s3:ListBucket"),
    ],
)
def test_each_failure_of_the_probe_has_a_hint(step: str, failing: Exception, hint: str) -> None:
    assert hint in hint_for(s3(), step, failing)


def test_the_probe_tells_what_a_store_without_the_bucket_lacks() -> None:
    with mock_aws():
        (step,) = examine(s3())
    assert (step.name, step.hint) == ("put", HINTS["NoSuchBucket"])


def test_the_probe_finds_a_store_that_ignores_ranges(tmp_path: Path) -> None:
    class Whole(LocalStorage):
        def open(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
            return super().open(key)

    *well, last = examine(Whole(tmp_path))
    assert [step.name for step in well] == ["put", "get"]
    assert last.name == "range"
    assert last.error is not None
    assert list(Whole(tmp_path).keys("")) == []
