"""`manage.py storage_fsck`: what is missing, damaged or named by nobody is told, and nothing else."""

import io
import json
import os
import threading
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection

from apps.core.storage import storage
from apps.core.storage.keys import blob_key
from apps.core.storage.locks import blobs_shared
from apps.core.testing import Cast
from apps.datasets.models import Blob, Dataset
from apps.datasets.selectors.naming import naming
from apps.datasets.services import fsck
from tests.factories.datasets import DatasetFactory, published

pytestmark = pytest.mark.django_db


@pytest.fixture
def dataset() -> Dataset:
    return published(DatasetFactory())


def run(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and findings."""
    output, status = io.StringIO(), 0
    try:
        call_command("storage_fsck", "--json", *arguments, stdout=output)
    except SystemExit as exit:
        status = int(str(exit.code))
    return status, [json.loads(line) for line in output.getvalue().splitlines()]


def of(dataset: Dataset, findings: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Kind and digest of what was found in the dataset's organization."""
    root = f"blobs/{dataset.organization_id}/"
    return {(row["kind"], row["key"].rpartition("/")[2]) for row in findings if row["key"].startswith(root)}


def plant(key: str, content: bytes = b"nobody's", *, hours: float = 48.0) -> Path:
    storage().put(key, io.BytesIO(content))
    path = storage().local_path(key)
    assert path is not None
    then = time.time() - hours * 3600
    os.utime(path, (then, then))
    return path


def path_of(blob: Blob) -> Path:
    path = storage().local_path(blob_key(blob.organization_id, blob.sha256))
    assert path is not None
    return path


def rewrite(path: Path, content: bytes) -> None:
    """Another content for this name alone: elsewhere the file may be linked."""
    path.unlink()
    path.write_bytes(content)


def test_a_store_that_holds_what_is_named_is_well(dataset: Dataset, cast: Cast) -> None:
    cast.sample("tried-checkpoint")
    cast.sample("predicted-inference-job")
    for arguments in ((), ("--read",)):
        assert of(dataset, run(*arguments)[1]) == set()


@pytest.mark.parametrize("at_once", [fsck.AT_ONCE, 0], ids=["whole", "parts"])
def test_what_is_missing_or_damaged_is_found_and_put_into_quarantine(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Of a small organization, and of one that is compared one part after the other."""
    monkeypatch.setattr(fsck, "AT_ONCE", at_once)
    short, flipped, gone, *_whole = Blob.objects.filter(organization=dataset.organization_id).order_by("pk")
    rewrite(path_of(short), b"short")
    content = bytearray(path_of(flipped).read_bytes())
    content[len(content) // 2] ^= 1
    rewrite(path_of(flipped), bytes(content))
    path_of(gone).unlink()
    lengths = {("damaged", short.sha256), ("missing", gone.sha256)}
    status, found = run()
    assert (status, of(dataset, found)) == (1, lengths)
    assert not Blob.objects.exclude(damage="").exists(), "without --repair nothing changes"
    status, found = run("--read", "--repair")
    assert of(dataset, found) == lengths | {("damaged", flipped.sha256)}
    assert all(row["repaired"] for row in found if row["key"].startswith(f"blobs/{dataset.organization_id}/"))
    damage = dict(Blob.objects.exclude(damage="").values_list("sha256", "damage"))
    assert damage == {short.sha256: "changed", flipped.sha256: "changed", gone.sha256: "missing"}


def test_what_no_row_names_is_deleted_once_it_is_old_enough(dataset: Dataset) -> None:
    organization_id = dataset.organization_id
    old = plant(blob_key(organization_id, "ab" * 32))
    young = plant(blob_key(organization_id, "ac" * 32), hours=1)
    strange = plant(f"blobs/{organization_id}/ab/no-digest")
    foreign = plant(blob_key(uuid4(), "ab" * 32))
    left = plant(f"incoming/{uuid4()}")
    arriving = plant(f"incoming/{uuid4()}", hours=1)
    status, found = run()
    assert status == 1
    keys = {row["key"].rpartition("/")[2] for row in found if row["kind"] == "orphan"}
    assert {path.name for path in (old, strange, foreign, left)} <= keys
    assert not {young.name, arriving.name} & keys
    assert all(path.exists() for path in (old, young, strange, foreign, left, arriving))
    run("--repair")
    assert not any(path.exists() for path in (old, strange, foreign, left))
    assert young.exists()
    assert arriving.exists()
    assert {row["key"] for row in run("--grace-hours", "0.5")[1]} >= {
        f"blobs/{organization_id}/ac/{young.name}",
        f"incoming/{arriving.name}",
    }
    for path in (young, arriving):
        path.unlink()


def test_an_object_in_the_place_of_another_is_nobodys(dataset: Dataset) -> None:
    blob = Blob.objects.filter(organization=dataset.organization_id).first()
    assert blob is not None
    right = blob_key(dataset.organization_id, blob.sha256)
    other = "00" if blob.sha256[:2] != "00" else "01"
    misplaced = plant(f"blobs/{dataset.organization_id}/{other}/{blob.sha256}", path_of(blob).read_bytes())
    assert of(dataset, run("--repair")[1]) == {("orphan", blob.sha256)}
    assert not misplaced.exists()
    assert storage().size(right) == blob.size
    assert run()[0] == 0


def test_files_of_jobs_are_named_too(cast: Cast) -> None:
    """A checkpoint without its object is told with the kind of row that names it, and no repair makes it up."""
    checkpoint = cast.sample("tried-checkpoint")
    organization_id = cast.sample("organization").pk
    key = blob_key(organization_id, checkpoint.sha256)
    content = storage().read(key) if storage().size(key) is not None else None
    storage().delete(key)
    _status, found = run("--repair")
    (row,) = [row for row in found if row["key"] == key]
    assert (row["kind"], row["repaired"]) == ("missing", False)
    assert "training.Checkpoint" in row["names"]
    if content is not None:
        storage().put(key, io.BytesIO(content))


@pytest.mark.django_db(transaction=True)
def test_orphans_stay_while_somebody_stores_files(dataset: Dataset) -> None:
    """What is about to be named lies there without a row."""

    organization_id = dataset.organization_id
    waiting = plant(blob_key(organization_id, "ad" * 32))
    held, release = threading.Event(), threading.Event()

    def store() -> None:
        with blobs_shared(organization_id):
            held.set()
            release.wait(30)
        connection.close()

    worker = threading.Thread(target=store)
    worker.start()
    assert held.wait(20)
    run("--repair")
    assert waiting.exists()
    release.set()
    worker.join(20)
    run("--repair")
    assert not waiting.exists()


def test_every_model_that_names_blobs_is_known() -> None:
    labels = {model._meta.label for model, _path in naming()}
    assert labels == {
        "datasets.Blob",
        "evaluation.InferenceInput",
        "jobs.AttemptFile",
        "jobs.JobArtifact",
        "training.Checkpoint",
    }


def test_it_is_told_in_words(dataset: Dataset) -> None:
    plant(blob_key(dataset.organization_id, "ae" * 32))
    output = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("storage_fsck", stdout=output)
    assert f"orphan   {blob_key(dataset.organization_id, 'ae' * 32)} 8 bytes" in output.getvalue()
    call_command("storage_fsck", "--repair", stdout=output)
    assert "(deleted)" in output.getvalue()
