"""JPEG: size, components and orientation from the segments, and whether the picture's data reaches its end."""

import re

from apps.datasets.defects import BadInput
from apps.datasets.images.facts import Header, ImageLimits, Warn
from apps.datasets.images.tiff import orientation_of

# A byte FF inside coded data is followed by 00 or a restart marker; anything else begins a marker (or fills). Without a
# repetition each byte is looked at once, however many fill, and the search goes from FF to FF.
MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
FILL = re.compile(rb"\xff*")
START_OF_FRAME = frozenset({0xC0, 0xC1, 0xC2})
OTHER_FRAMES = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
SCAN, END, EXIF, ADOBE = 0xDA, 0xD9, 0xE1, 0xEE
#: What may stand between two scans: tables, restart interval, number of lines, comment, application data.
BETWEEN_SCANS = frozenset({0xC4, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)})
#: Each scan is decoded over the whole picture, however few bytes it has; encoders make about ten.
SCANS = 100
#: Cameras write some dozens, and a colour profile 255 at most.
SEGMENTS = 10_000
MODES = {1: "L", 3: "RGB", 4: "CMYK"}


def read_header(data: bytes, limits: ImageLimits, warn: Warn) -> Header:
    """Read the header and walk all scans to the end marker without decoding them."""
    header: Header | None = None
    orientation = 1
    at = 2
    for _ in range(SEGMENTS):
        marker, at = _marker(data, at)
        if marker == SCAN:
            break
        if marker == END:
            raise BadInput("image.corrupt", detail="JPEG without picture data")
        length = _length(data, at)
        if marker in START_OF_FRAME:
            header = _frame(data, at, length)
        elif marker in OTHER_FRAMES:
            raise BadInput("image.unsupported", format="lossless, hierarchical or arithmetic JPEG")
        elif marker == EXIF and data[at + 2 : at + 8] == b"Exif\0\0":
            orientation = orientation_of(data[at + 8 : at + length], warn)
        at += length
    else:
        raise BadInput("image.corrupt", detail="too many JPEG segments")
    if header is None:
        raise BadInput("image.corrupt", detail="JPEG without a frame")
    end = _walk_scans(data, at)
    if trailing := data[end:].strip(b"\0"):
        warn("image.trailing_bytes", bytes=len(trailing))
    header.orientation = orientation
    return header


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """Return the marker at `at` and the place after it; fill bytes before a marker are allowed."""
    if data[at : at + 1] not in (b"\xff", b""):
        raise BadInput("image.corrupt", detail="JPEG segment")
    filled = FILL.match(data, at)
    assert filled is not None
    at = filled.end()
    if at >= len(data):
        raise BadInput("image.truncated")
    return data[at], at + 1


def _length(data: bytes, at: int) -> int:
    length = int.from_bytes(data[at : at + 2], "big")
    if at + length > len(data) or at + 2 > len(data):
        raise BadInput("image.truncated")
    if length < 2:
        raise BadInput("image.corrupt", detail="JPEG segment")
    return length


def _frame(data: bytes, at: int, length: int) -> Header:
    if length < 8:
        raise BadInput("image.corrupt", detail="JPEG frame")
    precision, components = data[at + 2], data[at + 7]
    if precision != 8:
        raise BadInput("image.unsupported", format=f"JPEG with {precision} bits")
    if components not in MODES:
        raise BadInput("image.unsupported", format=f"JPEG with {components} components")
    height = int.from_bytes(data[at + 3 : at + 5], "big")
    width = int.from_bytes(data[at + 5 : at + 7], "big")
    return Header(width, height, MODES[components])


def _walk_scans(data: bytes, at: int) -> int:
    """Follow the scans from the first scan's header at `at`; return the place after the end marker."""
    at += _length(data, at)
    scans = 1
    for _ in range(SEGMENTS):
        found = MARKER.search(data, at)
        if found is None:
            raise BadInput("image.truncated")
        marker, at = found[1][0], found.end()
        if marker == END:
            return at
        if marker != SCAN and marker not in BETWEEN_SCANS:
            raise BadInput("image.corrupt", detail="JPEG picture data")
        scans += marker == SCAN
        if scans > SCANS:
            raise BadInput("image.corrupt", detail="too many JPEG scans")
        at += _length(data, at)
    raise BadInput("image.corrupt", detail="too many JPEG segments")
