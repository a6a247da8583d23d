"""COCO documents as they are written are taken by pycocotools: loaded, drawn and evaluated in a process of its own.

It lives in datumaro's environment, which depends on it.
"""

import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from modelyard_trainer.environments import ensure_lock

from apps.datasets.foreign.environment import LOCK
from apps.datasets.formats.geometry import ring_area
from apps.datasets.formats.masks import tidied
from apps.datasets.formats.model import Annotation, Mask, Polygon, Pose, Shape, bounds
from apps.datasets.formats.writing import WritableItem
from tests.datasets.factories import labels

KINDS = {"detect": "bbox", "segment": "segm", "pose": "keypoints"}
#: Loads a document, draws every annotation and evaluates the annotations against themselves.
READER = """
import contextlib, io, json, sys
import numpy
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

def runs(mask):
    pixels = mask.flatten(order="F").astype(bool)
    edges = numpy.flatnonzero(numpy.diff(pixels)) + 1
    counts = numpy.diff([0, *edges, pixels.size]).tolist()
    return [0, *counts] if pixels[0] else counts

def read(path, kind):
    coco = COCO(path)
    classes = {row["id"]: row["name"] for row in coco.loadCats(coco.getCatIds())}
    names = {row["id"]: row["file_name"] for row in coco.loadImgs(coco.getImgIds())}
    annotations = coco.loadAnns(coco.getAnnIds())
    objects = []
    for row in annotations:
        objects.append([names[row["image_id"]], classes[row["category_id"]], row["bbox"], row["area"]])
        objects[-1].append(runs(coco.annToMask(row)) if kind == "segm" else row.get("keypoints", []))
    keys = ["image_id", "category_id", {"bbox": "bbox", "segm": "segmentation", "keypoints": "keypoints"}[kind]]
    results = []
    for row in annotations:
        # Persons without a point are left out by the evaluation.
        if kind == "keypoints" and not row["num_keypoints"]:
            continue
        result = {key: row[key] for key in keys} | {"score": 1.0}
        if kind == "segm":
            result["segmentation"] = coco.annToRLE(row)
        results.append(result)
    tried = COCOeval(coco, coco.loadRes(results), kind)
    if kind == "keypoints":
        tried.params.kpt_oks_sigmas = numpy.full(3, 0.1)
    tried.evaluate(); tried.accumulate(); tried.summarize()
    return {"images": sorted(names.values()), "objects": objects, "ap": float(tried.stats[0])}

with contextlib.redirect_stdout(io.StringIO()):
    found = {path: read(path, kind) for path, kind in json.loads(sys.argv[1])}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def python(cache: Path) -> Path:
    """Only documents of this test are read here, which needs no confinement."""
    return ensure_lock(LOCK, cache).python


def made_for(task: str) -> labels.Labelled:
    """Outlines with a mask beside them on every image that has labels."""
    made = labels.make_set(task, seed=11)
    if task == "segment":
        made.items = [with_mask(item) for item in made.items]
    return made


def with_mask(item: WritableItem) -> WritableItem:
    if item.annotation is None:
        return item
    shapes = [*item.annotation.objects, labels.square_mask(1)]
    return WritableItem(item.path, item.split, item.width, item.height, Annotation.of(shapes), item.open)


@pytest.fixture(scope="module")
def found(python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Task → split → what pycocotools says of the document."""
    home = tmp_path_factory.mktemp("coco")
    plans = []
    for task, kind in KINDS.items():
        labels.write("coco", made_for(task), home / task, task)
        plans += [(str(path), kind) for path in sorted((home / task / "annotations").iterdir())]
    done = subprocess.run(
        [python, "-c", READER, json.dumps(plans)],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "MPLCONFIGDIR": str(home), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers: dict[str, dict[str, Any]] = {task: {} for task in KINDS}
    for path, answer in json.loads(done.stdout.splitlines()[-1]).items():
        split = Path(path).stem.rpartition("_")[2]
        answers[Path(path).parts[-3]][split] = answer
    return answers


def pairs(made: labels.Labelled, answers: dict[str, Any]) -> Iterator[tuple[list[Any], Shape, str]]:
    """Their objects beside ours, in the order in which they were written."""
    for split, answer in answers.items():
        items = [item for item in made.items if item.split == split and item.annotation is not None]
        assert answer["images"] == sorted(f"{item.split}/{Path(item.path).name}" for item in items)
        ours = [(f"{split}/{Path(item.path).name}", shape) for item in items for shape in item.annotation.objects]
        assert len(answer["objects"]) == len(ours)
        for theirs, (name, shape) in zip(answer["objects"], ours, strict=True):
            assert theirs[0] == name
            yield theirs, shape, made.classes[shape.class_id].name


@pytest.mark.parametrize("task", KINDS)
def test_every_annotation_is_loaded_with_its_class_and_box(found: dict[str, dict[str, Any]], task: str) -> None:
    assert set(found[task]) == {"train", "val", "test"}
    count = 0
    for (_name, label, box, _area, _more), shape, expected in pairs(made_for(task), found[task]):
        assert label == expected
        assert box == pytest.approx(bounds(shape))
        count += 1
    assert count > 10


def test_masks_are_drawn_pixel_for_pixel_and_outlines_as_large_as_they_are(found: dict[str, dict[str, Any]]) -> None:
    kinds = set()
    for (_name, _label, _box, area, runs), shape, _expected in pairs(made_for("segment"), found["segment"]):
        kinds.add(type(shape))
        if isinstance(shape, Mask):
            assert runs == list(tidied(shape.counts))
            assert sum(runs[1::2]) == area == 100 - 4
        else:
            assert isinstance(shape, Polygon)
            assert area == pytest.approx(sum(map(ring_area, shape.parts)), abs=1e-5)
            # What is drawn differs at the edge alone, by a pixel for each that it passes.
            assert abs(sum(runs[1::2]) - area) <= edge_of(shape.parts[0])
    assert kinds == {Mask, Polygon}


def edge_of(ring: tuple[float, ...]) -> float:
    points = list(zip(ring[::2], ring[1::2], strict=True))
    return sum(max(abs(x2 - x1), abs(y2 - y1)) + 1 for (x1, y1), (x2, y2) in itertools.pairwise([*points, points[0]]))


def test_keypoints_are_read_as_they_were(found: dict[str, dict[str, Any]]) -> None:
    for (_name, _label, _box, _area, points), shape, _expected in pairs(made_for("pose"), found["pose"]):
        assert isinstance(shape, Pose)
        assert points == pytest.approx(shape.points)


@pytest.mark.parametrize("task", KINDS)
def test_the_evaluation_finds_every_annotation_in_itself(found: dict[str, dict[str, Any]], task: str) -> None:
    for answer in found[task].values():
        assert answer["ap"] == pytest.approx(1.0)
