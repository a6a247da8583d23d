"""Objects as a page shows them: long outlines give way to the box around them."""

from collections.abc import Iterable
from typing import Any

#: Coordinates and runs that the picture of one image shows at most.
VALUES = 5000
OUTLINES = ("polygon", "mask")


def shown_objects(objects: Iterable[dict[str, Any]], values: int = VALUES) -> list[dict[str, Any]]:
    """The objects of a document, of which outlines take `values` numbers at most; attributes are not drawn."""
    shown = []
    for found in objects:
        size = sum(map(len, found.get("polygon", ()))) + len(found.get("mask", {}).get("counts", ()))
        left_out = ("attributes", *OUTLINES) if size > values else ("attributes",)
        values -= size if size <= values else 0
        shown.append({name: value for name, value in found.items() if name not in left_out})
    return shown
