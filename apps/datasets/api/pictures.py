"""A picture as it was uploaded, and a small copy of it: the same answers at every door that has found the image."""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponseBase
from rest_framework import serializers

from apps.core.api.bodies import file_response, not_modified
from apps.core.api.requests import ApiRequest
from apps.datasets import selectors
from apps.datasets.models import Blob, Entry
from apps.datasets.selectors.images import THUMBNAIL_SIZES


class ThumbnailQuery(serializers.Serializer[Any]):
    size = serializers.ChoiceField(choices=THUMBNAIL_SIZES, default=256)


def picture_response(request: ApiRequest, image: Entry, note: Callable[[], Any]) -> HttpResponseBase:
    """The file, byte for byte; `note` writes down that it was opened, unless the reader has it already."""
    blob = image.blob
    if (unchanged := not_modified(request, blob.sha256)) is not None:
        return unchanged
    if request.method == "GET":
        note()
    return file_response(
        request,
        selectors.open_blob(blob),
        tag=blob.sha256,
        media_type=blob.media_type,
        name=image.item.path.rpartition("/")[2],
        size=blob.size,
    )


def small_picture_response(request: ApiRequest, blob: Blob) -> HttpResponseBase:
    """A copy of the size that the address asks for, as WebP. Raises `ValidationError` for one that is not made."""
    form = ThumbnailQuery(data=request.query_params)
    form.is_valid(raise_exception=True)
    if (unchanged := not_modified(request, blob.sha256)) is not None:
        return unchanged
    content = selectors.thumbnail_of(blob, form.validated_data["size"])
    return file_response(
        request, content, tag=blob.sha256, media_type="image/webp", name="thumbnail.webp", size=len(content)
    )
