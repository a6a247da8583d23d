"""Images: headers and trailers checked inline, full decoding and derived copies in the background."""

from apps.datasets.images.decoding import decode_check, thumbnail
from apps.datasets.images.facts import MEDIA_TYPES, ImageFacts, ImageLimits
from apps.datasets.images.inspection import EXTENSIONS, inspect, is_image_name

__all__ = [
    "EXTENSIONS",
    "MEDIA_TYPES",
    "ImageFacts",
    "ImageLimits",
    "decode_check",
    "inspect",
    "is_image_name",
    "thumbnail",
]
