"""Formats: COCO to YOLO and on to Pascal VOC, annotations alone, beside datumaro where there is one.

    python -m tests.benchmarks.formats                       # 10,000 images with 50,000 boxes, 2,000,000 boxes out
    python -m tests.benchmarks.formats --datumaro <python>   # the interpreter of an environment that has datumaro

Every step runs in a process of its own, whose peak of memory is its alone; images are blank files of the right name
and size, made before the clock starts, and none is written. A disk that many files were deleted from is slower at
making new ones for some minutes (ext4 passes over their inodes): let it rest first. Reading is that of an upload:
every defect that the portal looks for is looked for, images apart.
"""

import argparse
import contextlib
import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from apps.datasets.archives import Member, Staged
from apps.datasets.defects import DefectLog
from apps.datasets.formats.coco import CocoSet, write_coco
from apps.datasets.formats.model import Annotation, Box, ParsedItem
from apps.datasets.formats.sets import AnnotatedSet
from apps.datasets.formats.tree import Tree
from apps.datasets.formats.voc import write_voc
from apps.datasets.formats.writing import WritableItem, Written
from apps.datasets.formats.yolo import YoloSet, write_yolo
from apps.datasets.images import ImageFacts
from tests.benchmarks.figures import Figures, arguments

WIDTH, HEIGHT, CLASSES = 640, 480, 20
FACTS = ImageFacts(WIDTH, HEIGHT, "JPEG", "RGB")
NAMES = [f"class {number}" for number in range(CLASSES)]
WRITERS = {"yolo": write_yolo, "voc": write_voc, "coco": write_coco}
READERS: dict[str, type[AnnotatedSet]] = {"coco": CocoSet, "yolo": YoloSet}
#: COCO → YOLO → VOC: what is read, and what it is written as.
STEPS = (("coco", "yolo"), ("yolo", "voc"))
TIMES = 3
DATUMARO = """
import json, resource, sys, time
from datumaro.components.dataset import Dataset
source, folder, kind, target = sys.argv[1:]
began = time.perf_counter()
dataset = Dataset.import_from(source, kind)
count = sum(len(item.annotations) for item in dataset)
read = time.perf_counter() - began
began = time.perf_counter()
dataset.export(folder, target, save_media=False)
written = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"read": read, "written": written, "peak_mb": peak, "objects": count}))
"""


def made(images: int, boxes: int) -> Iterator[WritableItem]:
    """Images with as many boxes each, on average, from a seed."""
    randomness = random.Random(6)
    left = boxes
    for number in range(images):
        count = left // (images - number)
        left -= count
        shapes = [
            Box(
                randomness.randrange(CLASSES),
                randomness.randint(0, 400),
                randomness.randint(0, 300),
                randomness.randint(8, 200),
                randomness.randint(8, 150),
            )
            for _ in range(count)
        ]
        yield WritableItem(f"images/train/{number:07d}.jpg", "train", WIDTH, HEIGHT, Annotation.of(shapes))


def staged(folder: Path, images: int) -> Staged:
    """The folder's files, and the images that are not there."""
    members = [Member(f"images/train/{number:07d}.jpg", 1, "0" * 64) for number in range(images)]
    for parent, _folders, names in os.walk(folder):
        for name in names:
            file = Path(parent, name)
            members.append(Member(file.relative_to(folder).as_posix(), file.stat().st_size))
    return Staged(folder, members)


def writable(items: Iterator[ParsedItem]) -> Iterator[WritableItem]:
    for item in items:
        yield WritableItem(item.path, item.split, item.facts.width, item.facts.height, item.annotation)


def convert(source: Path, folder: Path, kind: str, target: str, images: int) -> None:
    """One step, in this process; prints its figures."""
    found = staged(source, images)
    began = time.perf_counter()
    parsed = READERS[kind](Tree(found), log := DefectLog(), wanted="detect")
    # What an image says of itself is known here; its labels are read as ever.
    parsed._image = lambda path, size, sha256: (FACTS, sha256 or "")  # type: ignore[method-assign]
    items = list(parsed.items())
    read = time.perf_counter() - began
    began = time.perf_counter()
    written: Written = WRITERS[target](writable(iter(items)), parsed.table, folder, task="detect")
    seconds = time.perf_counter() - began
    assert log.errors == 0, log.defects[:3]
    print(json.dumps({"read": read, "written": seconds, "peak_mb": peak_mb(), "objects": written.objects}))


def stream(folder: Path, target: str, images: int, boxes: int) -> None:
    """Boxes out, as they come; prints its figures."""
    began = time.perf_counter()
    written = WRITERS[target](made(images, boxes), NAMES, folder, task="detect")
    seconds = time.perf_counter() - began
    print(json.dumps({"written": seconds, "peak_mb": peak_mb(), "objects": written.objects}))


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def child(*words: object) -> dict[str, float]:
    return program([sys.executable, "-m", "tests.benchmarks.formats", *map(str, words)])


def peer(python: str, *words: object) -> dict[str, float]:
    return program([python, "-c", DATUMARO, *map(str, words)])


def program(command: list[str]) -> dict[str, float]:
    """What a process says of itself in its last line. The files of those before it are on the disk when it begins."""
    os.sync()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def best(found: list[dict[str, float]]) -> dict[str, float]:
    """The quickest of several runs: what disturbs a run only ever makes it slower."""
    return min(found, key=lambda one: one.get("read", 0) + one["written"])


def blank_images(folder: Path, images: int) -> None:
    """What datumaro wants to find beside labels: an image of the right size under each name."""
    data = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT)).save(data, "JPEG")
    (folder / "images" / "train").mkdir(parents=True, exist_ok=True)
    first = folder / "images" / "train" / "0000000.jpg"
    first.write_bytes(data.getvalue())
    for number in range(1, images):
        with contextlib.suppress(FileExistsError):
            os.link(first, folder / "images" / "train" / f"{number:07d}.jpg")


def tell_sizes(folder: Path) -> None:
    """What datumaro knows of the images of a set in YOLO without opening them."""
    labels = folder / "obj_train_data"
    names = sorted(label.relative_to(labels).with_suffix("").as_posix() for label in labels.rglob("*.txt"))
    (folder / "images.meta").write_text("".join(f'"{name}" {HEIGHT} {WIDTH}\n' for name in names))


def main() -> int:
    if sys.argv[1:2] == ["convert"]:
        convert(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], sys.argv[5], int(sys.argv[6]))
        return 0
    if sys.argv[1:2] == ["stream"]:
        stream(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
        return 0
    wanted = options()
    figures = Figures("formats")
    with tempfile.TemporaryDirectory(prefix="modelyard-formats-") as name:
        measure(figures, Path(name), wanted)
    return figures.finish()


def options() -> argparse.Namespace:
    python = os.environ.get("MODELYARD_DATUMARO_PYTHON", "")
    if "--datumaro" in sys.argv:
        place = sys.argv.index("--datumaro")
        python = sys.argv[place + 1]
        del sys.argv[place : place + 2]
    found = arguments(__doc__, images=10_000, boxes=50_000, many=2_000_000)
    found.datumaro = python
    return found


def measure(figures: Figures, home: Path, wanted: argparse.Namespace) -> None:
    coco = home / "coco"
    write_coco(made(wanted.images, wanted.boxes), NAMES, coco, task="detect")
    totals = {"modelyard": [0.0, 0.0], "datumaro": [0.0, 0.0]}
    sources = {"coco": coco}
    for kind, target in STEPS:
        runs = [
            child("convert", sources[kind], home / f"{target}-{number}", kind, target, wanted.images)
            for number in range(TIMES)
        ]
        if target in READERS:
            sources[target] = home / f"{target}-0"
        note(figures, "modelyard", f"{kind} → {target}", best(runs), totals)
    if wanted.datumaro:
        # It wants images beside COCO, and beside YOLO their sizes, which are told here to both.
        blank_images(coco, wanted.images)
        sources = {"coco": coco}
        for kind, target in STEPS:
            runs = [
                peer(wanted.datumaro, sources[kind], home / f"datumaro-{target}-{number}", kind, target)
                for number in range(TIMES)
            ]
            sources[target] = home / f"datumaro-{target}-0"
            if target == "yolo":
                tell_sizes(sources[target])
            note(figures, "datumaro", f"{kind} → {target}", best(runs), totals)
        figures.ratio("COCO → YOLO → VOC against datumaro", totals["datumaro"][0] / totals["modelyard"][0])
        figures.ratio("peak memory, datumaro's against ours", totals["datumaro"][1] / totals["modelyard"][1])
        figures.bar("times faster than datumaro", figures.ratios["COCO → YOLO → VOC against datumaro"], low=5)
        figures.bar("datumaro's peak of memory against ours", totals["datumaro"][1] / totals["modelyard"][1], low=1)
    few = child("stream", home / "few", "yolo", wanted.images, wanted.boxes)
    figures.row(
        program="modelyard", step=f"{wanted.boxes:,} boxes out as YOLO", seconds=few["written"], peak_mb=few["peak_mb"]
    )
    figures.bar(f"seconds for {wanted.boxes:,} boxes out", few["written"], high=5)
    for target in ("coco", "yolo"):
        many = child("stream", home / f"many-{target}", target, wanted.many // 10, wanted.many)
        step = f"{wanted.many:,} boxes out as {target}"
        figures.row(program="modelyard", step=step, seconds=many["written"], peak_mb=many["peak_mb"])
        figures.bar(f"seconds for {step}", many["written"], high=120)
        figures.bar(f"MB at the peak of {step}", many["peak_mb"], high=300)


def note(figures: Figures, program: str, step: str, found: dict[str, float], totals: dict[str, list[float]]) -> None:
    figures.row(
        program=program,
        step=step,
        read_s=found["read"],
        written_s=found["written"],
        peak_mb=found["peak_mb"],
        objects=int(found["objects"]),
    )
    totals[program][0] += found["read"] + found["written"]
    totals[program][1] = max(totals[program][1], found["peak_mb"])


if __name__ == "__main__":
    sys.exit(main())
