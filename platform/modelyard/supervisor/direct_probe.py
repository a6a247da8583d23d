"""Whether files can be sent straight to the store: by the address that others have of it, within the bounds that are
signed, and from pages of this portal where browsers may."""

from collections.abc import Iterator

import httpx

from apps.core.entities.ids import uuid7
from apps.core.storage import DirectUploads, Storage

CONTENT = b"sent straight to the store"
SECONDS = 10.0


class Unfit(Exception):
    """What is wrong, and what to do about it."""

    def __init__(self, text: str, advice: str) -> None:
        super().__init__(text)
        self.text, self.advice = text, advice


def examine(store: Storage, direct: DirectUploads, page: str) -> Iterator[str]:
    """Sends a small object by a signed address and names each step that went well; what it sent is removed. `page` is
    the origin of the pages that are to send too, "" for none. Raises `Unfit`."""
    key = f"probe/{uuid7()}"
    upload = direct.begin(key)
    url = direct.url(key, upload, 1, len(CONTENT))
    try:
        _answered(_put(url, CONTENT), direct)
        yield "sent"
        if _put(url, CONTENT + b"?").is_success:
            raise Unfit(
                "the store takes more bytes than the address was signed for",
                "Set S3_DIRECT_UPLOADS=off: this store does not check what is signed.",
            )
        yield "bounded"
        direct.finish(key, upload, direct.parts(key, upload))
        if store.size(key) != len(CONTENT):
            raise Unfit("what was sent is not there", "Check that S3_PUBLIC_ENDPOINT_URL leads to the same store.")
        yield "joined"
        if page:
            _preflight(url, page)
            yield "from pages"
    finally:
        direct.abort(key, upload)
        store.delete(key)


def _put(url: str, content: bytes) -> httpx.Response:
    try:
        return httpx.put(url, content=content, timeout=SECONDS)
    except httpx.HTTPError as error:
        raise Unfit(
            f"{httpx.URL(url).host}: {type(error).__name__}",
            "Check S3_PUBLIC_ENDPOINT_URL, the address of the store for others; or set S3_DIRECT_UPLOADS=off.",
        ) from None


def _answered(answer: httpx.Response, direct: DirectUploads) -> None:
    if not answer.is_success:
        raise Unfit(
            f"{direct.origin} answers {answer.status_code} to a part",
            "Check S3_PUBLIC_ENDPOINT_URL and S3_ADDRESSING, and that no proxy before the store changes requests.",
        )


def _preflight(url: str, page: str) -> None:
    """Asks as a browser does before it sends to another origin."""
    asked = {"Origin": page, "Access-Control-Request-Method": "PUT"}
    try:
        answer = httpx.options(url, headers=asked, timeout=SECONDS)
    except httpx.HTTPError as error:
        raise Unfit(f"a preflight: {type(error).__name__}", "Look at the store's log.") from None
    allowed = answer.headers.get("Access-Control-Allow-Origin", "")
    methods = answer.headers.get("Access-Control-Allow-Methods", "")
    if not answer.is_success or allowed not in (page, "*") or "PUT" not in methods:
        raise Unfit(
            f"the store does not let pages of {page} send to it (CORS)",
            "Let the bucket's CORS rules allow this origin the method PUT, or set S3_DIRECT_UPLOADS=programs.",
        )
