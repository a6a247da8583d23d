"""PNG: every chunk's frame and checksum, packed texts and profiles unfolded within a bound, pixels left packed."""

import zlib

from apps.datasets.defects import BadInput
from apps.datasets.images.facts import Header, ImageLimits, Warn
from apps.datasets.images.tiff import orientation_of

DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}
CHUNKS = 100_000


def read_header(data: bytes, limits: ImageLimits, warn: Warn) -> Header:
    header: Header | None = None
    has_pixels = False
    budget = limits.unfolded_bytes
    at = 8
    for _ in range(CHUNKS):
        length = int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        body, end = at + 8, at + 12 + length
        if len(kind) < 4 or end > len(data):
            raise BadInput("image.corrupt" if kind and not kind.isalpha() else "image.truncated", detail="PNG chunk")
        if not kind.isalpha() or zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise BadInput("image.corrupt", detail="PNG chunk")
        if (kind == b"IHDR") is not (header is None):
            raise BadInput("image.corrupt", detail="PNG without a header")
        if kind == b"IHDR":
            header = _ihdr(data[body : end - 4])
        elif kind == b"IDAT":
            has_pixels = True
        elif kind in (b"zTXt", b"iCCP", b"iTXt"):
            budget -= _unfolded(kind, data[body : end - 4], budget)
        elif kind == b"eXIf" and header is not None:
            header.orientation = orientation_of(data[body : end - 4], warn)
        elif kind == b"acTL" and header is not None:
            header.frames = int.from_bytes(data[body : body + 4], "big")
        at = end
        if kind == b"IEND":
            break
    else:
        raise BadInput("image.corrupt", detail="too many PNG chunks")
    if header is None or not has_pixels:
        raise BadInput("image.corrupt", detail="PNG without picture data")
    if at < len(data) and (trailing := data[at:].strip(b"\0")):
        warn("image.trailing_bytes", bytes=len(trailing))
    return header


def _ihdr(body: bytes) -> Header:
    if len(body) != 13:
        raise BadInput("image.corrupt", detail="PNG header")
    depth, colour, packing, filtering, interlace = body[8:]
    if depth not in DEPTHS.get(colour, ()) or packing or filtering or interlace > 1:
        raise BadInput("image.unsupported", format="PNG with unknown coding")
    mode = MODES[colour]
    if colour == 0 and depth in (1, 16):
        mode = "1" if depth == 1 else "I;16"
    return Header(int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big"), mode)


def _unfolded(kind: bytes, body: bytes, budget: int) -> int:
    """Return how many bytes the chunk's packed part unfolds to; BadInput beyond `budget`."""
    _, _, rest = body.partition(b"\0")
    if kind == b"iTXt":
        if rest[:1] != b"\x01":
            return 0
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    else:
        rest = rest[1:]
    try:
        size = len(zlib.decompressobj().decompress(rest, budget + 1))
    except zlib.error:
        return 0
    if size > budget:
        raise BadInput("image.text_bomb")
    return size
