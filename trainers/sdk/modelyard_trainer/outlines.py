"""Outlines of objects that are given as pixels, and one outline made of several.

A mask is runs of pixels down the columns, first of background: COCO's uncompressed run lengths.
"""

import itertools
from collections.abc import Iterator, Sequence

#: A ring of corners, `x, y, x, y, …`, without a closing point.
Ring = tuple[float, ...]


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


def joined(parts: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """One ring of several: from the first corner of the first, out to each of the others and back the same way.

    Filled by the even-odd rule it covers what the rings covered.
    """
    first = parts[0]
    ring = list(first)
    for part in parts[1:]:
        ring += [first[0], first[1], *part, part[0], part[1]]
    return tuple(ring)
