"""A ZIP made while it is sent: nothing is packed, no file lies in between, and its length is known before it begins.

Every header is complete before its bytes (no descriptors behind them), so every program unpacks it. Of each member only
the check sum is kept until the directory at the end is written: four bytes, whatever the size.
"""

import datetime
import struct
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

#: Names are UTF-8.
FLAGS = 0x800
PLAIN, WIDE = 20, 45
UNIX = 3 << 8
MODE = 0o100644 << 16
LOCAL, CENTRAL, END = 30, 46, 22
WIDE_LOCAL, WIDE_CENTRAL, WIDE_END = 20, 28, 56 + 20
MOST_BYTES, MOST_MEMBERS = 0xFFFF_FFFE, 0xFFFE


class Member(NamedTuple):
    """A file of the archive: its name, and what opens it."""

    name: str
    size: int
    key: str


#: The check sum of a member's bytes, and the bytes.
Content = Callable[[Member], tuple[int, Iterable[bytes]]]


@dataclass(frozen=True, slots=True)
class Layout:
    """How long an archive is. `is_wide`: it needs the fields of ZIP64, and then every member has them."""

    members: int
    names: int
    content: int

    @property
    def is_wide(self) -> bool:
        return self.members > MOST_MEMBERS or self._plain > MOST_BYTES

    @property
    def length(self) -> int:
        if not self.is_wide:
            return self._plain
        return self._plain + self.members * (WIDE_LOCAL + WIDE_CENTRAL) + WIDE_END

    @property
    def _plain(self) -> int:
        return self.members * (LOCAL + CENTRAL) + 2 * self.names + self.content + END


def zip_chunks(
    layout: Layout, members: Callable[[], Iterable[Member]], content: Content, made: datetime.datetime
) -> Iterator[bytes]:
    """The archive of the members, which are asked for twice and must be the same ones in the same order; every one
    carries the time `made`."""
    time, date = _dos(made)
    wide = layout.is_wide
    sums = array("I")
    for member in members():
        check, chunks = content(member)
        sums.append(check)
        yield _local(member, check, time, date, wide=wide)
        yield from chunks
    offset = length = 0
    for member, check in zip(members(), sums, strict=True):
        record = _central(member, check, time, date, offset, wide=wide)
        length += len(record)
        yield record
        offset += LOCAL + len(member.name.encode()) + member.size + (WIDE_LOCAL if wide else 0)
    yield _end(len(sums), length, offset, wide=wide)


def _local(member: Member, check: int, time: int, date: int, *, wide: bool) -> bytes:
    name = member.name.encode()
    size = 0xFFFFFFFF if wide else member.size
    extra = struct.pack("<2H2Q", 1, 16, member.size, member.size) if wide else b""
    needed = WIDE if wide else PLAIN
    fields = (needed, FLAGS, 0, time, date, check, size, size, len(name), len(extra))
    return struct.pack("<4s5H3L2H", b"PK\x03\x04", *fields) + name + extra


def _central(member: Member, check: int, time: int, date: int, offset: int, *, wide: bool) -> bytes:
    name = member.name.encode()
    extra = struct.pack("<2H3Q", 1, 24, member.size, member.size, offset) if wide else b""
    size, place = (0xFFFFFFFF, 0xFFFFFFFF) if wide else (member.size, offset)
    needed = WIDE if wide else PLAIN
    fields = (UNIX | needed, needed, FLAGS, 0, time, date, check, size, size, len(name), len(extra), 0, 0, 0)
    return struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *fields, MODE, place) + name + extra


def _end(members: int, length: int, offset: int, *, wide: bool) -> bytes:
    if not wide:
        return struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, members, members, length, offset, 0)
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, UNIX | WIDE, WIDE, 0, 0, members, members, length, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, offset + length, 1)
    last = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return record + locator + last


def _dos(moment: datetime.datetime) -> tuple[int, int]:
    """Time and date as the format has them: two seconds fine, from 1980 on."""
    time = moment.hour << 11 | moment.minute << 5 | moment.second // 2
    return time, max(moment.year - 1980, 0) << 9 | moment.month << 5 | moment.day
