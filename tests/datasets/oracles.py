"""Programs that read with other libraries what was written here, each in a process of its own.

Ultralytics and torchvision live in the Ultralytics trainer's environment.
"""

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from modelyard_trainer.environments import ensure

from apps.datasets.formats.model import Annotation, Box, OrientedBox, Polygon, Pose
from tests.datasets.factories import labels

TRAINERS = Path(__file__).resolve().parents[2] / "trainers"
LOADING = """
import json, sys
from ultralytics.data.dataset import YOLODataset
from ultralytics.data.utils import check_det_dataset

def load(folder, task):
    data = check_det_dataset(folder + "/data.yaml", autodownload=False)
    found = {}
    for split in ("train", "val", "test"):
        if not data.get(split):
            continue
        dataset = YOLODataset(data[split], data=data, task=task, augment=False, imgsz=64)
        for label in dataset.labels:
            name = label["im_file"].rpartition("/")[2]
            found[name] = {
                "split": split,
                "classes": label["cls"].ravel().astype(int).tolist(),
                "boxes": label["bboxes"].tolist(),
                "segments": [segment.tolist() for segment in label["segments"]],
                "keypoints": None if label["keypoints"] is None else label["keypoints"].tolist(),
                "shape": list(label["shape"]),
            }
    return {"names": data["names"], "kpt_shape": data.get("kpt_shape"), "labels": found}
"""
FOLDING = """
import json, sys
from torchvision.datasets import ImageFolder

def fold(root):
    found = {split: ImageFolder(root + "/" + split, allow_empty=True) for split in ("train", "val", "test")}
    return {
        split: {
            "classes": folder.classes,
            "samples": [[path.rpartition("/")[2], number] for path, number in folder.samples],
            "sizes": [folder[number][0].size for number in range(len(folder))],
        }
        for split, folder in found.items()
    }
"""
#: Folders and tasks in turn; a folder of the task `classify` is read by torchvision, any other by Ultralytics.
READER = f"""
{LOADING}{FOLDING}
words = sys.argv[1:]
pairs = zip(words[::2], words[1::2])
print(json.dumps([fold(folder) if task == "classify" else load(folder, task) for folder, task in pairs]))
"""


def trainer_python() -> Path:
    """The interpreter of the Ultralytics trainer, whose environment is built here when it is not there yet."""
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
            "HF_HUB_OFFLINE": "1",
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


def read_by_trainer(home: Path, folders: Iterable[tuple[Path, str]]) -> list[Any]:
    """What Ultralytics, or torchvision for `classify`, finds in each folder; one process reads them all."""
    found: list[Any] = ask(trainer_python(), home, READER, *(word for pair in folders for word in pair))
    return found
