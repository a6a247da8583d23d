"""Sets in formats that datumaro reads: some written by hand as their makers do, some by datumaro itself."""

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from apps.datasets.archives import Staged, walk
from apps.datasets.formats.model import Annotation, Box, ImageClass, Mask, OrientedBox, Polygon, Pose, Shape
from tests.datasets.factories.images import encoded

WIDTH, HEIGHT = 96, 64
#: Name → split, objects as (class, values) and whether somebody has labelled it.
Expected = dict[str, tuple[str | None, list[tuple[str, tuple[float, ...]]] | None]]


@dataclass(frozen=True)
class Sample:
    """A set as a format has it, what it is for, and what must be found in it, by the images' names."""

    plugin: str
    task: str
    files: dict[str, bytes]
    expected: Expected

    def write(self, folder: Path) -> Staged:
        for path, content in self.files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return walk(folder)


def picture(seed: int, kind: str = "JPEG") -> bytes:
    return encoded(kind, WIDTH, HEIGHT, seed=seed)


def mask_png(values: np.ndarray, mode: str = "RGB") -> bytes:
    target = io.BytesIO()
    Image.fromarray(values, mode).save(target, "PNG")
    return target.getvalue()


def values_of(shape: Shape) -> tuple[float, ...]:
    if isinstance(shape, Box):
        return shape[1:5]
    if isinstance(shape, Polygon):
        return tuple(value for part in shape.parts for value in part)
    if isinstance(shape, OrientedBox):
        return shape.corners
    if isinstance(shape, Pose):
        return (*shape[1:5], *shape.points)
    if isinstance(shape, Mask):
        return shape.counts
    assert isinstance(shape, ImageClass)
    return ()


def objects(annotation: Annotation | None, classes: tuple[str, ...]) -> list[tuple[str, tuple[float, ...]]] | None:
    if annotation is None:
        return None
    return sorted((classes[shape.class_id], values_of(shape)) for shape in annotation.objects)


def square_runs(left: int, top: int, width: int, height: int) -> tuple[float, ...]:
    """Runs down the columns of a picture in which one upright rectangle is seen."""
    runs = [left * HEIGHT + top]
    for _ in range(width):
        runs += [height, HEIGHT - height]
    runs[-1] = (WIDTH - left - width + 1) * HEIGHT - top - height
    return tuple(runs)


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><task><name>shapes</name><labels>
<label><name>cat</name><attributes><attribute><name>fur</name><input_type>text</input_type></attribute></attributes></label>
<label><name>강아지</name><attributes></attributes></label></labels></task></meta>
<image id="0" name="a.jpg" width="96" height="64">
{first}
</image>
<image id="1" name="b.jpg" width="96" height="64">{second}</image>
<image id="2" name="c.jpg" width="96" height="64"></image>
</annotations>"""
CVAT_BOX = '<box label="{label}" occluded="0" xtl="{x1}" ytl="{y1}" xbr="{x2}" ybr="{y2}" z_order="0">{inside}</box>'


def cvat(first: str, second: str = "") -> dict[str, bytes]:
    return {
        "annotations.xml": CVAT.format(first=first, second=second).encode(),
        **{f"images/{name}.jpg": picture(number) for number, name in enumerate("abc")},
    }


def cvat_boxes() -> Sample:
    fur = '<attribute name="fur">long</attribute>'
    first = CVAT_BOX.format(label="cat", x1=10, y1=12, x2=30.5, y2=40, inside=fur)
    first += CVAT_BOX.format(label="강아지", x1=50, y1=5, x2=70, y2=25, inside="")
    found: Expected = {
        "a.jpg": (None, [("cat", (10, 12, 20.5, 28)), ("강아지", (50, 5, 20, 20))]),
        "b.jpg": (None, []),
        "c.jpg": (None, []),
    }
    return Sample("cvat", "detect", cvat(first), found)


def cvat_outlines() -> Sample:
    """A polygon and a mask; lines, ellipses and skeletons are passed over."""
    first = '<polygon label="cat" occluded="0" points="10,10;40,12;30,40" z_order="0"></polygon>'
    first += '<polyline label="cat" occluded="0" points="1,1;5,5" z_order="0"></polyline>'
    first += '<ellipse label="cat" occluded="0" cx="50" cy="30" rx="5" ry="6" z_order="0"></ellipse>'
    second = '<mask label="강아지" occluded="0" rle="0,12" left="20" top="30" width="4" height="3" z_order="0"></mask>'
    found: Expected = {
        "a.jpg": (None, [("cat", (10, 10, 40, 12, 30, 40))]),
        "b.jpg": (None, [("강아지", square_runs(20, 30, 4, 3))]),
        "c.jpg": (None, []),
    }
    return Sample("cvat", "segment", cvat(first, second), found)


def cvat_points() -> Sample:
    first = '<points label="cat" occluded="0" points="12,14;20,14;16,20" z_order="0"></points>'
    found: Expected = {
        "a.jpg": (None, [("cat", (12, 14, 8, 6, 12, 14, 2, 20, 14, 2, 16, 20, 2))]),
        "b.jpg": (None, []),
        "c.jpg": (None, []),
    }
    return Sample("cvat", "pose", cvat(first), found)


def cvat_turned() -> Sample:
    """A box turned by a quarter."""
    first = '<box label="cat" occluded="0" xtl="30" ytl="25" xbr="50" ybr="35" rotation="90" z_order="0"></box>'
    found: Expected = {
        "a.jpg": (None, [("cat", (45, 20, 45, 40, 35, 40, 35, 20))]),
        "b.jpg": (None, []),
        "c.jpg": (None, []),
    }
    return Sample("cvat", "obb", cvat(first), found)


def kitti() -> Sample:
    """Splits with other classes each, and one image that has no labels."""
    row = "{name} 0.00 0 -1.57 {x1} {y1} {x2} {y2} 1.65 1.67 3.64 -0.65 1.71 46.70 -1.59\n"
    car = row.format(name="Car", x1=10.5, y1=20.25, x2=40, y2=50)
    files = {
        "training/image_2/000000.png": picture(1, "PNG"),
        "training/image_2/000001.png": picture(2, "PNG"),
        "training/label_2/000000.txt": (car + row.format(name="Cyclist", x1=50, y1=5, x2=60, y2=25)).encode(),
        "training/label_2/000001.txt": car.encode(),
        "validation/image_2/000002.png": picture(3, "PNG"),
        "validation/image_2/000003.png": picture(4, "PNG"),
        "validation/label_2/000002.txt": row.format(name="Van", x1=1, y1=2, x2=11, y2=12).encode(),
    }
    found: Expected = {
        "000000.png": ("train", [("Car", (10.5, 20.25, 29.5, 29.75)), ("Cyclist", (50, 5, 10, 20))]),
        "000001.png": ("train", [("Car", (10.5, 20.25, 29.5, 29.75))]),
        "000002.png": ("val", [("Van", (1, 2, 10, 10))]),
        "000003.png": ("val", None),
    }
    return Sample("kitti_detection", "detect", files, found)


def wider_face() -> Sample:
    """As it is published: folders of events, ten values to a face."""
    rows = "0--Parade/0_Parade_1.jpg\n2\n10 12 20 22 0 0 0 0 0 0\n40 5 8 9 1 0 0 0 0 0\n"
    rows += "1--Handshaking/1_Handshaking_2.jpg\n1\n30 20 15 16 0 0 0 0 0 0\n"
    files = {
        "wider_face_split/wider_face_train_bbx_gt.txt": rows.encode(),
        "WIDER_train/images/0--Parade/0_Parade_1.jpg": picture(1),
        "WIDER_train/images/1--Handshaking/1_Handshaking_2.jpg": picture(2),
    }
    found: Expected = {
        "0_Parade_1.jpg": ("train", [("face", (10, 12, 20, 22)), ("face", (40, 5, 8, 9))]),
        "1_Handshaking_2.jpg": ("train", [("face", (30, 20, 15, 16))]),
    }
    return Sample("wider_face", "detect", files, found)


def dota() -> Sample:
    """With the two lines that DOTA begins its files with."""
    rows = "imagesource:GoogleEarth\ngsd:0.146\n40.0 20.0 60.0 20.0 60.0 30.0 40.0 30.0 ship 0\n"
    files = {
        "train/images/P0001.png": picture(1, "PNG"),
        "train/labelTxt/P0001.txt": rows.encode(),
        "val/images/P0002.png": picture(2, "PNG"),
        "val/labelTxt/P0002.txt": b"10 10 30 10 30 20 10 20 plane 1\n",
    }
    found: Expected = {
        "P0001.png": ("train", [("ship", (40, 20, 60, 20, 60, 30, 40, 30))]),
        "P0002.png": ("val", [("plane", (10, 10, 30, 10, 30, 20, 10, 20))]),
    }
    return Sample("dota", "obb", files, found)


def vott_csv() -> Sample:
    rows = 'image,xmin,ymin,xmax,ymax,label\n"a.jpg",10.5,12,30,40,"cat"\n"a.jpg",1,2,11,12,"dog"\n"b.jpg",5,6,25,36,"dog"\n'
    files = {"shapes-export.csv": rows.encode(), "a.jpg": picture(1), "b.jpg": picture(2)}
    found: Expected = {
        "a.jpg": (None, [("cat", (10.5, 12, 19.5, 28)), ("dog", (1, 2, 10, 10))]),
        "b.jpg": (None, [("dog", (5, 6, 20, 30))]),
    }
    return Sample("vott_csv", "detect", files, found)


def vott_json() -> Sample:
    """With paths of the machine that it was made on."""
    region = {"id": "r", "type": "RECTANGLE", "tags": ["cat"]}
    region |= {"boundingBox": {"left": 10.5, "top": 12, "width": 19.5, "height": 28}}
    asset = {
        "id": "1",
        "name": "a.jpg",
        "path": "file:/home/maker/pictures/a.jpg",
        "size": {"width": 96, "height": 64},
    }
    empty = {"id": "2", "name": "b.jpg", "path": "file:/home/maker/pictures/b.jpg"}
    document = {
        "name": "shapes",
        "tags": [{"name": "cat", "color": "#ff0000"}],
        "assets": {"1": {"asset": asset, "regions": [region]}, "2": {"asset": empty, "regions": []}},
    }
    files = {"shapes-export.json": json.dumps(document).encode(), "a.jpg": picture(1), "b.jpg": picture(2)}
    found: Expected = {"a.jpg": (None, [("cat", (10.5, 12, 19.5, 28))]), "b.jpg": (None, [])}
    return Sample("vott_json", "detect", files, found)


def masks() -> Sample:
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[20:30, 30:42] = (200, 10, 0)
    meta = {"label_map": {"0": "background", "1": "cat"}, "segmentation_colors": [[0, 0, 0], [200, 10, 0]]}
    files = {
        "dataset_meta.json": json.dumps(meta).encode(),
        "images/a.png": picture(1, "PNG"),
        "masks/a.png": mask_png(pixels),
    }
    return Sample(
        "common_semantic_segmentation",
        "segment",
        files,
        {"a.png": (None, [("cat", square_runs(30, 20, 12, 10))])},
    )


BY_HAND = (
    *(cvat_boxes, cvat_outlines, cvat_points, cvat_turned, kitti, wider_face, dota, vott_csv, vott_json, masks),
)
