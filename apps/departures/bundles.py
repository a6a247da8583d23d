"""A ZIP as a stream: written while it is read, with a SHA-256 of every member in a manifest at its end."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

#: Lines that are compressed at a time.
LINES = 500
MANIFEST = "manifest.json"


@dataclass(slots=True)
class Member:
    """One file of the bundle as its manifest names it."""

    name: str
    sha256: str = ""
    size: int = 0
    rows: int | None = None
    fields: Mapping[str, str] | None = None


@dataclass(slots=True)
class Bundle:
    """Members are added one after the other; what comes out of each call is the next piece of the ZIP."""

    facts: dict[str, Any]
    members: list[Member] = field(default_factory=list)
    _out: "_Out" = field(default_factory=lambda: _Out())
    _zip: Any = None

    def __post_init__(self) -> None:
        self._zip = zipfile.ZipFile(self._out, "w", zipfile.ZIP_DEFLATED)

    def add(self, member: Member, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Writes a member, and notes its size and digest for the manifest."""
        digest = hashlib.sha256()
        with self._zip.open(self._info(member.name), "w", force_zip64=True) as target:
            for piece in pieces:
                target.write(piece)
                digest.update(piece)
                member.size += len(piece)
                yield self._out.take()
        member.sha256 = digest.hexdigest()
        self.members.append(member)
        yield self._out.take()

    def close(self) -> Iterator[bytes]:
        """The manifest, and the ZIP's own table of contents."""
        listed = [{name: value for name, value in asdict(row).items() if value is not None} for row in self.members]
        text = json.dumps({**self.facts, "members": listed}, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1)
        yield from self.add(Member(MANIFEST), [text.encode()])
        self._zip.close()
        yield self._out.take()

    @staticmethod
    def _info(name: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name, timezone.now().timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        return info


def json_lines(rows: Iterable[Mapping[str, Any]], count: Callable[[int], None]) -> Iterator[bytes]:
    """One object a line; `count` is told how many lines each piece has."""
    gathered: list[str] = []
    for row in rows:
        gathered.append(json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False, separators=(",", ":")))
        if len(gathered) == LINES:
            count(LINES)
            yield _text(gathered)
            gathered = []
    if gathered:
        count(len(gathered))
        yield _text(gathered)


def _text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


class _Out(io.RawIOBase):
    """Where the ZIP is written to: what was written since it was last asked. It cannot be rewound, and is not."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
