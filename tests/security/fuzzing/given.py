"""What a target is, and how it makes more of bytes than bytes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from apps.datasets.defects import WORDINGS, Defect, describe


@dataclass(frozen=True, slots=True)
class Target:
    """`take` puts one input through the door, with a folder for what it stages. `words` are what the fuzzer puts in."""

    take: Callable[[bytes, Path], None]
    seeds: Callable[[], Iterable[bytes]]
    words: tuple[bytes, ...] = ()
    #: The longest input that is made.
    longest: int = 1 << 14


class Given:
    """Numbers from the end of the bytes, what is left from their beginning: a change in one does not move the other.

    As atheris's own FuzzedDataProvider does, which is not there where an input is taken once more without it.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data

    def number(self, most: int) -> int:
        """A number from 0 to `most`; 0 where nothing is left."""
        width = (most.bit_length() + 7) // 8
        cut = max(0, len(self._data) - width)
        found = int.from_bytes(self._data[cut:], "big")
        self._data = self._data[:cut]
        return found % (most + 1)

    def rest(self) -> bytes:
        return self._data


def with_way(content: bytes, way: int = 0) -> bytes:
    """Bytes of which `Given.number` gives the way first, and `rest` the content."""
    return content + bytes([way])


def check_defects(defects: Iterable[Defect]) -> None:
    """Every finding has a code that is worded, and its parameters fit the words."""
    for defect in list(defects)[:20]:
        assert defect.code in WORDINGS, defect.code
        assert all(describe(defect)), defect.code
