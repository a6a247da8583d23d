"""One image with what is drawn on it, as its own page and readers' doors show it."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from apps.datasets.formats.showing import shown_objects
from apps.datasets.models import Entry
from apps.datasets.selectors.images import neighbours_of
from apps.datasets.views.frame import class_table

#: Objects that the page lists, and numbers of their outlines that it draws.
OBJECTS = 500
VALUES = 100_000
#: What browsers draw themselves, up to this size: a closer look is worth the original.
ORIGINALS = {"image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp"}
ORIGINAL_BYTES = 64 * 2**20
#: What an object is drawn as, the first that it has. One without any of it is the class of the whole image.
OUTLINES = ("mask", "polygon", "corners", "bbox")
WHOLE = "picture"


def viewer_context(
    entry: Entry,
    rows: QuerySet[Entry],
    classes: Sequence[dict[str, Any]],
    *,
    content: str,
    page: Callable[[int], str],
    back: str,
) -> dict[str, Any]:
    """What `datasets/_viewer.html` takes. `rows` are the images among which it has neighbours, `page` gives the address
    of one's page, `back` that of the list; `content` is the address of the original."""
    objects = entry.annotation.document["objects"] if entry.annotation else []
    names = {found["id"]: found["name"] for found in classes}
    drawn = shown_objects(objects, VALUES)
    before, after = neighbours_of(rows, entry.item_id)
    is_light = entry.blob.media_type in ORIGINALS and entry.blob.size <= ORIGINAL_BYTES
    return {
        "boxes": json.dumps(drawn),
        "class_table": class_table(list(classes)),
        "content": content,
        "original": content if is_light and not entry.blob.damage else "",
        "previous": None if before is None else page(before),
        "next": None if after is None else page(after),
        "back": back,
        "kinds": _kinds(drawn),
        "drawn_classes": _classes(drawn, names),
        "objects": [_row(found, names) for found in objects[:OBJECTS]],
        "hidden": max(0, len(objects) - OBJECTS),
    }


def _parts(found: dict[str, Any]) -> list[str]:
    """What an object is drawn as; static/js/boxes.js decides it by the same rule."""
    outline = next((name for name in OUTLINES if name in found), WHOLE)
    return [outline, "keypoints"] if "keypoints" in found else [outline]


def _kind_labels() -> dict[str, str]:
    return {
        "polygon": _("Outline"),
        "mask": _("Mask"),
        "keypoints": _("Keypoints"),
        "corners": _("Oriented box"),
        "bbox": _("Box"),
        WHOLE: _("Whole image"),
    }


def _kinds(drawn: list[dict[str, Any]]) -> list[dict[str, Any]]:
    counts = Counter(part for found in drawn for part in _parts(found))
    return [
        {"name": name, "label": label, "count": counts[name]} for name, label in _kind_labels().items() if counts[name]
    ]


def _classes(drawn: list[dict[str, Any]], names: dict[int, str]) -> list[dict[str, Any]]:
    counts = Counter(found["class"] for found in drawn)
    return [
        {"id": number, "name": names.get(number, f"#{number}"), "count": counts[number]} for number in sorted(counts)
    ]


def _row(found: dict[str, Any], names: dict[int, str]) -> dict[str, Any]:
    """An object as the page lists it: its class, what kind it is, the box around it, and its notes."""
    return {
        "name": names.get(found["class"], f"#{found['class']}"),
        "kind": next(label for name, label in _kind_labels().items() if name in found or name == WHOLE),
        "bbox": found.get("bbox"),
        "notes": ", ".join(
            name if value is True else f"{name}: {value}" for name, value in found.get("attributes", {}).items()
        ),
    }
