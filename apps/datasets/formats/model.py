"""The internal annotation model: what every format is parsed into and written from.

An annotation document is immutable and addressed by the sha256 of its canonical JSON, so two sets with the same boxes
share it. Documents of other tasks add further kinds of objects; the version number tells them apart.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from apps.datasets.images import ImageFacts

VERSION = 1
DECIMALS = 6
#: The names of splits inside the portal; formats translate their own (`valid`, `validation`, …) into these.
SPLITS = ("train", "val", "test")


class Box(NamedTuple):
    """A class and an axis-parallel box in pixels of the upright picture: left, top, width, height."""

    class_id: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Annotation:
    """What is known to be in one image. No boxes means that there is nothing to see, which is knowledge too."""

    boxes: tuple[Box, ...] = ()

    @classmethod
    def of(cls, boxes: Iterable[Box]) -> "Annotation":
        """Make the canonical annotation: coordinates rounded to 10⁻⁶ px, boxes in a fixed order."""
        return cls(
            tuple(sorted(Box(box[0], *(round(float(value), DECIMALS) + 0.0 for value in box[1:])) for box in boxes))
        )

    @property
    def class_ids(self) -> list[int]:
        """The classes that occur, ascending, each once."""
        return sorted({box[0] for box in self.boxes})

    def document(self) -> dict[str, Any]:
        """The JSON document, in the shape that trainers receive too: `bbox` is [left, top, width, height]."""
        return {
            "version": VERSION,
            "objects": [{"class": box[0], "bbox": list(box[1:])} for box in self.boxes],
        }

    def canonical(self) -> bytes:
        """The document as canonical JSON: keys sorted, no spaces, ASCII, finite numbers only."""
        return canonical_json(self.document())

    def digest(self) -> str:
        return hashlib.sha256(self.canonical()).hexdigest()

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Annotation":
        """Read back what `document` made. Raises ValueError for another version."""
        if document.get("version") != VERSION:
            raise ValueError(f"annotation documents of version {document.get('version')!r} are not known")
        return cls.of(Box(found["class"], *found["bbox"]) for found in document["objects"])


def canonical_json(value: object) -> bytes:
    """Serialise so that equal values give equal bytes. Raises ValueError for NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


@dataclass(frozen=True, slots=True)
class ParsedItem:
    """One image of a set. `annotation` is None where nobody has labelled it; `split` where the set names none."""

    path: str
    split: str | None
    sha256: str
    size: int
    facts: ImageFacts
    annotation: Annotation | None
    label_path: str | None = None
