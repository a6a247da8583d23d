"""Trying a store, step by step, with a hint for each way in which a step fails."""

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from apps.core.entities.ids import uuid7
from apps.core.storage.base import Storage
from apps.core.storage.local import LocalStorage
from apps.core.storage.s3 import S3Storage

CONTENT = bytes(range(256)) * 4
#: Code of an S3 store → what to do.
HINTS = {
    "NoSuchBucket": "Create the bucket, or correct S3_BUCKET.",
    "InvalidAccessKeyId": "Check S3_ACCESS_KEY_ID.",
    "SignatureDoesNotMatch": "Check S3_SECRET_ACCESS_KEY, and S3_REGION.",
    "RequestTimeTooSkewed": "Set this machine's clock.",
    "AuthorizationHeaderMalformed": "Set S3_REGION to the bucket's region.",
    "PermanentRedirect": "Set S3_REGION to the bucket's region.",
    "IllegalLocationConstraintException": "Set S3_REGION to the bucket's region.",
    "NotImplemented": "Set S3_CHECKSUMS=when_required; if it stays, the store lacks what this step needs.",
    "XAmzContentSHA256Mismatch": "Set S3_CHECKSUMS=when_required.",
    "QuotaExceeded": "Make room in the store.",
    "SlowDown": "The store is overloaded: try again later.",
}
#: Step → the right that a key needs for it.
RIGHTS = {
    "put": "s3:PutObject",
    "get": "s3:GetObject",
    "range": "s3:GetObject",
    "list": "s3:ListBucket",
    "move": "s3:PutObject and s3:GetObject",
    "multipart": "s3:PutObject and s3:AbortMultipartUpload",
    "delete": "s3:DeleteObject",
}
#: Class of an error without a code of the store's → what to do.
NETWORK = {
    "EndpointConnectionError": "Check S3_ENDPOINT_URL: nothing answers there.",
    "ConnectTimeoutError": "Check S3_ENDPOINT_URL and the firewall: nothing answers there.",
    "ReadTimeoutError": "The store is slow, or the endpoint is not one of S3.",
    "SSLError": "The endpoint's certificate is not trusted, or it speaks http://.",
    "NoCredentialsError": "Set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY.",
    "InvalidEndpointError": "S3_ENDPOINT_URL is no address such as https://minio.internal:9000.",
}


class Different(Exception):
    """The store answered, and not with what was stored."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried; `error` is None when it went well."""

    name: str
    error: Exception | None = None
    hint: str = ""


def examine(store: Storage) -> Iterator[Step]:
    """Puts, reads, reads a part of, lists, moves and deletes a small object, and sends one in parts where there are
    parts. Ends at the first failure; what was put is removed."""
    root = f"probe/{uuid7()}"
    key, moved = f"{root}/object", f"{root}/moved"

    def get() -> None:
        _same(store.read(key), CONTENT)

    def ranged() -> None:
        _same(b"".join(store.open(key, offset=100, length=50)), CONTENT[100:150])

    def listed() -> None:
        _same(b" ".join(found.encode() for found in store.keys(f"{root}/")), key.encode())

    def move() -> None:
        store.move(key, moved)
        _same(store.read(moved), CONTENT)

    def delete() -> None:
        store.delete(moved)
        if store.size(moved) is not None:
            raise Different("the object is there after it was deleted")

    steps: list[tuple[str, Callable[[], object]]] = [
        ("put", lambda: store.put(key, io.BytesIO(CONTENT))),
        ("get", get),
        ("range", ranged),
        ("list", listed),
        ("move", move),
    ]
    if isinstance(store, S3Storage):
        steps.append(("multipart", lambda: store.try_parts(f"{root}/parts", CONTENT)))
    steps.append(("delete", delete))
    try:
        for name, act in steps:
            try:
                act()
            except Exception as error:  # noqa: BLE001 - each client has errors of its own
                yield Step(name, error, hint_for(store, name, error))
                return
            yield Step(name)
    finally:
        _tidy(store, key, moved)


def hint_for(store: Storage, step: str, error: Exception) -> str:
    """What to do about the error of a step."""
    if isinstance(store, LocalStorage):
        return f"Give {store.root} to the account that runs the portal, and see that the disk has room."
    if isinstance(error, Different):
        return "Something between the portal and the store changes or keeps answers: a proxy, or a cache."
    code = str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
    if code in {"AccessDenied", "403", "Forbidden"}:
        return f"Give the key {RIGHTS[step]} on the bucket; or the keys are wrong."
    if code in HINTS:
        return HINTS[code]
    if code in {"404", "NotFound"}:
        return HINTS["NoSuchBucket"]
    for kind in type(error).__mro__:
        if kind.__name__ in NETWORK:
            return NETWORK[kind.__name__]
    return "Check S3_ENDPOINT_URL, S3_BUCKET and the keys."


def _same(found: bytes, wanted: bytes) -> None:
    if found != wanted:
        raise Different("the store returned something else than was stored")


def _tidy(store: Storage, *keys: str) -> None:
    for key in keys:
        try:
            store.delete(key)
        except Exception:  # noqa: BLE001 - the step that failed says why
            return
    if isinstance(store, LocalStorage):
        for folder in (store.root / key for key in (os.path.dirname(keys[0]), "probe")):
            try:
                folder.rmdir()
            except OSError:
                return
