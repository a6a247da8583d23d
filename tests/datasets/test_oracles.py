"""What is written is read by others as it was meant: Ultralytics' own loader and converter, torchvision's ImageFolder.

They live in the Ultralytics trainer's environment, and in processes of it alone.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from modelyard_trainer.environments import ensure

from apps.datasets.formats.model import Annotation, Box, ImageClass, OrientedBox, Polygon, Pose
from apps.datasets.formats.writing import WritableItem
from tests.datasets.factories import labels

TRAINERS = Path(__file__).resolve().parents[2] / "trainers"
LOADER = """
import json, sys
from ultralytics.data.dataset import YOLODataset
from ultralytics.data.utils import check_det_dataset
folder, task = sys.argv[1:]
data = check_det_dataset(folder + "/data.yaml", autodownload=False)
found = {}
for split in ("train", "val", "test"):
    dataset = YOLODataset(data[split], data=data, task=task, augment=False, imgsz=64)
    for label in dataset.labels:
        name = label["im_file"].rpartition("/")[2]
        found[name] = {
            "classes": label["cls"].ravel().astype(int).tolist(),
            "boxes": label["bboxes"].tolist(),
            "segments": [segment.tolist() for segment in label["segments"]],
            "keypoints": None if label["keypoints"] is None else label["keypoints"].tolist(),
            "shape": list(label["shape"]),
        }
print(json.dumps({"names": data["names"], "kpt_shape": data.get("kpt_shape"), "labels": found}))
"""
CONVERTER = """
import json, pathlib, sys
from ultralytics.data.converter import convert_coco
folder, target, kind = sys.argv[1:]
convert_coco(folder + "/annotations", target, use_segments=kind == "segment", use_keypoints=kind == "pose", cls91to80=False)
rows = {path.stem: path.read_text().splitlines() for path in pathlib.Path(target, "labels").rglob("*.txt")}
print(json.dumps(rows))
"""
FOLDERS = """
import json, sys
from torchvision.datasets import ImageFolder
found = {split: ImageFolder(sys.argv[1] + "/" + split) for split in sys.argv[2:]}
print(json.dumps({
    split: [[path.rpartition("/")[2], folder.classes[number]] for path, number in folder.samples]
    for split, folder in found.items()
}))
"""


@pytest.fixture(scope="session")
def python() -> Path:
    cache = os.environ.get("MODELYARD_CACHE") or Path.home() / ".cache" / "modelyard"
    return ensure(TRAINERS / "ultralytics", cache).python


def ask(python: Path, home: Path, program: str, *words: object) -> Any:
    """What a program of that environment prints last, as JSON; it reaches no network."""
    home.mkdir()
    done = subprocess.run(
        [python, "-c", program, *map(str, words)],
        cwd=home,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TMPDIR": str(home),
            "YOLO_OFFLINE": "true",
            "YOLO_AUTOINSTALL": "false",
            "CUDA_VISIBLE_DEVICES": "",
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def flat(values: Any) -> list[float]:
    if isinstance(values, list | tuple):
        return [number for value in values for number in flat(value)]
    return [float(values)]


def scaled(values: tuple[float, ...]) -> list[float]:
    return [value / (labels.HEIGHT if index % 2 else labels.WIDTH) for index, value in enumerate(values)]


def expected(annotation: Annotation | None) -> dict[str, list[float]]:
    """Classes, and the coordinates of every object as fractions, as the loader gives them."""
    found: dict[str, list[float]] = {"classes": [], "values": [], "keypoints": []}
    for shape in annotation.objects if annotation is not None else ():
        found["classes"].append(shape.class_id)
        if isinstance(shape, Polygon):
            found["values"] += scaled(shape.parts[0])
        elif isinstance(shape, OrientedBox):
            found["values"] += scaled(shape.corners)
        else:
            assert isinstance(shape, Box | Pose)
            middle = (shape.x + shape.width / 2, shape.y + shape.height / 2, shape.width, shape.height)
            found["values"] += scaled(middle)
        if isinstance(shape, Pose):
            sides = (labels.WIDTH, labels.HEIGHT, 1)
            found["keypoints"] += [value / sides[index % 3] for index, value in enumerate(shape.points)]
    return found


@pytest.mark.parametrize("task", ["detect", "segment", "pose", "obb"])
def test_ultralytics_loads_what_is_written_as_yolo(python: Path, tmp_path: Path, task: str) -> None:
    made = labels.make_set(task, seed=3)
    labels.write("yolo", made, tmp_path / "set", task)

    found = ask(python, tmp_path / "home", LOADER, tmp_path / "set", task)

    assert list(found["names"].values()) == [info.name for info in made.classes]
    assert found["kpt_shape"] == ([3, 3] if task == "pose" else None)
    assert len(found["labels"]) == len(made.items)
    for item in made.items:
        theirs, ours = found["labels"][item.path.rpartition("/")[2]], expected(item.annotation)
        assert theirs["shape"] == [labels.HEIGHT, labels.WIDTH]
        assert theirs["classes"] == ours["classes"]
        values = theirs["segments"] if task in ("segment", "obb") else theirs["boxes"]
        assert flat(values) == pytest.approx(ours["values"], abs=1e-5)
        assert flat(theirs["keypoints"] or []) == pytest.approx(ours["keypoints"], abs=1e-5)


@pytest.mark.parametrize("task", ["detect", "segment", "pose"])
def test_ultralytics_converts_what_is_written_as_coco_into_the_same_rows(
    python: Path, tmp_path: Path, task: str
) -> None:
    made = labels.make_set(task, seed=4)
    labels.write("coco", made, tmp_path / "coco", task)

    theirs = ask(python, tmp_path / "home", CONVERTER, tmp_path / "coco", tmp_path / "converted", task)

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


def test_torchvision_finds_every_image_in_the_folder_of_its_class(python: Path, tmp_path: Path) -> None:
    made = labels.make_set("classify", seed=5, images=12)
    labels.write("imagefolder", made, tmp_path / "set", "classify")

    found = ask(python, tmp_path / "home", FOLDERS, tmp_path / "set", "train", "val", "test")

    for split, samples in found.items():
        ours = []
        for item in made.items:
            (shape,) = item.annotation.objects
            assert isinstance(shape, ImageClass)
            if item.split == split:
                ours.append([item.path.rpartition("/")[2], made.classes[shape.class_id].name])
        assert sorted(samples) == sorted(ours)


def test_a_mask_with_a_hole_is_one_segment_for_ultralytics(python: Path, tmp_path: Path) -> None:
    made = labels.make_set("segment", images=3)
    mask = Annotation.of([labels.square_mask()])
    made.items = [WritableItem(item.path, item.split, item.width, item.height, mask, item.open) for item in made.items]
    labels.write("yolo", made, tmp_path / "set", "segment")
    found = ask(python, tmp_path / "home", LOADER, tmp_path / "set", "segment")
    for label in found["labels"].values():
        assert (label["classes"], len(label["segments"])) == ([0], 1)
        x, y, width, height = label["boxes"][0]
        assert (x * labels.WIDTH, y * labels.HEIGHT) == pytest.approx((25, 25), abs=1e-3)
        assert (width * labels.WIDTH, height * labels.HEIGHT) == pytest.approx((10, 10), abs=1e-3)
