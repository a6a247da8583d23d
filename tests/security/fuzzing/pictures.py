"""Headers and trailers of pictures: `inspect` gives facts that can be believed, or findings, and decodes nothing."""

import io
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from PIL import Image

from apps.datasets.images import MEDIA_TYPES, ImageLimits, inspect
from tests.datasets.factories import images
from tests.security.fuzzing.given import Given, Target, check_defects, with_way

LIMITS = ImageLimits()
PNG_HEAD = 8


def take(data: bytes, name: str) -> None:
    facts, defects = inspect(data, name=name)
    check_defects(defects)
    json.dumps([defect.as_dict() for defect in defects])
    if facts is None:
        assert any(defect.severity == "error" for defect in defects)
        return
    assert 0 < facts.width * facts.height <= LIMITS.pixels
    assert min(facts.width, facts.height) > 0
    assert facts.format in MEDIA_TYPES
    assert 1 <= facts.orientation <= 8
    assert facts.frames <= LIMITS.frames


def take_plain(data: bytes, folder: Path, *, name: str) -> None:
    take(data, name)


def take_png(data: bytes, folder: Path) -> None:
    """The bytes as they are, or with right check sums, which nothing that changes bytes would find."""
    given = Given(data)
    way = given.number(255) % 2
    take(_summed(given.rest()) if way else given.rest(), "a.png")


def _summed(data: bytes) -> bytes:
    found = bytearray(data)
    at = PNG_HEAD
    while at + 12 <= len(found):
        end = at + 8 + int.from_bytes(found[at : at + 4], "big")
        if end + 4 > len(found):
            break
        found[end : end + 4] = struct.pack(">L", zlib.crc32(found[at + 4 : end]))
        at = end + 4
    return bytes(found)


def jpeg_seeds() -> Iterator[bytes]:
    yield images.encoded(width=8, height=8)
    yield images.encoded(width=16, height=16, progressive=True)
    yield images.encoded(width=8, height=8, mode="L", comment=b"c")
    yield images.encoded(width=8, height=8, mode="CMYK")
    yield images.oriented_jpeg(6, gps=True, width=8, height=8)
    yield images.encoded(width=8, height=8) + b"more"
    # Bytes that fill, between segments and in a picture's data.
    whole = images.encoded(width=8, height=8)
    yield whole[:2] + b"\xff" * 99 + whole[2:-2] + b"\xff" * 99 + whole[-2:]


def png_seeds() -> Iterator[bytes]:
    for way in (0, 1):
        for mode in ("RGB", "L", "P", "1", "RGBA", "I;16"):
            yield with_way(images.encoded("PNG", 8, 8, mode), way)
        packed = zlib.compress(b"text" * 9)
        extra = [
            images.chunk(b"zTXt", b"k\0\0" + packed),
            images.chunk(b"iTXt", b"k\0\1\0en\0k\0" + packed),
            images.chunk(b"eXIf", tiff_of_exif()),
            images.chunk(b"acTL", struct.pack(">LL", 2, 0)),
        ]
        yield with_way(images.png(8, 8, *extra, pixels=bytes(8 * 25)), way)


def tiff_of_exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 3
    return exif.tobytes().removeprefix(b"Exif\0\0")


def tiff_seeds() -> Iterator[bytes]:
    for mode in ("RGB", "L", "P", "1", "RGBA", "I;16", "CMYK"):
        yield images.encoded("TIFF", 8, 8, mode)
    yield images.encoded("TIFF", 8, 8, compression="tiff_lzw")
    yield images.many_pages_tiff(3)
    yield images.many_pages_tiff(3, loop=True)
    yield b"MM\0*" + struct.pack(">LHHHLLL", 8, 1, 256, 4, 1, 5, 0)


def riff(kind: bytes, body: bytes) -> bytes:
    """A WebP file of one chunk."""
    chunk = kind + struct.pack("<L", len(body)) + body + bytes(len(body) & 1)
    return b"RIFF" + struct.pack("<L", 4 + len(chunk)) + b"WEBP" + chunk


def webp_seeds() -> Iterator[bytes]:
    for mode in ("RGB", "RGBA"):
        for lossless in (False, True):
            yield images.encoded("WEBP", 8, 8, mode, lossless=lossless)
    yield images.encoded("WEBP", 8, 8, exif=b"Exif\0\0" + tiff_of_exif())
    # The head of a frame that ends before its sizes.
    yield riff(b"VP8 ", b"\x08\0\0\x9d\x01\x2a\x07\0\x46")
    yield riff(b"VP8L", b"\x2f\x07")
    target = io.BytesIO()
    images.picture(8, 8).save(target, "WEBP", save_all=True, append_images=[images.picture(8, 8, seed=2)])
    yield target.getvalue()


def bmp_seeds() -> Iterator[bytes]:
    for mode in ("RGB", "L", "P", "1", "RGBA"):
        yield images.encoded("BMP", 8, 8, mode)
    yield b"BM" + struct.pack("<LLLLHHHH", 40, 0, 26, 12, 2, 2, 1, 24) + bytes(16)


def gif_seeds() -> Iterator[bytes]:
    yield images.encoded("GIF", 8, 8, "P")
    yield images.many_frames_gif(3)


def plain(name: str, seeds: Callable[[], Iterator[bytes]], *words: bytes) -> Target:
    return Target(partial(take_plain, name=name), seeds, words)


DIRECTORY = (b"II*\0", b"MM\0*", b"\x12\x01\x03\0\x01\0\0\0", b"\x11\x01\x04\0", b"\x17\x01\x04\0", b"\xff" * 4)
JPEG_WORDS = tuple(bytes([0xFF, kind]) for kind in (0xC0, 0xC2, 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xE1, 0xEE))
TARGETS: dict[str, Target] = {
    "JPEG headers": plain("a.jpg", jpeg_seeds, *JPEG_WORDS, b"Exif\0\0", *DIRECTORY),
    "PNG headers": Target(
        take_png, png_seeds, (b"IHDR", b"IDAT", b"IEND", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"acTL", *DIRECTORY)
    ),
    "TIFF headers": plain("a.tif", tiff_seeds, *DIRECTORY, b"II+\0"),
    "WebP headers": plain(
        "a.webp", webp_seeds, b"VP8X", b"VP8 ", b"VP8L", b"ANMF", b"EXIF", b"\x9d\x01\x2a", *DIRECTORY
    ),
    "BMP headers": plain("a.bmp", bmp_seeds, b"BM", b"\x28\0\0\0", b"\x0c\0\0\0", b"\xff" * 4),
    "GIF headers": plain("a.gif", gif_seeds, b"GIF89a", b"\x21\xf9\x04", b"\x2c", b"\x3b"),
}
