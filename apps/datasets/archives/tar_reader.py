"""Reading TAR and TAR.GZ files member by member: ustar, GNU long names and pax headers, plain files and folders only.

Own code because the standard library's reader follows offsets that an archive can make negative, and because links
and devices are refused here rather than filtered.
"""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from apps.datasets.archives.staging import CHUNK, Stage
from apps.datasets.defects import WARNING, BadInput

BLOCK = 512
LONGEST_HEADER = 64 * 1024
FILE_TYPES = (b"0", b"\0", b"7")
FOLDER, LINKS, SPECIAL = b"5", (b"1", b"2"), (b"3", b"4", b"6")
LONG_NAME, LONG_LINK, PAX, PAX_GLOBAL = b"L", b"K", b"x", b"g"


class Gunzip:
    """A readable stream over gzip data, of one or more gzip members, that bounds how far the data may unfold."""

    def __init__(self, stream: BinaryIO, ratio: int, ratio_floor: int) -> None:
        self._stream = stream
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._pending = b""
        self._buffer = bytearray()
        self._ratio, self._floor = ratio, ratio_floor
        self._packed = self._unpacked = 0

    def read(self, size: int) -> bytes:
        while len(self._buffer) < size and (chunk := self._next()):
            self._buffer += chunk
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found

    def _next(self) -> bytes:
        while True:
            if self._inflater.eof and not self._another_member():
                return b""
            if not self._pending:
                self._pending = self._stream.read(CHUNK)
                self._packed += len(self._pending)
                if not self._pending:
                    raise BadInput("archive.truncated")
            try:
                chunk = self._inflater.decompress(self._pending, CHUNK)
            except zlib.error as error:
                raise BadInput("archive.corrupt", detail=str(error)) from None
            self._pending = self._inflater.unconsumed_tail or self._inflater.unused_data
            self._unpacked += len(chunk)
            if self._unpacked > self._floor and self._unpacked > self._ratio * self._packed:
                raise BadInput("archive.ratio", limit=self._ratio)
            if chunk:
                return chunk

    def _another_member(self) -> bool:
        if not self._pending:
            self._pending = self._stream.read(CHUNK)
            self._packed += len(self._pending)
        if not self._pending:
            return False
        if not self._pending.startswith(b"\x1f\x8b"):
            raise BadInput("archive.foreign_bytes")
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        return True


class _Reader:
    """Exact reads from the unpacked stream."""

    def __init__(self, stream: "BinaryIO | Gunzip") -> None:
        self._stream = stream

    def exactly(self, size: int, path: str | None = None) -> bytes:
        found = self._stream.read(size)
        if len(found) != size:
            raise BadInput("archive.truncated", path)
        return found

    def content(self, size: int, path: str) -> Iterator[bytes]:
        left = size
        while left:
            chunk = self.exactly(min(CHUNK, left), path)
            left -= len(chunk)
            yield chunk
        self.exactly(-size % BLOCK, path)

    def rest_is_padding(self) -> bool:
        while chunk := self._stream.read(CHUNK):
            if chunk.strip(b"\0"):
                return False
        return True


def extract(stream: "BinaryIO | Gunzip", stage: Stage) -> None:
    """Write every plain file of the archive into `stage`; anything but files and folders refuses the archive."""
    reader = _Reader(stream)
    shared: dict[str, str] = {}
    own: dict[str, str] = {}
    long_name: str | None = None
    special_modes = headers = 0
    while True:
        stage.check_time()
        header = reader.exactly(BLOCK)
        if not header.strip(b"\0"):
            break
        headers += 1
        # Folders and extension headers write nothing, so they are bounded here: three headers for each file allowed.
        stage.check_count(headers // 3)
        _check_sum(header)
        kind = header[156:157]
        size = _number(header[124:136])
        if kind in (PAX, PAX_GLOBAL, LONG_NAME, LONG_LINK):
            if size > LONGEST_HEADER:
                raise BadInput("archive.corrupt", detail="extension header too long")
            data = b"".join(reader.content(size, "extension header"))
            if kind == PAX:
                own = _pax(data)
            elif kind == PAX_GLOBAL:
                shared.update(_pax(data))
            elif kind == LONG_NAME:
                long_name = _text(data.rstrip(b"\0"))
            continue
        attributes = {**shared, **own}
        path = attributes.get("path") or long_name or _name(header)
        if "size" in attributes:
            size = _decimal(attributes["size"], path)
        if any(key.startswith("GNU.sparse") for key in attributes):
            raise BadInput("path.special", path)
        own, long_name = {}, None
        special_modes += bool(_number(header[100:108]) & 0o7000)
        _take(reader, stage, kind, path, size)
    if not reader.rest_is_padding():
        raise BadInput("archive.foreign_bytes")
    if special_modes:
        stage.log.add("archive.modes_dropped", WARNING, members=special_modes)


def _take(reader: _Reader, stage: Stage, kind: bytes, path: str, size: int) -> None:
    if kind in LINKS:
        raise BadInput("path.link", path)
    if kind == FOLDER or (kind in FILE_TYPES and path.endswith("/")):
        stage.rules.accept_folder(path)
        for _ in reader.content(size, path):
            stage.check_time()
    elif kind in FILE_TYPES:
        kept = stage.rules.accept_file(path)
        stage.check_sizes(path, size, stage.bytes + size)
        if kept is None:
            for _ in reader.content(size, path):
                stage.check_time()
        else:
            stage.write(kept, reader.content(size, path))
    else:
        raise BadInput("path.special", path)


def _check_sum(header: bytes) -> None:
    stored = _number(header[148:156])
    if sum(header) - sum(header[148:156]) + 8 * ord(" ") != stored:
        raise BadInput("archive.corrupt", detail="header checksum")


def _number(field: bytes) -> int:
    """Read an octal or base-256 field; negative ones exist only to mislead readers."""
    if field[0] & 0x80:
        if field[0] != 0x80:
            raise BadInput("archive.corrupt", detail="negative number in a header")
        return int.from_bytes(field[1:], "big")
    text = field.split(b"\0", 1)[0].strip()
    if not text:
        return 0
    if text.strip(b"01234567"):
        raise BadInput("archive.corrupt", detail="number in a header")
    return int(text, 8)


def _decimal(text: str, path: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise BadInput("archive.corrupt", path, detail="size in a pax header")
    return int(text)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BadInput("path.encoding", raw.decode("ascii", "replace")) from None


def _name(header: bytes) -> str:
    name = header[:100].split(b"\0", 1)[0]
    prefix = header[345:500].split(b"\0", 1)[0]
    if header[257:263] == b"ustar\0" and prefix:
        name = prefix + b"/" + name
    return _text(name)


def _pax(data: bytes) -> dict[str, str]:
    """Parse pax records: `<length> <key>=<value>\\n`, where the length counts the whole record."""
    records: dict[str, str] = {}
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + 8)
        digits = data[at:space] if space > 0 else b""
        if not digits.isdigit():
            raise BadInput("archive.corrupt", detail="pax header")
        end = at + int(digits)
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not equals or end > len(data) or end <= space or data[end - 1 : end] != b"\n":
            raise BadInput("archive.corrupt", detail="pax header")
        if key in (b"path", b"size") or key.startswith(b"GNU.sparse"):
            records[key.decode("ascii", "replace")] = _text(value)
        at = end
    return records
