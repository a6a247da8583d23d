"""Masks as runs of pixels down the columns, first of background: COCO's uncompressed run lengths."""

import itertools
from collections.abc import Iterator, Sequence

#: A ring of pixel corners, `x, y, x, y, …`.
Ring = tuple[float, ...]


def uncompress(text: str, limit: int) -> list[int]:
    """Read COCO's compressed run lengths. Raises ValueError for what is none, or has more than `limit` runs."""
    counts: list[int] = []
    value = shift = 0
    for character in text:
        part = ord(character) - 48
        if not 0 <= part < 64 or shift > 30:
            raise ValueError("not run lengths")
        value |= (part & 31) << shift
        shift += 5
        if part & 32:
            continue
        if part & 16:
            value -= 1 << shift
        if len(counts) > 2:
            value += counts[-2]
        counts.append(value)
        if len(counts) > limit:
            raise ValueError("too many run lengths")
        value = shift = 0
    if shift:
        raise ValueError("run lengths that break off")
    return counts


def tidied(counts: Sequence[int]) -> tuple[int, ...]:
    """The one way to write these runs: none of length 0 but the first; they add up to the whole picture."""
    if all(counts[1:]):
        return tuple(counts)
    tidy: list[int] = [counts[0]]
    pending = False
    for count in counts[1:]:
        if count == 0:
            pending = not pending
        elif pending:
            tidy[-1] += count
            pending = False
        else:
            tidy.append(count)
    return tuple(tidy)


def mask_area(counts: Sequence[int]) -> int:
    """The number of pixels of the object."""
    return sum(counts[1::2])


def mask_bounds(counts: Sequence[int], height: int) -> tuple[float, float, float, float]:
    """Left, top, width and height of the object's pixels; all 0 where it has none."""
    left = top = right = bottom = -1
    position = 0
    for index, count in enumerate(counts):
        if index % 2 and count:
            last = position + count - 1
            first_column, last_column = position // height, last // height
            if left < 0:
                left, top, bottom = first_column, height, 0
            right = last_column
            if first_column == last_column:
                top = min(top, position % height)
                bottom = max(bottom, last % height)
            else:  # it goes on at the top of the next column
                top, bottom = 0, height - 1
        position += count
    if left < 0:
        return 0.0, 0.0, 0.0, 0.0
    return float(left), float(top), float(right - left + 1), float(bottom - top + 1)


def columns(counts: Sequence[int], height: int) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Each column that the object touches, with its pieces from above: first row and the row after the last."""
    position = 0
    column, pieces = -1, list[tuple[int, int]]()
    for index, count in enumerate(counts):
        end = position + count
        while index % 2 and position < end:
            here, top = divmod(position, height)
            length = min(end - position, height - top)
            if here != column:
                if pieces:
                    yield column, pieces
                column, pieces = here, []
            pieces.append((top, top + length))
            position += length
        position = end
    if pieces:
        yield column, pieces


def mask_rings(counts: Sequence[int], height: int) -> list[Ring]:
    """The outlines of the object along the edges of its pixels: outer ones and those of holes, ordered by place.

    Filled by the even-odd rule they give exactly the object's pixels.
    """
    onward = _edges(counts, height)
    rings = []
    # The smallest point that is left is always a corner, and of one ring only.
    for start in sorted(onward):
        if start not in onward:
            continue
        point, before = start, (0, 0)
        ring: list[float] = []
        while True:
            ends = onward[point]
            # Where two pixels touch by a corner alone, turn so that the outline stays with its own pixel.
            end = ends.pop(_turn(point, before, ends) if len(ends) > 1 else 0)
            if not ends:
                del onward[point]
            step = _sign(end[0] - point[0]), _sign(end[1] - point[1])
            if step != before:
                ring += [float(point[0]), float(point[1])]
            point, before = end, step
            if point == start:
                break
        rings.append(tuple(ring))
    return rings


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)


def _edges(counts: Sequence[int], height: int) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """The edges between object and background, each from its beginning to its end with the object on its right."""
    onward: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def edge(start: tuple[int, int], end: tuple[int, int]) -> None:
        onward.setdefault(start, []).append(end)

    def upright(column: int, before: list[tuple[int, int]], here: list[tuple[int, int]]) -> None:
        """The edges along the border between two columns: where one has the object and the other has not."""
        marks = sorted({row for piece in (*before, *here) for row in piece})
        first = second = 0
        for top, bottom in itertools.pairwise(marks):
            while first < len(before) and before[first][1] <= top:
                first += 1
            while second < len(here) and here[second][1] <= top:
                second += 1
            in_before = first < len(before) and before[first][0] <= top
            in_here = second < len(here) and here[second][0] <= top
            if in_here and not in_before:
                edge((column, bottom), (column, top))
            elif in_before and not in_here:
                edge((column, top), (column, bottom))

    last, pieces = -2, list[tuple[int, int]]()
    for column, here in columns(counts, height):
        if column != last + 1 and pieces:
            upright(last + 1, pieces, [])
            pieces = []
        upright(column, pieces, here)
        for top, bottom in here:
            edge((column, top), (column + 1, top))
            edge((column + 1, bottom), (column, bottom))
        last, pieces = column, here
    if pieces:
        upright(last + 1, pieces, [])
    return onward


def _turn(point: tuple[int, int], before: tuple[int, int], ends: list[tuple[int, int]]) -> int:
    """Of two edges that go on, the one that turns right, seen along the way with rows running down."""
    for index, end in enumerate(ends):
        step = end[0] - point[0], end[1] - point[1]
        if before[0] * step[1] - before[1] * step[0] > 0:
            return index
    return 0
