"""WebP, BMP and GIF headers."""

import struct

from apps.datasets.defects import BadInput
from apps.datasets.images.facts import Header, ImageLimits, Warn
from apps.datasets.images.tiff import orientation_of

BMP_MODES = {1: "P", 4: "P", 8: "P", 16: "RGB", 24: "RGB", 32: "RGB"}
CHUNKS = 100_000


def read_webp(data: bytes, limits: ImageLimits, warn: Warn) -> Header:
    """Walk the RIFF chunks of a WebP image, still or animated."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise BadInput("image.truncated")
    if trailing := data[end:].strip(b"\0"):
        warn("image.trailing_bytes", bytes=len(trailing))
    header: Header | None = None
    orientation, frames, has_pixels, at = 1, 0, False, 12
    for _ in range(CHUNKS):
        if at >= end:
            break
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + min(length, 64)]
        if at + 8 + length > end:
            raise BadInput("image.truncated")
        if kind == b"VP8X" and length >= 10:
            width, height = int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
            header = Header(width, height, "RGBA" if body[0] & 0x10 else "RGB")
        elif kind == b"VP8 " and len(body) >= 10 and body[3:6] == b"\x9d\x01\x2a":
            width, height = struct.unpack_from("<HH", body, 6)
            header = header or Header(width & 0x3FFF, height & 0x3FFF, "RGB")
            has_pixels = True
        elif kind == b"VP8L" and len(body) >= 5 and body[:1] == b"\x2f":
            packed = int.from_bytes(body[1:5], "little")
            mode = "RGBA" if packed >> 28 & 1 else "RGB"
            header = header or Header((packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1, mode)
            has_pixels = True
        elif kind == b"ANMF":
            frames += 1
            has_pixels = True
            if frames > limits.frames:
                raise BadInput("image.frames", limit=limits.frames)
        elif kind == b"EXIF":
            exif = data[at + 8 : at + 8 + length]
            orientation = orientation_of(exif.removeprefix(b"Exif\0\0"), warn)
        at += 8 + length + (length & 1)
    if header is None or not has_pixels:
        raise BadInput("image.corrupt", detail="WebP without picture data")
    header.orientation, header.frames = orientation, max(1, frames)
    return header


def read_bmp(data: bytes, limits: ImageLimits, warn: Warn) -> Header:
    if len(data) < 30:
        raise BadInput("image.truncated")
    offset, header_size = struct.unpack_from("<LL", data, 10)
    if header_size == 12:
        width, height, planes, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    elif header_size >= 40 and len(data) >= 34:
        width, height, planes, bits, compression = struct.unpack_from("<llHHL", data, 18)
    else:
        raise BadInput("image.corrupt", detail="BMP header")
    if planes != 1 or bits not in BMP_MODES or compression not in (0, 1, 2, 3, 6):
        raise BadInput("image.unsupported", format="BMP with unknown coding")
    height = abs(height)
    stored = (width * bits + 31) // 32 * 4 * height
    if compression in (0, 3, 6) and 0 < stored and offset + stored > len(data):
        _check_size(width, height, limits)
        raise BadInput("image.truncated")
    return Header(width, height, BMP_MODES[bits])


def _check_size(width: int, height: int, limits: ImageLimits) -> None:
    if width * height > limits.pixels:
        raise BadInput("image.pixels", width=width, height=height, limit=limits.pixels)


def read_gif(data: bytes, limits: ImageLimits, warn: Warn) -> Header:
    """Walk a GIF's blocks to count its frames; stops at the limit."""
    if len(data) < 13:
        raise BadInput("image.truncated")
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    frames = 0
    while True:
        block = data[at : at + 1]
        if block == b"\x3b":
            break
        if block == b"\x2c":
            frames += 1
            if frames > limits.frames:
                raise BadInput("image.frames", limit=limits.frames)
            if at + 10 > len(data):
                raise BadInput("image.truncated")
            local = data[at + 9]
            at += 11 + (3 << (local & 7) + 1 if local & 0x80 else 0)
        elif block == b"\x21":
            at += 2
        elif block:
            raise BadInput("image.corrupt", detail="GIF block")
        else:
            raise BadInput("image.truncated")
        while length := data[at] if at < len(data) else 0:
            at += 1 + length
        if at >= len(data):
            raise BadInput("image.truncated")
        at += 1
    if not frames:
        raise BadInput("image.corrupt", detail="GIF without picture data")
    return Header(width, height, "P", frames=frames)
