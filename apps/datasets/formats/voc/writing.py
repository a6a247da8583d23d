"""Writing a set as Pascal VOC: `JPEGImages`, `Annotations`, lists of the splits, and a map of the labels."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from apps.datasets.formats.classes import ClassInfo
from apps.datasets.formats.conversion import as_bounds
from apps.datasets.formats.losses import Losses
from apps.datasets.formats.model import Annotation, Box
from apps.datasets.formats.voc.parsing import FLAGS, LABEL_MAP
from apps.datasets.formats.writing import SetFolder, WritableItem, Written, as_table, count_lost_classes

IMAGES = "JPEGImages"
KEPT = frozenset({*FLAGS, "pose"})


def write_voc(
    items: Iterable[WritableItem],
    classes: Sequence[ClassInfo | str],
    folder: Path | SetFolder,
    *,
    task: str = "detect",
) -> Written:
    """Write the set's boxes into `folder`. An image without an annotation gets no XML."""
    table = as_table(classes)
    written = Written()
    losses = written.losses
    count_lost_classes(table, losses, colors=False, keypoints=True)
    names = [escape(found.name, quote=False) for found in table]
    target = SetFolder.of(folder)
    splits: dict[str, list[str]] = {}
    for item in items:
        image = target.place(IMAGES, item.path, losses)
        stem = image[len(IMAGES) + 1 :].rpartition(".")[0]
        target.copy(item, image)
        if item.split is not None:
            splits.setdefault(item.split, []).append(stem)
        if item.annotation is not None:
            text, count = document_text(item.annotation, image, item, names, losses)
            target.write(f"Annotations/{stem}.xml", text)
            written.objects += count
        written.images += 1
    for split, stems in sorted(splits.items()):
        target.write(f"ImageSets/Main/{split}.txt", "".join(f"{stem}\n" for stem in stems))
    target.write(LABEL_MAP, label_map(table))
    return written


def document_text(
    annotation: Annotation, image: str, item: WritableItem, names: Sequence[str], losses: Losses
) -> tuple[str, int]:
    """The XML of one image, and how many objects it has."""
    name = escape(image.rpartition("/")[2], quote=False)
    parts = [
        (
            f"<annotation>\n  <folder>{IMAGES}</folder>\n  <filename>{name}</filename>\n  <size><width>{item.width}</width>"
            f"<height>{item.height}</height><depth>3</depth></size>\n  <segmented>0</segmented>\n"
        )
    ]
    for shape in annotation.objects:
        pose, flags = "Unspecified", "<truncated>0</truncated><difficult>0</difficult>"
        if shape.attributes:
            kept = dict(shape.attributes)
            losses.add("attributes", item.path, bool(kept.keys() - KEPT))
            pose = escape(str(kept.get("pose", pose)), quote=False)
            flags = "".join(f"<{flag}>{int(kept.get(flag) is True)}</{flag}>" for flag in FLAGS)
        if type(shape) is Box:
            x, y, width, height = shape[1:5]
        else:
            found = as_bounds(shape, item.path, losses)
            if found is None:
                continue
            x, y, width, height = found
        parts.append(
            f"  <object>\n    <name>{names[shape.class_id]}</name><pose>{pose}</pose>{flags}\n    <bndbox><xmin>"
            f"{round(x, 6)}</xmin><ymin>{round(y, 6)}</ymin><xmax>{round(x + width, 6)}</xmax>"
            f"<ymax>{round(y + height, 6)}</ymax></bndbox>\n  </object>\n"
        )
    parts.append("</annotation>\n")
    return "".join(parts), len(parts) - 2


def label_map(table: Sequence[ClassInfo]) -> str:
    """The order and the colours of the classes, as converters exchange them."""
    rows = ["# label:color_rgb:parts:actions\n"]
    for found in table:
        color = found.color or ""
        parts = ",".join(str(int(color[index : index + 2], 16)) for index in (1, 3, 5)) if color else ""
        rows.append(f"{found.name}:{parts}::\n")
    return "".join(rows)
