"""Writing a set as COCO: a document for each split, written as the items come."""

import json
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

from apps.datasets.formats.classes import ClassInfo
from apps.datasets.formats.conversion import corners_of
from apps.datasets.formats.geometry import ring_area
from apps.datasets.formats.losses import Losses
from apps.datasets.formats.masks import mask_area
from apps.datasets.formats.model import Box, Mask, OrientedBox, Polygon, Pose, Shape, bounds
from apps.datasets.formats.writing import SetFolder, WritableItem, Written, as_table

FILE_NAMES = {"pose": "person_keypoints"}
COPIED = 1 << 20


def write_coco(
    items: Iterable[WritableItem],
    classes: Sequence[ClassInfo | str],
    folder: Path | SetFolder,
    *,
    task: str = "segment",
) -> Written:
    """Write the set into `folder`: `images/<split>` and `annotations/instances_<split>.json`.

    Turned boxes become outlines, classes of images boxes. An image without an annotation is in no document.
    """
    table = as_table(classes)
    written = Written()
    target = SetFolder.of(folder)
    documents: dict[str | None, Document] = {}
    name = FILE_NAMES.get(task, "instances")
    try:
        for item in items:
            document = documents.get(item.split)
            if document is None:
                path = f"annotations/{name}{'' if item.split is None else '_' + item.split}.json"
                document = documents[item.split] = Document(target.locate(path), categories(table), {})
            image = target.place(f"images/{item.split}" if item.split else "images", item.path, written.losses)
            target.copy(item, image)
            written.images += 1
            if item.annotation is None:
                continue
            # Named from the document's folder of images, as every reader of COCO takes it.
            number = document.add_image(image.partition("/")[2], item, {})
            for shape in item.annotation.objects:
                document.add_object(number, shape, item, written.losses)
                written.objects += 1
        if not documents:
            documents[None] = Document(target.locate(f"annotations/{name}.json"), categories(table), {})
    finally:
        for document in documents.values():
            document.close()
    return written


def categories(table: Sequence[ClassInfo], *, is_dice: bool = False) -> list[dict[str, Any]]:
    """The classes; ids begin with 1, as does the numbering of keypoints in a skeleton."""
    found = []
    for number, info in enumerate(table, 1):
        row: dict[str, Any] = {"id": number, "name": info.name, "supercategory": ""}
        if info.color is not None:
            red, green, blue = (int(info.color[index : index + 2], 16) for index in (1, 3, 5))
            row["color"] = info.color if is_dice else [red, green, blue]
        if info.keypoints:
            row["keypoints"] = list(info.keypoints)
            row["skeleton"] = [[first + 1, second + 1] for first, second in info.skeleton]
        found.append(row)
    return found


class Document:
    """A document that grows: images go into its file, annotations into a second one that is put behind them."""

    def __init__(self, path: str, found: list[dict[str, Any]], info: dict[str, Any], *, is_dice: bool = False) -> None:
        self.is_dice = is_dice
        self.images = self.objects = 0
        self._file = open(path, "x", encoding="utf-8")  # noqa: SIM115 (closed by `close`)
        self._objects: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        head = f'{{"info": {json.dumps(info)}, "licenses": [], "categories": {json.dumps(found, ensure_ascii=False)}'
        self._file.write(f'{head},\n"images": [')

    def add_image(self, name: str, item: WritableItem, more: dict[str, Any]) -> int:
        """Add an image and return its id."""
        self.images += 1
        row = {"id": self.images, "file_name": name, "width": item.width, "height": item.height, **more}
        self._file.write(f"{',' if self.images > 1 else ''}\n{json.dumps(row, ensure_ascii=False)}")
        return self.images

    def add_object(self, image: int, shape: Shape, item: WritableItem, losses: Losses) -> None:
        self.objects += 1
        comma = "," if self.objects > 1 else ""
        if type(shape) is Box and not shape.attributes:
            number, x, y, width, height, _ = shape
            self._objects.write(
                f'{comma}\n{{"id": {self.objects}, "image_id": {image}, "category_id": {number + 1}, '
                f'"bbox": [{x}, {y}, {width}, {height}], "area": {round(width * height, 6)}, "iscrowd": 0, '
                '"segmentation": []}'
            )
            return
        row = {"id": self.objects, "image_id": image, "category_id": shape.class_id + 1}
        row |= self._row(shape, item, losses)
        self._objects.write(f"{comma}\n{json.dumps(row, ensure_ascii=False)}")

    def _row(self, shape: Shape, item: WritableItem, losses: Losses) -> dict[str, Any]:
        attributes = dict(shape.attributes)
        is_crowd = attributes.pop("iscrowd", False) is True
        row: dict[str, Any] = {}
        around = bounds(shape)
        if around is None and not self.is_dice:
            losses.add("class_to_box", item.path)
            around = (0.0, 0.0, float(item.width), float(item.height))
        if around is not None:
            row["bbox"] = list(around)
            row["area"] = round(area_of(shape, around), 6)
            row["iscrowd"] = int(is_crowd)
            row["segmentation"] = []
        elif is_crowd:
            row["iscrowd"] = 1
        if isinstance(shape, Polygon):
            row["segmentation"] = [list(part) for part in shape.parts]
        elif isinstance(shape, Mask):
            row["segmentation"] = {"size": [shape.height, shape.width], "counts": list(shape.counts)}
        elif isinstance(shape, Pose):
            row["keypoints"] = [int(value) if index % 3 == 2 else value for index, value in enumerate(shape.points)]
            row["num_keypoints"] = sum(value > 0 for value in shape.points[2::3])
        elif isinstance(shape, OrientedBox):
            if self.is_dice:
                row["corners"] = list(shape.corners)
            else:
                losses.add("turned_to_outline", item.path)
                row["segmentation"] = [list(shape.corners)]
        if attributes:
            row["attributes"] = attributes
        return row

    def close(self) -> None:
        self._file.write('],\n"annotations": [')
        self._objects.seek(0)
        shutil.copyfileobj(self._objects, self._file, COPIED)
        self._file.write("]}\n")
        self._objects.close()
        self._file.close()


def area_of(shape: Shape, around: tuple[float, float, float, float]) -> float:
    """The area of an object in pixels; of a box for what has no outline."""
    if isinstance(shape, Polygon):
        return sum(map(ring_area, shape.parts))
    if isinstance(shape, Mask):
        return float(mask_area(shape.counts))
    if isinstance(shape, OrientedBox):
        return ring_area(shape.corners)
    return ring_area(corners_of(around))
