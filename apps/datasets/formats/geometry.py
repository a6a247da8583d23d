"""Outlines: their area, and whether they cross themselves."""

from collections.abc import Sequence

#: Comparisons of two edges that one outline, and all of a set, may cost.
LOOKS = 200_000


def ring_area(ring: Sequence[float]) -> float:
    """The area that a ring `x, y, x, y, …` encloses, whichever way round it goes."""
    total = 0.0
    before_x, before_y = ring[-2], ring[-1]
    for index in range(0, len(ring), 2):
        x, y = ring[index], ring[index + 1]
        total += before_x * y - x * before_y
        before_x, before_y = x, y
    return abs(total) / 2


class CrossingFinder:
    """Tells whether rings cross themselves, as long as the looks that it was given last; then it says no."""

    def __init__(self, looks: int = 2_000_000) -> None:
        self.looks = looks

    def crosses(self, ring: Sequence[float]) -> bool:
        """Whether two edges that do not follow each other cross in a point inside both."""
        count = len(ring) // 2
        if count < 4 or self.looks <= 0:
            return False
        points = [(ring[2 * index], ring[2 * index + 1]) for index in range(count)]
        edges = []
        for index, (first, second) in enumerate(zip(points, [*points[1:], points[0]], strict=True)):
            edges.append((min(first[0], second[0]), max(first[0], second[0]), index, first, second))
        edges.sort()
        budget = min(self.looks, LOOKS)
        open_edges: list[tuple[float, int, tuple[float, float], tuple[float, float]]] = []
        spent = 0
        try:
            for left, right, index, first, second in edges:
                open_edges = [edge for edge in open_edges if edge[0] >= left]
                spent += len(open_edges)
                if spent > budget:
                    return False
                for _right, other, third, fourth in open_edges:
                    apart = abs(index - other)
                    if 1 < apart < count - 1 and _cross(first, second, third, fourth):
                        return True
                open_edges.append((right, index, first, second))
            return False
        finally:
            self.looks -= spent


def _cross(
    first: tuple[float, float], second: tuple[float, float], third: tuple[float, float], fourth: tuple[float, float]
) -> bool:
    return (_side(first, second, third) * _side(first, second, fourth) < 0) and (
        _side(third, fourth, first) * _side(third, fourth, second) < 0
    )


def _side(start: tuple[float, float], end: tuple[float, float], point: tuple[float, float]) -> int:
    """On which side of the line a point lies: the sign alone, since tiny areas multiply to nothing."""
    area = (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])
    return (area > 0) - (area < 0)
