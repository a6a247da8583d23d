"""What the portal writes is taken by datumaro as it was meant: every format that both know, read in one process."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from apps.datasets.formats.model import Annotation, Polygon, Pose, bounds
from tests.datasets.factories import labels

#: Format and task here, and datumaro's name of the format.
PLANS = {
    "yolo/detect": "yolo",
    "coco/detect": "coco_instances",
    "coco/segment": "coco_instances",
    "coco/pose": "coco_person_keypoints",
    "pascal_voc/detect": "voc_detection",
    "imagefolder/classify": "imagenet_with_subset_dirs",
}
READER = """
import json, sys, warnings
warnings.simplefilter("ignore")
from datumaro.components.annotation import AnnotationType
from datumaro.components.dataset import Dataset
home, plans = sys.argv[1], json.loads(sys.argv[2])
found = {}
for name, plugin in plans.items():
    dataset = Dataset.import_from(f"{home}/{name}", plugin)
    classes = [label.name for label in dataset.categories()[AnnotationType.label]]
    found[name] = {
        f"{item.media.path.rpartition('/')[2]}": [
            item.subset,
            [
                [one.type.name, classes[one.label], [float(value) for value in getattr(one, "points", ())]]
                for one in item.annotations
            ],
        ]
        for item in dataset
    }
print(json.dumps(found))
"""


def made_for(name: str) -> labels.Labelled:
    # Of classes of images enough that every split has them all: datumaro refuses to read others.
    task = name.partition("/")[2]
    return labels.make_set(task, seed=8, images=24 if task == "classify" else 7)


@pytest.fixture(scope="module")
def found(python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("writers")
    for name in PLANS:
        kind, task = name.split("/")
        (home / kind).mkdir(exist_ok=True)
        labels.write(kind, made_for(name), home / kind / task, task)
    environment = {"HOME": str(home), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    words = [python, "-c", READER, home, json.dumps(PLANS)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def drawn(annotation: Annotation, kind: str, classes: list[str]) -> list[tuple[str, list[float]]]:
    """The objects by class, as datumaro has them: corners of boxes, outlines, points."""
    found = []
    for shape in annotation.objects:
        values: list[float] = []
        if kind == "points":
            assert isinstance(shape, Pose)
            values = [value for index, value in enumerate(shape.points) if index % 3 < 2]
        elif kind == "polygon":
            assert isinstance(shape, Polygon)
            values = list(shape.parts[0])
        elif kind == "bbox":
            x, y, width, height = bounds(shape) or (0, 0, 0, 0)
            values = [x, y, x + width, y + height]
        found.append((classes[shape.class_id], values))
    return sorted(found)


@pytest.mark.parametrize("name", PLANS)
def test_datumaro_reads_what_is_written(found: dict[str, Any], name: str) -> None:
    kind = {"segment": "polygon", "pose": "points", "classify": "label"}.get(name.partition("/")[2], "bbox")
    made = made_for(name)
    classes = [info.name for info in made.classes]
    labelled = [item for item in made.items if item.annotation is not None]
    assert labelled
    for item in labelled:
        subset, objects = found[name][item.path.rpartition("/")[2]]
        theirs = sorted((label, values) for shape, label, values in objects if shape == kind)
        ours = drawn(item.annotation or Annotation(), kind, classes)
        assert subset == item.split
        assert [label for label, _ in theirs] == [label for label, _ in ours]
        # Datumaro keeps two decimals.
        for (_, have), (_, want) in zip(theirs, ours, strict=True):
            assert have == pytest.approx(want, abs=0.011)
