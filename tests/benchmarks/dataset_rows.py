"""Datasets of many entries for benchmarks: `python -m tests.benchmarks.dataset_rows <project> <command> …`.

The rows go the way that a publication takes; the files in the store, whose content is their own path, are written beside
them. Answers with one line of JSON.
"""

import hashlib
import json
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelyard.settings.base")
django.setup()

from django.db import transaction

from apps.core.storage import storage
from apps.core.storage.keys import blob_key
from apps.datasets.formats.model import Annotation, Box
from apps.datasets.models import Blob, Dataset, Revision
from apps.datasets.services import statements
from apps.projects.models import Project

CLASSES = 20
#: One picture in ten is large, two are small.
WIDTHS = (2400, 320, *[1280] * 3, 320, *[1280] * 4)
#: Each hundredth image differs in the second revision, every one in the third.
STEPS = ((0, 1), (1, 100), (2, 1))


def fill(project_id: str, count: str) -> str:
    """The id of a dataset with three revisions of so many images: labelled; 1 % labelled anew; all labelled anew."""
    project = Project.objects.get(pk=project_id)
    dataset = Dataset.objects.create(project=project, organization=project.organization, name="Many")
    for number in range(int(count)):
        path = _path(number)
        _object(project.organization_id, hashlib.sha256(path.encode()).hexdigest()).write_bytes(path.encode())
    for number, (seed, each) in enumerate(STEPS, 1):
        with statements.incoming(_rows(int(count), seed, each)), transaction.atomic():
            moved = statements.write_entries(dataset.organization_id, dataset.pk, number, keep=True)
            _revise(dataset, number, moved)
    return str(dataset.pk)


def damage(project_id: str, dataset_id: str, changed: str, missing: str) -> dict[str, str]:
    """Turns a byte over in so many files of the dataset and removes so many others: digest → what was done."""
    blobs = Blob.objects.filter(organization__projects=project_id, media_type="image/jpeg").order_by("pk")
    digests = random.Random(dataset_id).sample(
        list(blobs.values_list("sha256", flat=True)), int(changed) + int(missing)
    )
    organization_id = Project.objects.get(pk=project_id).organization_id
    for sha256 in digests[: int(changed)]:
        path = _object(organization_id, sha256)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    for sha256 in digests[int(changed) :]:
        _object(organization_id, sha256).unlink()
    return {sha256: "changed" if number < int(changed) else "missing" for number, sha256 in enumerate(digests)}


def _path(number: int) -> str:
    return f"images/{'val' if number % 5 == 0 else 'train'}/{number:08d}.jpg"


def _object(organization_id: Any, sha256: str) -> Path:
    path = storage().local_path(blob_key(organization_id, sha256))
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _revise(dataset: Dataset, number: int, moved: statements.Moved) -> None:
    totals = statements.totals(dataset.pk)
    counts = {**totals, "added": moved.added, "changed": moved.changed, "removed": moved.removed}
    classes = [{"id": label, "name": f"class {label}"} for label in range(CLASSES)]
    Revision.objects.create(dataset=dataset, no=number, classes=classes, counts=counts)
    Dataset.objects.filter(pk=dataset.pk).update(
        revision_no=number,
        image_count=totals["images"],
        labelled_count=totals["labelled"],
        box_count=totals["boxes"],
        file_count=totals["files"],
        byte_count=totals["bytes"],
    )


def _rows(count: int, seed: int, each: int) -> Iterator[statements.Row]:
    for number in range(0, count, each):
        path = _path(number)
        digest = hashlib.sha256(path.encode())
        boxes = [Box((number + seed + step) % CLASSES, 10.0 + step, 20.0, 30.0 + seed, 40.0) for step in range(3)]
        annotation = Annotation.of(boxes)
        yield statements.Row(
            path=path,
            bucket=digest.digest()[0],
            sha256=digest.hexdigest(),
            size=len(path),
            media_type="image/jpeg",
            is_image=True,
            width=WIDTHS[number % len(WIDTHS)],
            height=240,
            split="val" if number % 5 == 0 else "train",
            annotation=annotation.digest(),
            document=annotation.canonical().decode(),
            class_ids=annotation.class_ids,
            box_count=len(boxes),
            has_warnings=number % 1000 == 0,
        )


if __name__ == "__main__":
    print(json.dumps({"fill": fill, "damage": damage}[sys.argv[2]](sys.argv[1], *sys.argv[3:])))
