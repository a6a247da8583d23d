"""Buckets of others, read past no check: against a server that verifies signatures, and one that answers oddly."""

import io
from pathlib import Path
from typing import Any

import pytest

from apps.core.outbound import Bucket, BucketError, OutboundError, buckets
from tests.core.test_outbound import Canary, allowed, canary, reply
from tests.core.test_storage import s3, signing_server
from tests.security.report import CREDENTIALS
from tests.stores import ACCESS, KEYS, SIGNING

__all__ = ["allowed", "canary", "signing_server"]  # fixtures
pytestmark = pytest.mark.security(CREDENTIALS, "buckets that are read")


@pytest.fixture
def endpoint(signing_server: str, settings: Any) -> str:
    settings.OUTBOUND_PRIVATE_ORIGINS = frozenset({("http", "127.0.0.1", int(signing_server.rpartition(":")[2]))})
    return signing_server


def code_of(bucket: Bucket, prefix: str = "") -> str:
    with pytest.raises((BucketError, OutboundError)) as caught:
        list(bucket.listed(prefix))
    return str(caught.value.code)  # type: ignore[union-attr]


def test_what_lies_under_a_prefix_is_listed_and_fetched_with_the_keys_given(endpoint: str, tmp_path: Path) -> None:
    store = s3(endpoint=endpoint)
    files = {"sets/a b/고양이 ~1+2.jpg": b"one", "sets/a b/deep/two.txt": b"two" * 1000, "setsother": b"no"}
    for key, content in files.items():
        store.put(key, io.BytesIO(content))
    bucket = Bucket("bucket", endpoint=endpoint, **KEYS)
    found = {listed.key: listed for listed in bucket.listed("sets/")}
    assert {key: row.size for key, row in found.items()} == {
        key: len(content) for key, content in files.items() if key.startswith("sets/")
    }
    for number, key in enumerate(found):
        assert bucket.download(key, tmp_path / str(number), most_bytes=10_000) == len(files[key])
        assert (tmp_path / str(number)).read_bytes() == files[key]
    before = found["sets/a b/deep/two.txt"].mark
    store.put("sets/a b/deep/two.txt", io.BytesIO(b"TWO" * 1000))
    assert {row.key: row.mark for row in bucket.listed("sets/")}["sets/a b/deep/two.txt"] != before
    for key in files:
        store.delete(key)


def test_wrong_keys_and_unknown_buckets_are_told_apart(endpoint: str) -> None:
    assert code_of(Bucket("bucket", endpoint=endpoint, access_key=ACCESS, secret_key="wrong")) == "bucket_keys"
    assert code_of(Bucket("absent", endpoint=endpoint, **KEYS)) == "bucket_unknown"
    assert code_of(Bucket("bucket", endpoint=endpoint)) in {"bucket_forbidden", "bucket_keys", "bucket_answer"}


@pytest.mark.parametrize(
    "endpoint",
    ["http://127.0.0.1:9000", "https://10.0.0.1", "https://169.254.169.254", "file:///etc", "https://a:b@example.com"],
)
def test_an_endpoint_is_called_by_the_rules_of_the_way_out(endpoint: str) -> None:
    assert code_of(Bucket("bucket", endpoint=endpoint, **KEYS)) in {"url_refused", "address_private"}


def test_where_amazons_buckets_are() -> None:
    assert Bucket("shapes", region="ap-northeast-2").url == "https://shapes.s3.ap-northeast-2.amazonaws.com"
    assert Bucket("my.shapes").url == "https://s3.us-east-1.amazonaws.com/my.shapes"


def page(*rows: str, more: str = "") -> bytes:
    token = f"<NextContinuationToken>{more}</NextContinuationToken>" if more else ""
    return f'<?xml version="1.0"?><ListBucketResult xmlns="x">{"".join(rows)}{token}</ListBucketResult>'.encode()


def row(key: str) -> str:
    return f"<Contents><Key>{key}</Key><Size>3</Size><ETag>e</ETag></Contents>"


def test_lists_of_several_pages_are_read_to_their_end_and_endless_ones_are_not(allowed: Canary) -> None:
    bucket = Bucket("bucket", endpoint=allowed.url.rstrip("/"))

    def two(handler: Any) -> None:
        second = "continuation-token=next" in handler.path
        reply(handler, page(row("b")) if second else page(row("a &amp; c"), more="next"))

    allowed.answer = two
    assert [found.key for found in bucket.listed("")] == ["a & c", "b"]
    assert "Authorization" not in allowed.seen, "without keys nothing is signed"
    allowed.answer = lambda handler: reply(handler, page(row("a"), more="same"))
    assert code_of(bucket) == "bucket_answer"


def test_a_list_that_only_goes_on_ends_by_its_time(allowed: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def endless(handler: Any) -> None:
        asked.append(handler.path)
        reply(handler, page(more=str(len(asked))))

    allowed.answer = endless
    monkeypatch.setattr(buckets, "LIST_SECONDS", 0.5)
    assert code_of(Bucket("bucket", endpoint=allowed.url)) == "too_slow"
    assert len(asked) > 1


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, b"<html></html>", "bucket_answer"),
        (200, b"{}", "bucket_answer"),
        (200, page("<Contents><Size>3</Size></Contents>"), "bucket_answer"),
        (200, page(f"<Contents><Key>a</Key><Size>3</Size><ETag>{'e' * 5000}</ETag></Contents>"), "bucket_answer"),
        (200, b'<!DOCTYPE x [<!ENTITY a "aaaa">]><ListBucketResult/>', "bucket_answer"),
        (403, b"<Error><Code>AccessDenied</Code></Error>", "bucket_forbidden"),
        (400, b"<Error><Code>AuthorizationHeaderMalformed</Code></Error>", "bucket_region"),
        (301, b"<Error><Code>PermanentRedirect</Code></Error>", "bucket_region"),
        (404, b"", "bucket_unknown"),
        (200, b" " * (9 << 20), "too_large"),
    ],
)
def test_odd_answers_are_told_what_they_are(status: int, body: bytes, code: str, allowed: Canary) -> None:
    allowed.answer = lambda handler: reply(handler, body, status)
    assert code_of(Bucket("bucket", endpoint=allowed.url.rstrip("/"))) == code


def test_keys_never_follow_a_redirect_and_an_object_that_is_refused_is_named(allowed: Canary, tmp_path: Path) -> None:
    bucket = Bucket("bucket", endpoint=allowed.url.rstrip("/"), **KEYS)
    allowed.answer = lambda handler: reply(handler, b"", 302, Location="/elsewhere")
    with pytest.raises(OutboundError) as caught:
        bucket.download("a", tmp_path / "a", most_bytes=10)
    assert (caught.value.code, allowed.connections) == ("redirected", 1)
    assert allowed.seen["Authorization"].startswith("AWS4-HMAC-SHA256 ")
    allowed.answer = lambda handler: reply(handler, b"", 403)
    with pytest.raises(BucketError) as refused:
        bucket.download("a", tmp_path / "a", most_bytes=10)
    assert (refused.value.code, refused.value.detail) == ("bucket_forbidden", "a")


def test_keys_are_not_shown() -> None:
    assert SIGNING not in repr(Bucket("bucket", **KEYS))
