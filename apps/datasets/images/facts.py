"""What is known of an image without decoding it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

#: Reports a warning: code and parameters.
Warn = Callable[..., None]

#: Formats that are taken in, and the types that browsers know them by.
MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
}


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """`width` and `height` are of the upright picture, in pixels; `mode` is Pillow's name for the pixel layout."""

    width: int
    height: int
    format: str
    mode: str
    orientation: int = 1
    frames: int = 1

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Bounds of one image. `unfolded_bytes` is for packed texts and colour profiles together."""

    file_bytes: int = 256 << 20
    pixels: int = 100_000_000
    frames: int = 100
    unfolded_bytes: int = 8 << 20


@dataclass(slots=True)
class Header:
    """What a format's reader found; width and height as stored, before the orientation is applied."""

    width: int
    height: int
    mode: str
    orientation: int = 1
    frames: int = 1
