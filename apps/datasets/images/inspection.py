"""Inspecting an image without decoding it: by content, with own header readers, about 10 µs for a small picture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from apps.datasets.defects import WARNING, BadInput, Defect, shown
from apps.datasets.images import bitmaps, jpeg, png, tiff
from apps.datasets.images.facts import Header, ImageFacts, ImageLimits, Warn

#: File names that say "image", and the format that they promise. GIF is read to say clearly what is wrong with it.
EXTENSIONS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".dib": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".gif": "GIF",
    ".svg": "SVG",
    ".heic": "HEIC",
    ".heif": "HEIC",
    ".avif": "AVIF",
    ".jp2": "JPEG 2000",
    ".dng": "DNG",
    ".psd": "PSD",
}
READERS: dict[str, Callable[[bytes, ImageLimits, Warn], Header]] = {
    "JPEG": jpeg.read_header,
    "PNG": png.read_header,
    "WEBP": bitmaps.read_webp,
    "BMP": bitmaps.read_bmp,
    "TIFF": tiff.read_header,
    "GIF": bitmaps.read_gif,
}
#: Orientations that turn the picture by a quarter: width and height change places.
QUARTER_TURNS = frozenset({5, 6, 7, 8})


def is_image_name(path: str) -> bool:
    """Whether the name says that the file is an image (supported or not)."""
    return path[path.rfind(".") :].lower() in EXTENSIONS if "." in path else False


def sniff(data: bytes) -> str:
    """Return the format by the first bytes, or raise BadInput for what is not an image that is taken."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"BM") and len(data) >= 6:
        return "BMP"
    if data[4:8] == b"ftyp":
        raise BadInput("image.unsupported", format="AVIF or HEIC")
    if data.startswith((b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ")):
        raise BadInput("image.unsupported", format="JPEG 2000")
    if data.startswith(b"8BPS"):
        raise BadInput("image.unsupported", format="PSD")
    head = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"<") and b"<svg" in head:
        raise BadInput("image.svg")
    if head.startswith(b"<?xml") and b"<!entity" in head:
        raise BadInput("image.svg")
    raise BadInput("image.not_image")


def inspect(
    source: bytes | Path, *, name: str | None = None, limits: ImageLimits | None = None
) -> tuple[ImageFacts | None, list[Defect]]:
    """Return the image's facts, None when it must not be kept, and what is wrong or odd with it.

    `name` is the path shown in the defects; its extension is compared with the content. Pixels are not decoded: an
    image that passes can still turn out to be undecodable, which `decode_check` finds.
    """
    limits = limits or ImageLimits()
    if isinstance(source, Path):
        name = name or source.name
        if source.stat().st_size > limits.file_bytes:
            return None, [_refusal(BadInput("image.too_big", limit=limits.file_bytes), name)]
        source = source.read_bytes()
    defects: list[Defect] = []

    def warn(code: str, **params: Any) -> None:
        defects.append(Defect(code, WARNING, name, None, {key: shown(value) for key, value in params.items()}))

    try:
        facts = _facts(source, limits, warn, name)
    except BadInput as refused:
        return None, [*defects, _refusal(refused, name)]
    return facts, defects


def _facts(data: bytes, limits: ImageLimits, warn: Warn, name: str | None) -> ImageFacts:
    if not data:
        raise BadInput("image.empty")
    if len(data) > limits.file_bytes:
        raise BadInput("image.too_big", limit=limits.file_bytes)
    kind = sniff(data)
    header = READERS[kind](data, limits, warn)
    if header.frames > limits.frames:
        raise BadInput("image.frames", limit=limits.frames)
    width, height = header.width, header.height
    if width <= 0 or height <= 0:
        raise BadInput("image.corrupt", detail="no width or height")
    if width * height > limits.pixels:
        raise BadInput("image.pixels", width=width, height=height, limit=limits.pixels)
    if kind == "GIF":
        raise BadInput("image.unsupported", format="GIF")
    if header.frames > 1:
        warn("image.first_frame", frames=header.frames)
    if name is not None:
        promised = EXTENSIONS.get(name[name.rfind(".") :].lower())
        if promised != kind:
            warn("image.extension", format=kind)
    if header.orientation in QUARTER_TURNS:
        width, height = height, width
    return ImageFacts(width, height, kind, header.mode, header.orientation, header.frames)


def _refusal(refused: BadInput, name: str | None) -> Defect:
    found = refused.defect
    return Defect(found.code, found.severity, name, found.line, found.params)
