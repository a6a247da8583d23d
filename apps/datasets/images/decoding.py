"""Work on an image's pixels, for background processes: full decoding, and small copies without metadata.

Call `guard_process` first where the images are not trusted: it bounds the memory and processor time of the process.
"""

import io
import resource
import struct
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from apps.datasets.defects import ERROR, BadInput, Defect, shown
from apps.datasets.images.facts import ImageLimits

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
#: Everything that decoders were seen to raise on damaged data.
DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
THUMBNAIL_QUALITY = 80
#: Modes whose pixels may be averaged as they are; numbers of a palette may not.
AVERAGED = frozenset({"L", "LA", "RGB", "RGBA", "CMYK"})
#: Parts on each side over which a look averages brightness, and those over which it averages each colour difference.
BRIGHT, COLOURED = 8, 4
LOOK_BYTES = BRIGHT * BRIGHT + 2 * COLOURED * COLOURED
#: A picture whose averages are all as close as this shows too little to be compared with others.
FLAT = 24


def guard_process(memory_bytes: int, cpu_seconds: int) -> None:
    """Bound this whole process: allocations beyond fail with MemoryError, processor time beyond ends it."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))


def decode_check(source: bytes | Path, *, name: str | None = None, limits: ImageLimits | None = None) -> list[Defect]:
    """Decode the first frame of the image completely; return what went wrong, [] for a sound image."""
    try:
        decoded(source, limits)
    except BadInput as refused:
        found = refused.defect
        return [Defect(found.code, ERROR, name, None, found.params)]
    return []


def look_of(source: bytes | Path, *, limits: ImageLimits | None = None) -> bytes | None:
    """What the picture looks like; a JPEG is decoded no larger than that needs, so what is broken in it may go unseen.

    None when it cannot be decoded.
    """
    try:
        return look_at(decoded(source, limits, near=4 * BRIGHT))
    except BadInput:
        return None


def look_at(image: Image.Image) -> bytes:
    """What the upright picture looks like from far away: averages of its brightness, row by row, and of its two colour
    differences; b"" where it is too even for that to tell it from others. Raises BadInput."""
    try:
        plain = image if image.mode == "RGB" else _displayable(image).convert("RGB")
        small = plain.resize((BRIGHT, BRIGHT), Image.Resampling.BOX)
        if "exif" in image.info:
            small.info["exif"] = image.info["exif"]
            small = ImageOps.exif_transpose(small)
        bright, *coloured = small.convert("YCbCr").split()
        planes = [bright, *(plane.resize((COLOURED, COLOURED), Image.Resampling.BOX) for plane in coloured)]
    except DECODING_ERRORS as error:
        raise BadInput("image.undecodable", detail=shown(error)) from None
    averages = [plane.tobytes() for plane in planes]
    return b"" if max(max(plane) - min(plane) for plane in averages) < FLAT else b"".join(averages)


def thumbnail(source: bytes | Path, size: int, *, limits: ImageLimits | None = None) -> bytes:
    """Return an upright WebP copy that fits in `size` × `size` pixels, without any metadata.

    Raises BadInput when the image cannot be decoded. Images smaller than `size` are not enlarged.
    """
    image = decoded(source, limits, near=size)
    try:
        return _webp(_shrunk(image, size))
    except DECODING_ERRORS as error:
        raise BadInput("image.undecodable", detail=shown(error)) from None


def small_copies(image: Image.Image, sizes: Sequence[int]) -> list[bytes]:
    """Copies as `thumbnail` makes them of a picture that is decoded already, and is not to be used any more.

    `sizes` go down: each is made of the one before. Raises what decoders raise.
    """
    found = []
    for size in sizes:
        image = _shrunk(image, size)
        found.append(_webp(image))
    return found


def _shrunk(image: Image.Image, size: int) -> Image.Image:
    """Upright and in colours, within the size; what can be is shrunk before it is turned and converted."""
    if image.mode in AVERAGED and "transparency" not in image.info:
        image.thumbnail((size, size), Image.Resampling.BOX, reducing_gap=2.0)
    shown_image = _displayable(ImageOps.exif_transpose(image))
    shown_image.thumbnail((size, size), Image.Resampling.BOX, reducing_gap=2.0)
    return Image.frombytes(shown_image.mode, shown_image.size, shown_image.tobytes())


def _webp(image: Image.Image) -> bytes:
    target = io.BytesIO()
    image.save(target, "WEBP", quality=THUMBNAIL_QUALITY, method=2)
    return target.getvalue()


def decoded(source: bytes | Path, limits: ImageLimits | None = None, *, near: int | None = None) -> Image.Image:
    """The first frame, decoded completely; `near` lets JPEGs be decoded at a reduced size not below it.

    Raises BadInput when it cannot be.
    """
    limits = limits or ImageLimits()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)
            if image.width * image.height > limits.pixels:
                raise BadInput("image.pixels", width=image.width, height=image.height, limit=limits.pixels)
            if near is not None and image.format == "JPEG":
                image.draft(None, (2 * near, 2 * near))
            image.load()
        except UnidentifiedImageError:
            raise BadInput("image.not_image") from None
        except DECODING_ERRORS as error:
            raise BadInput("image.undecodable", detail=shown(error)) from None
    return image


def _displayable(image: Image.Image) -> Image.Image:
    """Convert to RGB, or RGBA where there is transparency; 16-bit greys are scaled rather than clipped."""
    if image.mode.startswith(("I", "F")):
        grey = image.convert("F")
        brightest = max(float(value) for value in grey.getextrema() if not isinstance(value, tuple))
        reach = 65535 if image.mode.startswith("I;16") or brightest > 255 else 255
        return grey.point(lambda value: value * (255 / reach)).convert("L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("RGB")
