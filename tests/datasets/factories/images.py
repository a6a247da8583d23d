"""Images, sound ones and broken ones."""

import io
import random
import struct
import zlib

from PIL import Image


def picture(width: int = 32, height: int = 24, mode: str = "RGB", seed: int = 0) -> Image.Image:
    noise = random.Random(seed).randbytes(3 * width * height)
    image = Image.frombytes("RGB", (width, height), noise)
    if mode == "I;16":
        return Image.frombytes("I;16", (width, height), random.Random(seed).randbytes(2 * width * height))
    return image.quantize() if mode == "P" else image.convert(mode)


def encoded(kind: str = "JPEG", width: int = 32, height: int = 24, mode: str = "RGB", seed: int = 0, **more) -> bytes:
    target = io.BytesIO()
    picture(width, height, mode, seed).save(target, kind, **more)
    return target.getvalue()


def oriented_jpeg(orientation: int, *, gps: bool = False, width: int = 32, height: int = 24) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    if gps:
        exif.get_ifd(0x8825)[1] = "N"
        exif.get_ifd(0x8825)[2] = (37.0, 33.0, 36.0)
    return encoded("JPEG", width, height, exif=exif.tobytes())


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))


def png(width: int, height: int, *extra: bytes, pixels: bytes = b"") -> bytes:
    """A PNG with any declared size and further chunks, and pixel data of any kind."""
    header = chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    )


def text_bomb(kind: bytes, size: int = 64 << 20) -> bytes:
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()
    head = b"k\0\x01\0\0\0" if kind == b"iTXt" else b"k\0\0"
    return png(8, 8, chunk(kind, head + packed), pixels=bytes(8 * 25))


def many_frames_gif(frames: int) -> bytes:
    """A GIF of `frames` one-pixel frames."""
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return head + frame * frames + b"\x3b"


def many_pages_tiff(pages: int, *, loop: bool = False) -> bytes:
    """A TIFF of `pages` directories that share one strip of one pixel; `loop` points the last to the first."""
    out = bytearray(b"II*\0" + struct.pack("<L", 12) + b"\x80\0\0\0")
    tags = ((256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (279, 1))
    for page in range(pages):
        body = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHLL", tag, 4, 1, value) for tag, value in tags)
        following = len(out) + len(body) + 4 if page < pages - 1 else (12 if loop else 0)
        out += body + struct.pack("<L", following)
    return bytes(out)


def random_tail(data: bytes, keep: int, seed: int = 0) -> bytes:
    """The first `keep` bytes, then noise up to the same length."""
    return data[:keep] + random.Random(seed).randbytes(len(data) - keep)
