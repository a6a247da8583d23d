"""Tables that leave the portal for table programs."""

import csv
import io
from collections.abc import Iterable
from typing import Any

BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
# What makes a table program take a cell for a formula, in their usual and their full-width form.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def harmless(cell: Any) -> str:
    """A cell that no table program takes for a formula: an apostrophe stands before what would begin one."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.lstrip(" \N{NO-BREAK SPACE}").startswith(FORMULA) else text


def csv_lines(rows: Iterable[Iterable[Any]], start: str = "") -> bytes:
    """The rows as CSV in UTF-8, every cell harmless; `start` (the BOM, at the beginning of a file) stands before them."""
    text = io.StringIO(newline="")
    text.write(start)
    csv.writer(text).writerows([harmless(cell) for cell in row] for row in rows)
    return text.getvalue().encode()
