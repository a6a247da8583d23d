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

from django.db import connection, transaction

from apps.core.storage import storage
from apps.core.storage.keys import blob_key
from apps.datasets.formats.model import Annotation, Box
from apps.datasets.models import AnnotationDocument, Blob, Dataset, Revision
from apps.datasets.services import statements
from apps.projects.models import Project

CLASSES = 20
#: One picture in ten is large, two are small.
WIDTHS = (2400, 320, *[1280] * 3, 320, *[1280] * 4)
#: Each hundredth image differs in the second revision, every one in the third.
STEPS = ((0, 1), (1, 100), (2, 1))

#: As a publication leaves them: paths in order, so every fifth image, in `val`, comes after all the others.
GRID_BLOBS = """
INSERT INTO datasets_blob (organization_id, sha256, size, media_type, is_sound)
SELECT %(organization)s, md5('a' || n) || md5('b' || n), 1000 + n, 'image/jpeg', true FROM generate_series(0, %(count)s - 1) n
ORDER BY n
"""
GRID_ITEMS = """
INSERT INTO datasets_item (dataset_id, path, bucket)
SELECT %(dataset)s, path, n %% 256 FROM (
    SELECT n, concat('images/', CASE WHEN n %% 5 = 0 THEN 'val' ELSE 'train' END, '/', lpad(n::text, 8, '0'), '.jpg') AS path
    FROM generate_series(0, %(count)s - 1) n
) numbered ORDER BY path COLLATE "C"
"""
GRID_ENTRIES = """
INSERT INTO datasets_entry (dataset_id, item_id, from_revision, blob_id, is_image, width, height, annotation_id,
    class_ids, box_count, split, has_warnings)
SELECT %(dataset)s, i.id, 1, %(first_blob)s + i.n, true, (%(widths)s::int[])[1 + i.n %% %(kinds)s], 240, a.id, a.class_ids, 3,
    CASE WHEN i.n %% 5 = 0 THEN 'val' ELSE 'train' END, i.n %% 1000 = 0
FROM (
    SELECT id, substring(path FROM '[0-9]+')::int AS n FROM datasets_item WHERE dataset_id = %(dataset)s
) i
JOIN datasets_annotationdocument a ON a.id = (%(labels)s::bigint[])[1 + i.n %% %(classes)s]
ORDER BY i.id
"""


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


def grid(project_id: str, count: str) -> str:
    """The id of a dataset of so many images in one revision, made by the database alone; there are no files."""
    project = Project.objects.get(pk=project_id)
    organization_id = project.organization_id
    dataset = Dataset.objects.create(project=project, organization=project.organization, name="Grid")
    labels = []
    for label in range(CLASSES):
        annotation = Annotation.of([Box((label + step) % CLASSES, 10.0 + step, 20.0, 30.0, 40.0) for step in range(3)])
        labels.append(
            AnnotationDocument(
                organization_id=organization_id,
                sha256=annotation.digest(),
                document=json.loads(annotation.canonical()),
                class_ids=annotation.class_ids,
            )
        )
    AnnotationDocument.objects.bulk_create(labels)
    values = {
        "organization": organization_id,
        "dataset": dataset.pk,
        "count": int(count),
        "widths": list(WIDTHS),
        "labels": [label.pk for label in labels],
        "kinds": len(WIDTHS),
        "classes": CLASSES,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(GRID_BLOBS, values)
        # Numbered one after the other: nobody else writes here.
        cursor.execute(
            "SELECT min(id) FROM datasets_blob WHERE size >= 1000 AND organization_id = %(organization)s", values
        )
        values["first_blob"] = cursor.fetchone()[0]
        for statement in (GRID_ITEMS, "ANALYZE datasets_item", GRID_ENTRIES):
            cursor.execute(statement, values)
        _revise(dataset, 1, statements.Moved(int(count), 0, 0))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE datasets_item, datasets_entry, datasets_blob")
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
    print(json.dumps({"fill": fill, "grid": grid, "damage": damage}[sys.argv[2]](sys.argv[1], *sys.argv[3:])))
