"""TIFF directories: for TIFF images and for the EXIF block inside other formats."""

import struct
from dataclasses import dataclass

from apps.datasets.defects import BadInput
from apps.datasets.images.facts import Header, ImageLimits, Warn

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIP_OFFSETS, ORIENTATION, SAMPLES, STRIP_COUNTS, TILE_OFFSETS, TILE_COUNTS = 273, 274, 277, 279, 324, 325
EXTRA_SAMPLES = 338
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
#: Raw, CCITT, LZW, JPEG, Deflate, PackBits and old Deflate: what the decoders at hand read.
COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946})
LONGEST_DIRECTORY = 4096
PIECES = 1_000_000


@dataclass(frozen=True, slots=True)
class _Directory:
    values: dict[int, tuple[int, ...]]
    following: int


class Reader:
    """Integer tags of the directories of TIFF data; `struct.error` never escapes, BadInput does."""

    def __init__(self, data: bytes) -> None:
        order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
        if order is None:
            big = data[:4] in (b"II+\0", b"MM\0+")
            raise (
                BadInput("image.unsupported", format="BigTIFF")
                if big
                else BadInput("image.corrupt", detail="TIFF header")
            )
        self.data, self.order = data, order
        self.first = self._unpack("L", 4)[0]

    def _unpack(self, layout: str, at: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(self.order + layout, self.data, at)
        except struct.error:
            raise BadInput("image.truncated") from None

    def directory(self, at: int, wanted: frozenset[int]) -> _Directory:
        """Read the directory at byte `at`: the integer values of the `wanted` tags and the next directory's place.

        A tag stands there once: repeated, it may have been written to be read for as long as it takes.
        """
        (count,) = self._unpack("H", at)
        if count > LONGEST_DIRECTORY:
            raise BadInput("image.corrupt", detail="TIFF directory")
        values: dict[int, tuple[int, ...]] = {}
        for index in range(count) if wanted else ():
            entry = at + 2 + 12 * index
            tag, kind, number = self._unpack("HHL", entry)
            if tag not in wanted or kind not in (1, 3, 4):
                continue
            if number > PIECES or tag in values:
                raise BadInput("image.corrupt", detail="TIFF directory")
            place = entry + 8 if SIZES[kind] * number <= 4 else self._unpack("L", entry + 8)[0]
            values[tag] = self._unpack(f"{number}{ {1: 'B', 3: 'H', 4: 'L'}[kind] }", place)
        return _Directory(values, self._unpack("L", at + 2 + 12 * count)[0])


def orientation_of(exif: bytes, warn: Warn) -> int:
    """Return the EXIF orientation 1 to 8; 1 (with a warning where the value is impossible) when there is none."""
    try:
        reader = Reader(exif)
        found = reader.directory(reader.first, frozenset({ORIENTATION})).values.get(ORIENTATION, (1,))
    except BadInput:
        return 1
    return valid_orientation(found[0] if found else 1, warn)


def valid_orientation(value: int, warn: Warn) -> int:
    if 1 <= value <= 8:
        return value
    warn("image.orientation", value=value)
    return 1


def read_header(data: bytes, limits: ImageLimits, warn: Warn) -> Header:
    """Read a TIFF image's first page and count the pages, refusing loops and pages beyond the limit."""
    reader = Reader(data)
    wanted = frozenset(
        {WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION, SAMPLES, EXTRA_SAMPLES}
        | {STRIP_OFFSETS, STRIP_COUNTS, TILE_OFFSETS, TILE_COUNTS}
    )
    first = reader.directory(reader.first, wanted)
    frames, at, seen = 1, first.following, {reader.first}
    while at:
        frames += 1
        if at in seen:
            raise BadInput("image.corrupt", detail="TIFF directories form a loop")
        if frames > limits.frames:
            raise BadInput("image.frames", limit=limits.frames)
        seen.add(at)
        at = reader.directory(at, frozenset()).following
    tags = {tag: values[0] for tag, values in first.values.items() if values}
    if WIDTH not in tags or HEIGHT not in tags:
        raise BadInput("image.corrupt", detail="TIFF without a size")
    if tags.get(COMPRESSION, 1) not in COMPRESSIONS:
        raise BadInput("image.unsupported", format=f"TIFF compression {tags[COMPRESSION]}")
    for offsets, counts in ((STRIP_OFFSETS, STRIP_COUNTS), (TILE_OFFSETS, TILE_COUNTS)):
        pairs = zip(first.values.get(offsets, ()), first.values.get(counts, ()), strict=False)
        if any(offset + count > len(data) for offset, count in pairs):
            raise BadInput("image.truncated")
    if STRIP_OFFSETS not in tags and TILE_OFFSETS not in tags:
        raise BadInput("image.corrupt", detail="TIFF without picture data")
    orientation = valid_orientation(tags.get(ORIENTATION, 1), warn)
    return Header(tags[WIDTH], tags[HEIGHT], _mode(tags), orientation, frames)


def _mode(tags: dict[int, int]) -> str:
    bits, samples, photometric = tags.get(BITS, 1), tags.get(SAMPLES, 1), tags.get(PHOTOMETRIC, 1)
    if photometric == 3:
        return "P"
    if photometric == 5:
        return "CMYK"
    if samples == 1:
        return {1: "1", 8: "L", 16: "I;16"}.get(bits, "F" if bits == 32 else "L")
    if samples == 2:
        return "LA"
    return "RGBA" if samples >= 4 or EXTRA_SAMPLES in tags else "RGB"
