"""Masks as runs of pixels down the columns, first of background: COCO's uncompressed run lengths."""

from collections.abc import Sequence


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
