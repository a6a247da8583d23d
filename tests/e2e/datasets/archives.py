"""The archives that journeys send, and what is in them."""

import io
import zipfile
from collections import Counter
from collections.abc import Mapping

from apps.datasets.samples import CLASSES, sample_archive

#: A class that does not exist, in the first row; a coordinate beside the picture, in the second.
WRONG_ROWS = b"9 0.5 0.5 0.1 0.1\n0 1.5 0.5 0.2 0.2\n"


def members(archive: bytes) -> dict[str, bytes]:
    """Path → bytes of every file."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def altered(archive: bytes, files: Mapping[str, bytes | None]) -> bytes:
    """The archive with other bytes under these paths; None leaves a file out."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in {**members(archive), **files}.items():
            if content is not None:
                opened.writestr(name, content)
    return made.getvalue()


def defective(archive: bytes) -> bytes:
    """The archive with two wrong rows in its first label."""
    return altered(archive, {"labels/train/train-0000.txt": WRONG_ROWS})


def next_delivery(archive: bytes) -> bytes:
    """A further version of a sample archive: an image more, one less, another picture under the path of the third, and
    a single box, of a class of its own, in the picture of the first."""
    more = members(sample_archive(train=2, val=0, seed=9))
    return altered(
        archive,
        {
            "images/train/extra.jpg": more["images/train/train-0000.jpg"],
            "labels/train/extra.txt": b"2 0.5 0.5 0.5 0.5\n",
            "images/train/train-0001.jpg": None,
            "labels/train/train-0001.txt": None,
            "images/train/train-0002.jpg": more["images/train/train-0001.jpg"],
            "labels/train/train-0000.txt": b"1 0.5 0.5 0.25 0.25\n",
        },
    )


def classes_of(archive: bytes) -> dict[str, list[str]]:
    """Name of each image, without its ending → the class of each of its boxes."""
    labels = {name: text.decode() for name, text in members(archive).items() if name.startswith("labels/")}
    return {
        name.rpartition("/")[2].removesuffix(".txt"): [CLASSES[int(row.split()[0])] for row in text.splitlines()]
        for name, text in labels.items()
    }


def images_per_class(archive: bytes) -> Counter[str]:
    return Counter(name for names in classes_of(archive).values() for name in set(names))


def box_count(archive: bytes) -> int:
    return sum(map(len, classes_of(archive).values()))
