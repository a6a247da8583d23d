"""Bodies that are files: taken in as streams, given out with the headers that keep browsers from running them."""

from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse, HttpResponseBase, HttpResponseNotModified
from django.utils.http import content_disposition_header, parse_etags
from rest_framework.parsers import BaseParser

from apps.core.api.requests import ApiRequest
from apps.core.api.streaming import StreamedResponse

YEAR_SECONDS = 31_536_000
WHOLE_BYTES = 8 << 20
#: Headers of an answer that holds what only who asked may have, such as a link or a key.
NOT_KEPT = {"Cache-Control": "no-store"}


class StreamParser(BaseParser):
    """Any body, as the stream that it is: nothing is held in memory and no type is believed."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return stream


def body_of(request: ApiRequest) -> tuple[Any, int | None]:
    """The body's stream, and its length where it was announced."""
    announced = request.META.get("CONTENT_LENGTH") or ""
    return request._request, int(announced) if announced.isdigit() else None


def not_modified(request: ApiRequest, tag: str) -> HttpResponseBase | None:
    """The answer to a browser that has the content of this tag already."""
    if f'"{tag}"' in parse_etags(request.headers.get("If-None-Match", "")):
        return _cached(HttpResponseNotModified(), request, tag)
    return None


def file_response(
    request: ApiRequest,
    content: bytes | Iterator[bytes],
    *,
    tag: str,
    media_type: str,
    name: str,
    size: int,
    inline: bool = False,
) -> HttpResponseBase:
    """A file, never shown as a page of ours: an attachment (unless `inline`) whose type browsers must not guess."""
    response: HttpResponseBase
    if isinstance(content, bytes):
        response = HttpResponse(content, content_type=media_type)
    elif size <= WHOLE_BYTES:
        response = HttpResponse(b"".join(content), content_type=media_type)
    else:
        response = StreamedResponse(content, content_type=media_type)
        response["Content-Length"] = str(size)
    response["Content-Disposition"] = content_disposition_header(not inline, name) or (
        "inline" if inline else "attachment"
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return _cached(response, request, tag)


def _cached(response: HttpResponseBase, request: ApiRequest, tag: str) -> HttpResponseBase:
    """For ever where the address names the content (`?v=`), else asked again each time."""
    fixed = bool(tag) and tag.startswith(request.query_params.get("v") or "-")
    response["ETag"] = f'"{tag}"'
    response["Cache-Control"] = f"private, max-age={YEAR_SECONDS}, immutable" if fixed else "private, no-cache"
    return response
