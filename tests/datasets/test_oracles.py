"""What is written is read by others as it was meant: Ultralytics' own loader and converter, torchvision's ImageFolder.

They live in the Ultralytics trainer's environment, and in processes of it alone.
"""

from pathlib import Path
from typing import Any

import pytest

from apps.datasets.formats.model import Annotation, ImageClass, Pose
from apps.datasets.formats.writing import WritableItem
from tests.datasets.factories import labels
from tests.datasets.oracles import ask, expected, flat, read_by_trainer, trainer_python

CONVERTER = """
import json, pathlib, sys
from ultralytics.data.converter import convert_coco
folder, target, kind = sys.argv[1:]
convert_coco(folder + "/annotations", target, use_segments=kind == "segment", use_keypoints=kind == "pose", cls91to80=False)
rows = {path.stem: path.read_text().splitlines() for path in pathlib.Path(target, "labels").rglob("*.txt")}
print(json.dumps(rows))
"""


YOLO_TASKS = ("detect", "segment", "pose", "obb")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[labels.Labelled, Any]]:
    """What was written, and what the libraries found, by task; `mask` is a set of masks with holes."""
    home = tmp_path_factory.mktemp("written")
    made = {task: labels.make_set(task, seed=3) for task in YOLO_TASKS}
    made["classify"] = labels.make_set("classify", seed=5, images=12)
    made["mask"] = labels.make_set("segment", images=3)
    mask = Annotation.of([labels.square_mask()])
    made["mask"].items = [
        WritableItem(item.path, item.split, item.width, item.height, mask, item.open) for item in made["mask"].items
    ]
    tasks = {name: "segment" if name == "mask" else name for name in made}
    for name, one in made.items():
        labels.write("imagefolder" if name == "classify" else "yolo", one, home / name, tasks[name])
    read = read_by_trainer(home / "home", [(home / name, task) for name, task in tasks.items()])
    return dict(zip(made, zip(made.values(), read, strict=True), strict=True))


@pytest.mark.parametrize("task", YOLO_TASKS)
def test_ultralytics_loads_what_is_written_as_yolo(found: dict[str, tuple[labels.Labelled, Any]], task: str) -> None:
    made, read = found[task]

    assert list(read["names"].values()) == [info.name for info in made.classes]
    assert read["kpt_shape"] == ([3, 3] if task == "pose" else None)
    assert len(read["labels"]) == len(made.items)
    for item in made.items:
        theirs, ours = read["labels"][item.path.rpartition("/")[2]], expected(item.annotation)
        assert theirs["shape"] == [labels.HEIGHT, labels.WIDTH]
        assert theirs["classes"] == ours["classes"]
        values = theirs["segments"] if task in ("segment", "obb") else theirs["boxes"]
        assert flat(values) == pytest.approx(ours["values"], abs=1e-5)
        assert flat(theirs["keypoints"] or []) == pytest.approx(ours["keypoints"], abs=1e-5)


@pytest.mark.parametrize("task", ["detect", "segment", "pose"])
def test_ultralytics_converts_what_is_written_as_coco_into_the_same_rows(tmp_path: Path, task: str) -> None:
    made = labels.make_set(task, seed=4)
    labels.write("coco", made, tmp_path / "coco", task)

    theirs = ask(trainer_python(), tmp_path / "home", CONVERTER, tmp_path / "coco", tmp_path / "converted", task)

    for item in made.items:
        # The converter leaves out persons of whom no keypoint is labelled.
        shapes = [
            shape
            for shape in (item.annotation.objects if item.annotation is not None else ())
            if not isinstance(shape, Pose) or any(shape.points[2::3])
        ]
        ours = expected(Annotation(tuple(shapes)))
        rows = [[float(value) for value in row.split()] for row in theirs.get(Path(item.path).stem, [])]
        assert [row[0] for row in rows] == ours["classes"]
        values = [value for row in rows for value in (row[1:] if task == "segment" else row[1:5])]
        assert values == pytest.approx(ours["values"], abs=1e-5)
        if task == "pose":
            assert [value for row in rows for value in row[5:]] == pytest.approx(ours["keypoints"], abs=1e-5)


def test_torchvision_finds_every_image_in_the_folder_of_its_class(
    found: dict[str, tuple[labels.Labelled, Any]],
) -> None:
    made, read = found["classify"]

    for split, folder in read.items():
        ours = []
        for item in made.items:
            (shape,) = item.annotation.objects
            assert isinstance(shape, ImageClass)
            if item.split == split:
                ours.append([item.path.rpartition("/")[2], made.classes[shape.class_id].name])
        samples = [[name, folder["classes"][number]] for name, number in folder["samples"]]
        assert ours and sorted(samples) == sorted(ours)


def test_a_mask_with_a_hole_is_one_segment_for_ultralytics(found: dict[str, tuple[labels.Labelled, Any]]) -> None:
    _, read = found["mask"]

    assert len(read["labels"]) == 3
    for label in read["labels"].values():
        assert (label["classes"], len(label["segments"])) == ([0], 1)
        x, y, width, height = label["boxes"][0]
        assert (x * labels.WIDTH, y * labels.HEIGHT) == pytest.approx((25, 25), abs=1e-3)
        assert (width * labels.WIDTH, height * labels.HEIGHT) == pytest.approx((10, 10), abs=1e-3)
