"""Annotations of datumaro as objects of a DICE document; what has no place there is counted."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from datumaro.components.annotation import (
    Annotation,
    AnnotationType,
    Bbox,
    Caption,
    Cuboid2D,
    Ellipse,
    Label,
    Mask,
    Points,
    Polygon,
    PolyLine,
    RotatedBbox,
)

#: Corners of an ellipse made an outline.
CORNERS = 36
#: Points of an object are its keypoints where all of a class have as many, of which there are at least two.
LEAST_POINTS = 2
#: A mask of this class says that there is nothing.
BACKGROUND = "background"
#: Kinds that have no place in the model, and the code of their loss.
LEFT_OUT: dict[type, str] = {PolyLine: "lines", Caption: "captions", Cuboid2D: "cuboids"}


class Losses:
    """What was left out, by code: how often, and in which image first."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def add(self, code: str, path: str, count: int = 1) -> None:
        if count:
            self.counts[code] += count
            self.first.setdefault(code, path)

    def as_list(self) -> list[dict[str, Any]]:
        return [{"code": code, "count": count, "path": self.first[code]} for code, count in self.counts.items()]


class ClassTable:
    """The classes of the document: those of every part by name, and one more for objects that have none."""

    def __init__(self, unnamed: str) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}
        self.unnamed = unnamed
        self.colors: dict[str, str] = {}
        self.named_points: dict[str, tuple[list[str], list[list[int]]]] = {}
        self.keypoints: dict[str, list[str]] = {}
        self._lengths: dict[str, set[int]] = defaultdict(set)

    def add(self, categories: dict[Any, Any]) -> list[str]:
        """Takes in the classes of a part; returns their names by its numbers."""
        labels = categories.get(AnnotationType.label)
        names = [str(label.name) for label in labels.items] if labels is not None else []
        for name in names:
            self._number(name)
        masks = categories.get(AnnotationType.mask)
        for number, color in (masks.colormap if masks is not None else {}).items():
            if len(color) == 3 and 0 <= int(number) < len(names):
                self.colors[names[int(number)]] = "#{:02x}{:02x}{:02x}".format(*(int(part) & 255 for part in color))
        points = categories.get(AnnotationType.points)
        for number, category in (points.items if points is not None else {}).items():
            if 0 <= number < len(names) and category.labels:
                joints = sorted([int(a), int(b)] for a, b in category.joints)
                self.named_points[names[number]] = ([str(label) for label in category.labels], joints)
        return names

    def of(self, label: int | None, names: list[str]) -> str:
        """The class of an annotation."""
        name = names[label] if label is not None and 0 <= label < len(names) else self.unnamed
        self._number(name)
        return name

    def id_of(self, name: str) -> int:
        return self._number(name) + 1

    def count_points(self, annotations: Iterable[Annotation], names: list[str]) -> None:
        """Called with all annotations of the set, before `settle_points`."""
        for found in annotations:
            if isinstance(found, Points):
                self._lengths[self.of(found.label, names)].add(len(found.points) // 2)

    def settle_points(self) -> None:
        """Which classes have keypoints: those whose objects all have as many points."""
        for name, counts in self._lengths.items():
            known = self.named_points.get(name, ([], []))[0]
            if known and counts == {len(known)}:
                self.keypoints[name] = known
            elif len(counts) == 1 and max(counts) >= LEAST_POINTS:
                self.keypoints[name] = [str(place) for place in range(1, max(counts) + 1)]

    def rows(self) -> list[dict[str, Any]]:
        found = []
        for number, name in enumerate(self.names):
            row: dict[str, Any] = {"id": number + 1, "name": name}
            if name in self.colors:
                row["color"] = self.colors[name]
            if name in self.keypoints:
                row["keypoints"] = self.keypoints[name]
                row["skeleton"] = self.named_points.get(name, ([], []))[1]
            found.append(row)
        return found

    def _number(self, name: str) -> int:
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]


class Choice:
    """Of a set with classes of whole images and objects in them, what a task needs; of any other, everything."""

    def __init__(self, task: str, annotations: Iterable[Annotation]) -> None:
        kinds = {isinstance(found, Label) for found in annotations}
        self.wanted = (task == "classify") if len(kinds) == 2 else None

    def of(self, annotations: Iterable[Annotation], path: str, losses: Losses) -> list[Annotation]:
        found = list(annotations)
        if self.wanted is None:
            return found
        kept = [one for one in found if isinstance(one, Label) == self.wanted]
        losses.add("objects" if self.wanted else "image_labels", path, len(found) - len(kept))
        return kept


def objects_of(
    annotations: list[Annotation], names: list[str], table: ClassTable, path: str, losses: Losses
) -> Iterator[dict[str, Any]]:
    """The objects of one image, without ids; `names` are the classes by the annotations' numbers."""
    boxes = _boxes_of_points(annotations, names, table)
    taken = {id(box) for box in boxes.values()}
    groups = Counter(found.group for found in annotations if found.group and id(found) not in taken)
    losses.add("groups", path, sum(count > 1 for count in groups.values()))
    for found in annotations:
        if id(found) in taken:
            continue
        name = table.of(getattr(found, "label", None), names)
        shape = _shape_of(found, name, table, boxes.get(id(found)), path, losses)
        if shape is None:
            continue
        row = {"category_id": table.id_of(name), **shape}
        if attributes := _attributes(found, path, losses):
            row["attributes"] = attributes
        yield row


def _shape_of(
    found: Annotation, name: str, table: ClassTable, box: Bbox | None, path: str, losses: Losses
) -> dict[str, Any] | None:
    if isinstance(found, Label):
        return {}
    if isinstance(found, Bbox):
        return {"bbox": _numbers(found.get_bbox())}
    if isinstance(found, RotatedBbox):
        return {"corners": _numbers(np.ravel(found.as_polygon()))}
    if isinstance(found, Polygon):
        return {"segmentation": [_numbers(found.points)]}
    if isinstance(found, Ellipse):
        losses.add("ellipses", path)
        return {"segmentation": [_numbers(np.ravel(found.as_polygon(CORNERS)))]}
    if isinstance(found, Points):
        return _pose(found, len(table.keypoints.get(name, ())), box, path, losses)
    if isinstance(found, Mask):
        if name.lower() == BACKGROUND:
            losses.add("background", path)
            return None
        return _mask(np.asarray(found.image, dtype=bool), path, losses)
    losses.add(LEFT_OUT.get(type(found), "other_kinds"), path)
    return None


def _mask(pixels: Any, path: str, losses: Losses) -> dict[str, Any] | None:
    """Runs down the columns, first of background."""
    flat = pixels.ravel(order="F")
    if not flat.any():
        losses.add("empty_masks", path)
        return None
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate(([0], edges, [flat.size]))).tolist()
    if flat[0]:
        counts.insert(0, 0)
    height, width = pixels.shape
    around = np.argwhere(pixels)
    top, left = around.min(axis=0).tolist()
    bottom, right = around.max(axis=0).tolist()
    return {
        "bbox": [left, top, right - left + 1, bottom - top + 1],
        "segmentation": {"size": [height, width], "counts": counts},
    }


def _pose(found: Points, expected: int, box: Bbox | None, path: str, losses: Losses) -> dict[str, Any] | None:
    columns, rows = found.points[::2], found.points[1::2]
    seen = [int(visible) for visible in found.visibility]
    if expected != len(columns) or not any(seen):
        losses.add("points", path)
        return None
    if box is not None:
        around = box.get_bbox()
    else:
        inside = [(x, y) for x, y, visible in zip(columns, rows, seen, strict=True) if visible]
        left, top = min(x for x, _ in inside), min(y for _, y in inside)
        around = [left, top, max(x for x, _ in inside) - left, max(y for _, y in inside) - top]
    points: list[float] = []
    for x, y, visible in zip(columns, rows, seen, strict=True):
        points += (*_numbers((x, y)), visible) if visible else (0, 0, 0)
    return {"bbox": _numbers(around), "keypoints": points}


def _boxes_of_points(annotations: list[Annotation], names: list[str], table: ClassTable) -> dict[int, Bbox]:
    """The box that belongs to points, by the identity of these: of their group, or the only one of their class."""
    found: dict[int, Bbox] = {}
    points = [one for one in annotations if isinstance(one, Points) and table.of(one.label, names) in table.keypoints]
    boxes = [one for one in annotations if isinstance(one, Bbox)]
    for one in points:
        same = [box for box in boxes if box.group == one.group and box.label == one.label]
        alone = sum(other.group == one.group and other.label == one.label for other in points) == 1
        if len(same) == 1 and alone:
            found[id(one)] = same[0]
    return found


def _attributes(found: Annotation, path: str, losses: Losses) -> dict[str, Any]:
    kept = {}
    for name, value in found.attributes.items():
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, bool | int | float | str):
            kept[str(name)] = value
        elif value is not None:
            losses.add("attributes", path)
    return kept


def _numbers(values: Iterable[Any]) -> list[float]:
    return [round(float(value), 6) for value in values]
