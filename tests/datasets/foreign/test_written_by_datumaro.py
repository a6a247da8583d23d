"""Formats that datumaro itself writes from what is drawn here: read by one child, and found again."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from apps.datasets.analysis import analyse
from apps.datasets.archives import walk
from apps.datasets.foreign.catalogue import FORMATS
from apps.datasets.foreign.conversion import laid_out
from apps.datasets.foreign.reader import Job, Report, read
from apps.datasets.formats.model import Annotation, Box, ImageClass, Mask, Polygon, Pose, Shape
from tests.datasets.foreign.support import BY_HAND, square_runs

#: Plugin, what is drawn in it, the task it is for, and what datumaro calls the writer where that is another name.
PLANS = {
    "camvid": ("masks", "segment", "camvid"),
    "cityscapes": ("masks", "segment", "cityscapes"),
    "datumaro": ("outlines", "segment", "datumaro"),
    "icdar_text_localization": ("words", "detect", "icdar_text_localization"),
    "imagenet_txt": ("classes", "classify", "imagenet_txt"),
    "kitti_segmentation": ("masks", "segment", "kitti_segmentation"),
    "label_me": ("outlines", "segment", "label_me"),
    "mot_seq": ("boxes", "detect", "mot_seq_gt"),
    "open_images": ("boxes", "detect", "open_images"),
    "vgg_face2": ("faces", "pose", "vgg_face2"),
}
SPLITLESS = {"mot_seq"}
WRITER = """
import json, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
from datumaro.components.annotation import Bbox, Label, Mask, Points, Polygon
from datumaro.components.dataset import Dataset
from datumaro.components.dataset_base import DatasetItem
from datumaro.components.media import Image

def mask(number):
    pixels = np.zeros((64, 96), bool)
    pixels[20:30, 30:42] = True
    return Mask(pixels, label=1 + number % 2, id=1)

DRAWN = {
    "boxes": lambda number: [Bbox(10 + number, 12, 20, 15, label=number % 2)],
    "classes": lambda number: [Label(number % 2)],
    "faces": lambda number: [
        Bbox(10, 12, 30, 25, label=number % 2), Points([12, 14, 20, 14, 16, 20, 12, 28, 20, 28], label=number % 2)
    ],
    "masks": lambda number: [mask(number)],
    "outlines": lambda number: [Polygon([10, 10, 40, 12, 30, 40], label=number % 2)],
    "words": lambda number: [Bbox(10, 12, 20, 15, attributes={"text": "word"})],
}
home, plans = sys.argv[1], json.loads(sys.argv[2])
for plugin, (drawn, splitless, writer) in plans.items():
    items = []
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 255, (64, 96, 3)).astype(np.uint8)
        items.append(DatasetItem(
            id=str(number + 1) if splitless else f"{number:03d}",
            subset="default" if splitless else ["train", "val"][number % 2],
            media=Image.from_numpy(data=pixels),
            annotations=DRAWN[drawn](number),
        ))
    names = ["background", "cat", "dog"] if drawn == "masks" else ["cat", "dog"]
    made = Dataset.from_iterable(items, categories=names)
    made.export(f"{home}/{plugin}", writer, save_media=True)
    if plugin == "camvid":
        # Masks without the sizes of their images, which datumaro then passes over.
        made.export(f"{home}/passed_over", "open_images", save_media=True)
"""


@pytest.fixture(scope="module")
def reports(python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Job, Report]]:
    home = tmp_path_factory.mktemp("written")
    plans = {plugin: (drawn, plugin in SPLITLESS, writer) for plugin, (drawn, _task, writer) in PLANS.items()}
    environment = {"HOME": str(home), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([python, "-c", WRITER, home, json.dumps(plans)], env=environment, check=True, timeout=120)
    jobs = [Job(home / plugin, home / f"{plugin}.read", task, plugin) for plugin, (_, task, _) in PLANS.items()]
    jobs.append(Job(home / "passed_over", home / "passed_over.read", "segment", "open_images"))
    return dict(zip((*PLANS, "passed_over"), zip(jobs, read(python, jobs), strict=True), strict=True))


def drawn_shape(drawn: str, number: int, classes: list[str]) -> Shape:
    name = "word" if drawn == "words" else ("cat", "dog")[number % 2]
    label = classes.index("text" if drawn == "words" else name)
    if drawn == "boxes":
        return Box(label, 10 + number, 12, 20, 15)
    if drawn == "words":
        return Box(label, 10, 12, 20, 15)
    if drawn == "classes":
        return ImageClass(label)
    if drawn == "outlines":
        return Polygon(label, ((10, 10, 40, 12, 30, 40),))
    if drawn == "masks":
        return Mask(label, 64, 96, tuple(int(run) for run in square_runs(30, 20, 12, 10)))
    return Pose(label, 10, 12, 30, 25, (12, 14, 2, 20, 14, 2, 16, 20, 2, 12, 28, 2, 20, 28, 2))


@pytest.mark.parametrize("plugin", PLANS)
def test_what_datumaro_wrote_is_found_again(reports: dict[str, tuple[Job, Report]], plugin: str) -> None:
    drawn, task, _writer = PLANS[plugin]
    job, report = reports[plugin]
    converted = laid_out(walk(job.source), job, report)
    items: list[Any] = []

    found = analyse(converted.staged, task=task, on_item=items.append)

    assert (found.errors, found.task, found.images) == (0, task, 3), found.defects
    classes = [one["name"] for one in found.classes]
    first = 1 if plugin in SPLITLESS else 0
    for item in items:
        number = int(item.path.rpartition("/")[2].partition("_")[0].partition(".")[0]) - first
        assert item.split == (None if plugin in SPLITLESS else ("train", "val")[number % 2])
        bare = Annotation.of(shape._replace(attributes=()) for shape in item.annotation.objects)
        assert bare == Annotation.of([drawn_shape(drawn, number, classes)])


def test_what_datumaro_only_mentions_in_its_log_is_an_error_and_in_a_lenient_analysis_a_warning(
    reports: dict[str, tuple[Job, Report]],
) -> None:
    job, report = reports["passed_over"]
    converted = laid_out(walk(job.source), job, report)

    strict = analyse(converted.staged, task="segment")
    lenient = analyse(converted.staged, task="segment", lenient=True)

    assert (strict.errors, strict.defect_counts["datumaro.item"], strict.ok) == (3, 3, False)
    assert (lenient.errors, lenient.defect_counts["datumaro.item"], lenient.ok) == (0, 3, True)
    assert {found.path for found in strict.defects if found.code == "datumaro.item"} == {
        f"annotations/{split}-annotations-object-segmentation.csv" for split in ("train", "val")
    }


def test_every_format_that_is_offered_is_tried() -> None:
    tried = {*PLANS, *(make().plugin for make in BY_HAND)}
    assert tried == {found.plugin for found in FORMATS.values()}
