"""Pictures that look alike, found by their looks (`images.decoding`) without comparing each with each.

Two looks are alike when no average of one is more than `TOLERANCE` from that of the other. Looks lie in cells by eight
of their averages, cut into steps of 32; whatever is alike lies in the same cell, or in one beyond an edge that an
average is within the tolerance of: 8 of the 2²⁴ cells are looked into for a picture, as a rule.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Generic, NamedTuple, TypeVar

from apps.datasets.images.decoding import BRIGHT, LOOK_BYTES

TOLERANCE = 6
STEP_BITS = 5
#: Row and column of the averages of brightness that a cell is made of, away from borders, which are often black.
PLACES = tuple(
    row * BRIGHT + column for row, column in ((1, 1), (1, 6), (2, 4), (3, 2), (4, 5), (5, 3), (6, 1), (6, 6))
)
#: Different looks that a cell keeps, those that a look is compared with, and those like it that are told. Beyond that a
#: picture like many is still found to be like some: a set of next to nothing but alike ones takes no longer than others.
KEPT, COMPARED, TOLD = 32, 128, 8
_LANE = range(0, 16 * LOOK_BYTES, 16)
_TOLERANCE = sum(TOLERANCE << place for place in _LANE)
_HIGH = sum(0x8000 << place for place in _LANE)

Value = TypeVar("Value")
Name = TypeVar("Name", str, int)


def cell_of(look: bytes) -> int:
    cell = 0
    for place in PLACES:
        cell = cell << (8 - STEP_BITS) | look[place] >> STEP_BITS
    return cell


def cells_near(look: bytes) -> list[int]:
    """Where whatever looks like it can lie."""
    cells = [0]
    for place in PLACES:
        low, high = max(look[place] - TOLERANCE, 0) >> STEP_BITS, min(look[place] + TOLERANCE, 255) >> STEP_BITS
        steps = (low,) if low == high else (low, high)
        cells = [cell << (8 - STEP_BITS) | step for cell in cells for step in steps]
    return cells


def _lanes(look: bytes) -> int:
    """The averages side by side with room between them, so that one subtraction is as many as there are."""
    wide = bytearray(2 * LOOK_BYTES)
    wide[::2] = look
    return int.from_bytes(wide, "little")


def _alike(one: int, other: int) -> bool:
    """Whether no average is further from its counterpart than the tolerance: none of the differences takes its high
    bit away."""
    above = (one + _TOLERANCE | _HIGH) - other
    below = (other + _TOLERANCE | _HIGH) - one
    return above & below & _HIGH == _HIGH


class LookIndex(Generic[Value]):
    """Values by looks."""

    def __init__(self) -> None:
        self._same: dict[bytes, Value] = {}
        self._cells: dict[int, list[tuple[int, Value]]] = {}

    def same(self, look: bytes) -> Value | None:
        """What was put under this very look."""
        return self._same.get(look)

    def put(self, look: bytes, value: Value) -> None:
        """Under a look that has none yet."""
        self._same[look] = value
        cell = self._cells.setdefault(cell_of(look), [])
        if len(cell) < KEPT:
            cell.append((_lanes(look), value))

    def near(self, look: bytes) -> Iterator[Value]:
        """What was put under this look, then what under those like it."""
        same, lanes = self._same.get(look), _lanes(look)
        if same is not None:
            yield same
        lists = (self._cells[cell] for cell in cells_near(look) if cell in self._cells)
        for other, value in islice(chain.from_iterable(lists), COMPARED):
            if value is not same and _alike(lanes, other):
                yield value

    def cells(self) -> set[int]:
        """Cells of all that can look like what was put here."""
        return {cell for look in self._same for cell in cells_near(look)}


class Match(NamedTuple, Generic[Name]):
    """The other picture, and its split. `leaks`: they are in two splits."""

    name: Name
    split: str
    leaks: bool


@dataclass(slots=True)
class _Seen(Generic[Name]):
    """The first picture of each split that has a look, and the group that it belongs to."""

    firsts: dict[str, Name]
    group: list[Name] = field(default_factory=list)


class LookGroups(Generic[Name]):
    """Pictures put in one after the other, in groups that look alike. A picture that looks like those of several groups
    belongs to the first of them."""

    def __init__(self) -> None:
        self._index: LookIndex[_Seen[Name]] = LookIndex()
        self._groups: list[list[Name]] = []

    def put(self, name: Name, split: str, look: bytes) -> Match[Name] | None:
        """The picture before that it looks like, in another split where there is one. "" is no split."""
        found = list(islice(self._index.near(look), TOLD))
        if not found:
            self._groups.append([name])
            self._index.put(look, _Seen({split: name}, self._groups[-1]))
            return None
        found[0].group.append(name)
        seen = self._index.same(look)
        if seen is None:
            self._index.put(look, _Seen({split: name}, found[0].group))
        firsts = [first for other in found for first in other.firsts.items()]
        leak = next((first for first in firsts if split and first[0] and first[0] != split), None)
        if seen is not None:
            seen.firsts.setdefault(split, name)
        other_split, other = leak or firsts[0]
        return Match(other, other_split, leak is not None)

    @property
    def groups(self) -> list[list[Name]]:
        """Those of several pictures, in the order of their first."""
        return [group for group in self._groups if len(group) > 1]
