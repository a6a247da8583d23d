"""Reading ZIP files member by member, without trusting anything that two places of the file could contradict.

The layout follows the format's public description (APPNOTE 6.3). Stored and deflated members, ZIP64 and data
descriptors are read; encryption, multi-disk files and other methods are refused. The central directory is read twice
in a streaming way: first to refuse the archive before a byte is written, then to extract.
"""

import itertools
import stat
import struct
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from apps.datasets.archives.staging import CHUNK, Stage
from apps.datasets.defects import WARNING, BadInput

END = struct.Struct("<4s4H2LH")
END64_LOCATOR = struct.Struct("<4sLQL")
END64 = struct.Struct("<4sQ2H2L4Q")
CENTRAL = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")
END_MAGIC, END64_MAGIC, LOCATOR_MAGIC = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
CENTRAL_MAGIC, LOCAL_MAGIC = b"PK\x01\x02", b"PK\x03\x04"
LONGEST_COMMENT = 0xFFFF
STORED, DEFLATED = 0, 8
ENCRYPTED, STRONGLY_ENCRYPTED, UTF8, MASKED = 0x1, 0x40, 0x800, 0x2000
UNIX = (3, 19)  # "made by" Unix and macOS: the upper half of the external attributes is the file mode
FULL16, FULL32 = 0xFFFF, 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Directory:
    """Where the central directory lies and how many members it says it has."""

    offset: int
    size: int
    members: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One member as the central directory tells it."""

    raw_name: bytes
    name: str
    encoding: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int

    @property
    def is_folder(self) -> bool:
        return self.name.endswith("/") or stat.S_IFMT(self.mode) == stat.S_IFDIR


def locate_directory(stream: BinaryIO) -> Directory:
    """Find the central directory; the archive must begin at byte 0 and end with the file."""
    length = stream.seek(0, 2)
    window = min(length, END.size + LONGEST_COMMENT)
    stream.seek(length - window)
    tail = stream.read(window)
    at = tail.rfind(END_MAGIC)
    if at < 0 or len(tail) - at < END.size:
        raise BadInput("archive.truncated")
    _, disk, first_disk, here, members, size, offset, comment = END.unpack_from(tail, at)
    end = length - window + at
    if end + END.size + comment != length:
        raise BadInput("archive.foreign_bytes" if end + END.size + comment < length else "archive.truncated")
    if FULL16 in (here, members) or FULL32 in (size, offset):
        found = _locate_end64(stream, end)
        if found is not None:
            return found
    if disk or first_disk or here != members:
        raise BadInput("archive.multi_disk")
    if offset + size != end:
        raise BadInput("archive.foreign_bytes" if offset + size < end else "archive.truncated")
    return Directory(offset, size, members)


def _locate_end64(stream: BinaryIO, end: int) -> Directory | None:
    if end < END64_LOCATOR.size:
        return None
    stream.seek(end - END64_LOCATOR.size)
    magic, disk, position, disks = END64_LOCATOR.unpack(stream.read(END64_LOCATOR.size))
    if magic != LOCATOR_MAGIC:
        return None
    if disk or disks > 1:
        raise BadInput("archive.multi_disk")
    if position + END64.size > end:
        raise BadInput("archive.corrupt", detail="zip64 end record")
    stream.seek(position)
    magic, _, _, _, disk, first_disk, here, members, size, offset = END64.unpack(stream.read(END64.size))
    if magic != END64_MAGIC or disk or first_disk or here != members or offset + size != position:
        raise BadInput("archive.corrupt", detail="zip64 end record")
    return Directory(offset, size, members)


def read_entries(stream: BinaryIO, directory: Directory) -> Iterator[Entry]:
    """Yield the members in the directory's order, reading it in pieces; the stream may be moved in between."""
    position, left = directory.offset, directory.size
    buffer, at, count = b"", 0, 0
    while left or at < len(buffer):
        if len(buffer) - at < CENTRAL.size + 3 * FULL16 and left:
            stream.seek(position)
            piece = stream.read(min(CHUNK, left))
            if not piece:
                raise BadInput("archive.truncated")
            position, left = position + len(piece), left - len(piece)
            buffer, at = buffer[at:] + piece, 0
            continue
        if len(buffer) - at < CENTRAL.size or not buffer.startswith(CENTRAL_MAGIC, at):
            raise BadInput("archive.corrupt", detail="central directory")
        fields = CENTRAL.unpack_from(buffer, at)
        name_length, extra_length, comment_length = fields[10:13]
        body = at + CENTRAL.size
        at = body + name_length + extra_length + comment_length
        if at > len(buffer):
            raise BadInput("archive.corrupt", detail="central directory")
        extra = buffer[body + name_length : body + name_length + extra_length]
        yield _entry(fields, buffer[body : body + name_length], extra)
        count += 1
    if count != directory.members:
        raise BadInput("archive.corrupt", detail="member count")


def _entry(fields: tuple[int, ...], raw_name: bytes, extra: bytes) -> Entry:
    _, made_by, _, flags, method, _, _, crc, packed, size, _, _, _, disk, _, attributes, offset = fields
    name, encoding = _decode_name(raw_name, flags)
    if disk not in (0, FULL16):
        raise BadInput("archive.multi_disk", name)
    if FULL32 in (packed, size, offset):
        size, packed, offset = _zip64_sizes(extra, size, packed, offset, name)
    mode = attributes >> 16 if made_by >> 8 in UNIX else 0
    return Entry(raw_name, name, encoding, flags, method, crc, packed, size, offset, mode)


def _decode_name(raw: bytes, flags: int) -> tuple[str, str]:
    """Names without the Unicode flag are UTF-8 in practice, else Korean Windows' code page, else the old default."""
    if flags & UTF8:
        try:
            return raw.decode("utf-8"), "utf-8"
        except UnicodeDecodeError:
            raise BadInput("path.encoding", raw.decode("ascii", "replace")) from None
    for encoding in ("utf-8", "cp949"):
        try:
            return raw.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return raw.decode("cp437"), "cp437"


def _zip64_sizes(extra: bytes, size: int, packed: int, offset: int, name: str) -> tuple[int, int, int]:
    at = 0
    while at + 4 <= len(extra):
        tag, length = struct.unpack_from("<HH", extra, at)
        if tag == 1:
            data = extra[at + 4 : at + 4 + length]
            wanted = [value == FULL32 for value in (size, packed, offset)]
            if len(data) < 8 * sum(wanted):
                raise BadInput("archive.corrupt", name, detail="zip64 sizes")
            values = iter(struct.unpack_from(f"<{sum(wanted)}Q", data))
            size, packed, offset = (
                next(values) if large else value for large, value in zip(wanted, (size, packed, offset), strict=True)
            )
            return size, packed, offset
        at += 4 + length
    return size, packed, offset


def extract(stream: BinaryIO, stage: Stage) -> None:
    """Check the whole directory, then write every member into `stage`."""
    directory = locate_directory(stream)
    if not directory.members:
        raise BadInput("archive.no_members")
    stage.check_count(directory.members)
    if directory.size < directory.members * CENTRAL.size:
        raise BadInput("archive.corrupt", detail="central directory")
    kept = _check_directory(stream, directory, stage)
    stage.expected = sum(kept)
    for keep, entry in zip(kept, read_entries(stream, directory), strict=True):
        if keep:
            path = "/".join(stage.rules.clean(entry.name))
            stage.write(path, _content(stream, entry, directory))
        else:
            # A folder, or what systems leave behind: the directory may not say so of what is something else.
            stage.check_time()
            _start_of(stream, entry, directory)


def _check_directory(stream: BinaryIO, directory: Directory, stage: Stage) -> bytearray:
    """Refuse what the directory alone gives away; return one flag per member: 1 to write it, 0 to leave it out."""
    kept = bytearray()
    starts, ends = array("Q"), array("Q")
    total = packed_total = special_modes = 0
    for entry in read_entries(stream, directory):
        stage.check_time()
        _check_entry(entry, stage)
        total += entry.size
        packed_total += entry.packed
        stage.check_sizes(entry.name, entry.size, total)
        if entry.offset + LOCAL.size + entry.packed > directory.offset:
            raise BadInput("archive.truncated", entry.name)
        starts.append(entry.offset)
        ends.append(entry.offset + LOCAL.size + len(entry.raw_name) + entry.packed)
        special_modes += bool(entry.mode & 0o7000)
        if entry.is_folder:
            stage.rules.accept_folder(entry.name)
            kept.append(0)
        else:
            path = stage.rules.accept_file(entry.name)
            kept.append(path is not None)
            if path is not None and entry.encoding != "utf-8":
                stage.log.add("path.decoded", WARNING, path, encoding=entry.encoding)
    if total > stage.limits.ratio_floor and total > stage.limits.ratio * max(1, packed_total):
        raise BadInput("archive.ratio", limit=stage.limits.ratio)
    order = sorted(range(len(starts)), key=starts.__getitem__)
    if order and starts[order[0]] != 0:
        raise BadInput("archive.foreign_bytes")
    for before, after in itertools.pairwise(order):
        if ends[before] > starts[after]:
            raise BadInput("archive.overlap")
    if special_modes:
        stage.log.add("archive.modes_dropped", WARNING, members=special_modes)
    return kept


def _check_entry(entry: Entry, stage: Stage) -> None:
    kind = stat.S_IFMT(entry.mode)
    if kind == stat.S_IFLNK:
        raise BadInput("path.link", entry.name)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BadInput("path.special", entry.name)
    if entry.is_folder and (entry.size or not entry.name.endswith("/")):
        raise BadInput("archive.corrupt", entry.name, detail="a folder that holds bytes, or is named as a file")
    if entry.flags & (ENCRYPTED | STRONGLY_ENCRYPTED | MASKED):
        raise BadInput("archive.encrypted", entry.name)
    if entry.method not in (STORED, DEFLATED):
        raise BadInput("archive.method", entry.name, method=entry.method)
    if entry.method == STORED and entry.packed != entry.size:
        raise BadInput("archive.size_mismatch", entry.name)
    if entry.size > stage.limits.ratio_floor and entry.size > stage.limits.ratio * max(1, entry.packed):
        raise BadInput("archive.ratio", entry.name, limit=stage.limits.ratio)


def _start_of(stream: BinaryIO, entry: Entry, directory: Directory) -> int:
    """Where the member's bytes begin, when its own header says what the directory does."""
    stream.seek(entry.offset)
    header = stream.read(LOCAL.size)
    if len(header) < LOCAL.size or not header.startswith(LOCAL_MAGIC):
        raise BadInput("archive.corrupt", entry.name, detail="local header")
    _, _, flags, method, _, _, _, _, _, name_length, extra_length = LOCAL.unpack(header)
    if stream.read(name_length) != entry.raw_name or method != entry.method:
        raise BadInput("archive.header_mismatch", entry.name)
    if (flags ^ entry.flags) & ENCRYPTED:
        raise BadInput("archive.encrypted", entry.name)
    position = entry.offset + LOCAL.size + name_length + extra_length
    if position + entry.packed > directory.offset:
        raise BadInput("archive.truncated", entry.name)
    return position


def _content(stream: BinaryIO, entry: Entry, directory: Directory) -> Iterator[bytes]:
    """Yield the member's content, no more than it declared, and check length and CRC at the end."""
    stream.seek(_start_of(stream, entry, directory))
    crc = size = 0
    unpacked = _stored(stream, entry) if entry.method == STORED else _inflated(stream, entry)
    for chunk in unpacked:
        size += len(chunk)
        if size > entry.size:
            raise BadInput("archive.size_mismatch", entry.name)
        crc = zlib.crc32(chunk, crc)
        yield chunk
    if size != entry.size:
        raise BadInput("archive.size_mismatch", entry.name)
    if crc != entry.crc:
        raise BadInput("archive.crc", entry.name)


def _stored(stream: BinaryIO, entry: Entry) -> Iterator[bytes]:
    left = entry.packed
    while left:
        chunk = stream.read(min(CHUNK, left))
        if not chunk:
            raise BadInput("archive.truncated", entry.name)
        left -= len(chunk)
        yield chunk


def _inflated(stream: BinaryIO, entry: Entry) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for packed in _stored(stream, entry):
            pending = packed
            while pending:
                if inflater.eof:
                    raise BadInput("archive.size_mismatch", entry.name)
                if chunk := inflater.decompress(pending, CHUNK):
                    yield chunk
                pending = inflater.unconsumed_tail or inflater.unused_data
        while not inflater.eof:
            chunk = inflater.decompress(b"", CHUNK)
            if not chunk:
                raise BadInput("archive.truncated", entry.name)
            yield chunk
    except zlib.error as error:
        raise BadInput("archive.corrupt", entry.name, detail=str(error)) from None
