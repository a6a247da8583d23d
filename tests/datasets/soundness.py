"""What must hold of an analysis, whatever was analysed."""

import json
import math
from typing import Any

from apps.datasets.analysis import Analysis, analyse
from apps.datasets.archives import Staged
from apps.datasets.defects import WORDINGS
from apps.datasets.formats.model import Annotation, ParsedItem, Shape, bounds


def analysed_soundly(staged: Staged, task: str | None, *, lenient: bool = False) -> Analysis:
    """The analysis of a set; its objects are inside their pictures, and every defect has words."""
    items: list[ParsedItem] = []
    found = analyse(staged, task=task, lenient=lenient, on_item=items.append)
    assert set(found.defect_counts) <= set(WORDINGS)
    for item in items:
        for shape in item.annotation.objects if item.annotation is not None else ():
            check_shape(shape, item.facts.width, item.facts.height)
            assert 0 <= shape.class_id < len(found.classes)
        if item.annotation is not None:
            assert Annotation.from_document(item.annotation.document()) == item.annotation
            assert json.loads(item.annotation.canonical())
    return found


def check_shape(shape: Shape | Any, width: int, height: int) -> None:
    around = bounds(shape)
    if around is None:
        return
    assert all(map(math.isfinite, around))
    x, y, across, down = around
    if type(shape).__name__ != "OrientedBox":
        assert -1e-6 <= x <= x + across <= width + 1e-6
        assert -1e-6 <= y <= y + down <= height + 1e-6
