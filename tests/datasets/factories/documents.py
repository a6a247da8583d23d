"""COCO documents and VOC files in memory, small and good, to be made bad by one change."""

import json
from typing import Any

from tests.datasets.factories.images import encoded

Files = dict[str, bytes]
WIDTH, HEIGHT = 32, 24


def annotation(number: int = 1, image: Any = 1, **more: Any) -> dict[str, Any]:
    """A good annotation, on a line of its own in the document."""
    return {"id": number, "image_id": image, "category_id": 1, "bbox": [2, 3, 10, 8], **more}


def document(*annotations: Any, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "images": [
            {"id": number, "file_name": f"{number}.jpg", "width": WIDTH, "height": HEIGHT} for number in (1, 2)
        ],
        "categories": [
            {"id": 1, "name": "cat", "keypoints": ["nose", "tail"], "skeleton": [[1, 2]]},
            {"id": 2, "name": "dog"},
        ],
        "annotations": list(annotations),
    }
    return found | more


def written(found: dict[str, Any]) -> bytes:
    """The document with one entry a line: `"images"` on line 2, its entries from line 3 on."""
    lines = ["{"]
    for key, value in found.items():
        end = "" if key == list(found)[-1] else ","
        if isinstance(value, list):
            lines.append(f"{json.dumps(key)}: [")
            lines += [json.dumps(entry) + ("," if entry is not value[-1] else "") for entry in value]
            lines.append(f"]{end}")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}{end}")
    return "\n".join([*lines, "}", ""]).encode()


def coco_files(content: bytes | dict[str, Any], *, name: str = "annotations/instances_train.json") -> Files:
    data = content if isinstance(content, bytes) else written(content)
    return {"images/1.jpg": encoded(seed=1), "images/2.jpg": encoded(seed=2), name: data}


#: The line of the first annotation in what `written(document(...))` gives.
FIRST = 11


def voc_object(name: str = "cat", box: tuple[Any, ...] = (2, 3, 12, 11), more: str = "") -> str:
    edges = "".join(
        f"<{edge}>{value}</{edge}>" for edge, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    return f"<object><name>{name}</name>{more}<bndbox>{edges}</bndbox></object>"


def voc_xml(*objects: str, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """One object a line, from line 4 on."""
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return "\n".join(["<annotation>", "<filename>1.jpg</filename>", size, *objects, "</annotation>", ""]).encode()


def voc_files(xml: bytes) -> Files:
    return {
        "JPEGImages/1.jpg": encoded(seed=1),
        "JPEGImages/2.jpg": encoded(seed=2),
        "Annotations/1.xml": xml,
        "Annotations/2.xml": voc_xml(voc_object("dog")),
    }
