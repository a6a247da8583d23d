"""A JSON document read piece by piece: the elements of its top-level arrays, each with where it stands in the file.

The file is looked at as Latin-1, in which a byte is a character: positions in the text are positions in the file, and
what JSON is made of is ASCII. Elements with other characters are decoded again from their bytes.
"""

import json
import re
from collections.abc import Iterator
from json.scanner import make_scanner
from typing import Any, BinaryIO, NamedTuple

from apps.datasets.defects import BadInput

CHUNK = 1 << 20
#: The longest single element; it also bounds what one element can take in memory.
ELEMENT_BYTES = 4 << 20
MOST_KEYS = 1000
UTF8_MARK = b"\xef\xbb\xbf"
OTHER_MARKS = (b"\xff\xfe", b"\xfe\xff")
SPACE = re.compile(r"[ \t\n\r]*")
NEXT = re.compile(r"[ \t\n\r]*([,\]])[ \t\n\r]*")


class Element(NamedTuple):
    """One element of the array `key`, or the whole value of `key` where that is no array."""

    key: str
    value: Any
    start: int
    length: int
    line: int


class _NotFinite(ValueError):
    pass


def _refuse(name: str) -> Any:
    raise _NotFinite(name)


DECODER = json.JSONDecoder(parse_constant=_refuse)
SCAN = make_scanner(DECODER)  # type: ignore[arg-type]  # it takes whatever has a decoder's settings


def read_value(data: bytes) -> Any:
    """One element again, from its bytes as they stand in the file."""
    return SCAN(data.decode(), 0)[0]


class DocumentReader:
    """Reads one document whose outermost value is an object. Raises BadInput with the line."""

    def __init__(self, stream: BinaryIO, path: str) -> None:
        self.stream = stream
        self.path = path
        self.text = ""
        self.base = self.position = 0
        self.line = 1
        self.ended = False
        self.ascii = True

    def elements(self) -> Iterator[Element]:
        """Yield the elements of every array of the object, and its other values whole."""
        self._begin()
        seen: set[str] = set()
        if self._take("{") and not self._peek("}"):
            while True:
                key = self._value().value
                if not isinstance(key, str):
                    raise self._invalid()
                if key in seen:
                    raise BadInput("json.duplicate_key", self.path, self.line, key=key)
                seen.add(key)
                if len(seen) > MOST_KEYS:
                    raise BadInput("json.too_many_keys", self.path, self.line, limit=MOST_KEYS)
                self._require(":")
                if self._peek("["):
                    self._require("[")
                    yield from self._array(key)
                else:
                    yield self._value()._replace(key=key)
                if not self._take(","):
                    break
        self._require("}")
        self._skip_space()
        if self.position < len(self.text):
            raise self._invalid()

    def _array(self, key: str) -> Iterator[Element]:
        if self._take("]"):
            return
        while True:
            yield self._value()._replace(key=key)
            found = NEXT.match(self.text, self.position)
            if found is None or (found.end() == len(self.text) and not self.ended):
                # The separator may stand beyond what was read so far.
                if self._take(","):
                    self._skip_space()
                    continue
                self._require("]")
                return
            self._advance(found.end())
            if found[1] == "]":
                return

    def _begin(self) -> None:
        head = self.stream.read(3)
        if head.startswith(OTHER_MARKS):
            raise BadInput("text.encoding", self.path)
        self._keep(b"" if head == UTF8_MARK else head)
        self.base = 3 if head == UTF8_MARK else 0
        self._skip_space()
        if not self._peek("{"):
            raise BadInput("json.no_object", self.path, self.line)

    def _value(self) -> Element:
        """The value at the position, which is left behind it."""
        self._skip_space()
        size = CHUNK
        while True:
            try:
                value, end = SCAN(self.text, self.position)
            except RecursionError:
                raise BadInput("json.too_deep", self.path, self.line) from None
            except _NotFinite as error:
                raise BadInput("json.not_finite", self.path, self.line, value=str(error)) from None
            except (ValueError, StopIteration) as error:
                if self.ended:
                    raise self._invalid(error) from None
            else:
                # A number at the end of what was read may go on.
                if end < len(self.text) or self.ended:
                    break
            if len(self.text) - self.position > ELEMENT_BYTES:
                raise BadInput("json.element_big", self.path, self.line, limit=ELEMENT_BYTES)
            self._fill(size)
            size *= 2
        start, line = self.position, self.line
        if not self.ascii and not (raw := self.text[start:end]).isascii():
            try:
                value = read_value(raw.encode("latin-1"))
            except UnicodeDecodeError:
                raise BadInput("text.encoding", self.path, line) from None
        self._advance(end)
        return Element("", value, self.base + start, end - start, line)

    def _invalid(self, error: BaseException | None = None) -> BadInput:
        if self.ended and self.position >= len(self.text):
            return BadInput("json.truncated", self.path, self.line)
        if isinstance(error, json.JSONDecodeError):
            line = self.line + self.text.count("\n", self.position, error.pos)
            rest = self.text[error.pos :].strip()
            if not rest or error.msg.startswith("Unterminated string"):
                return BadInput("json.truncated", self.path, line)
            return BadInput("json.invalid", self.path, line, detail=error.msg)
        return BadInput("json.invalid", self.path, self.line, detail=self.text[self.position : self.position + 20])

    def _keep(self, data: bytes) -> None:
        self.text = self.text[self.position :] + data.decode("latin-1")
        self.base += self.position
        self.position = 0
        self.ascii = self.text.isascii()

    def _fill(self, size: int = CHUNK) -> None:
        data = self.stream.read(size)
        if data:
            self._keep(data)
        else:
            self.ended = True

    def _advance(self, end: int) -> None:
        self.line += self.text.count("\n", self.position, end)
        self.position = end

    def _skip_space(self) -> None:
        while True:
            found = SPACE.match(self.text, self.position)
            self._advance(found.end() if found else self.position)
            if self.position < len(self.text) or self.ended:
                return
            self._fill()

    def _peek(self, character: str) -> bool:
        self._skip_space()
        return self.text.startswith(character, self.position)

    def _take(self, character: str) -> bool:
        if not self._peek(character):
            return False
        self._advance(self.position + 1)
        return True

    def _require(self, character: str) -> None:
        if not self._take(character):
            raise self._invalid()
