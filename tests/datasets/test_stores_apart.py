"""D5: datasets in one store and results in another, in two folders and in two buckets; what lay together before is
found all the same, and whoever looks after objects looks after both."""

import hashlib
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.utils import timezone

from apps.core.models import LooseObject
from apps.core.storage import ObjectNotFound, results, storage, stores
from apps.core.storage.keys import blob_key
from apps.core.storage.layered import LayeredStorage
from apps.core.testing import Cast
from apps.datasets.models import Blob
from apps.datasets.services import sweep
from apps.jobs.models import AttemptFile, Job, LogChunk
from apps.jobs.selectors import log_slice
from tests.datasets.factories.images import encoded
from tests.departures.support import purged
from tests.factories.datasets import DatasetFactory, published
from tests.factories.evaluation import PNG, PNG_SHA256
from tests.jobs.support import running
from tests.stores import apart

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["folders", "buckets"])
def both(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> Iterator[dict[str, Any]]:
    with apart(request.param, settings, tmp_path):
        yield stores()


def put(store: Any, key: str, content: bytes) -> None:
    store.put(key, io.BytesIO(content))


def fsck(*arguments: str) -> list[dict[str, Any]]:
    output = io.StringIO()
    try:
        call_command("storage_fsck", "--json", *arguments, stdout=output)
    except SystemExit as exit:
        assert exit.code == 1
    return [json.loads(line) for line in output.getvalue().splitlines()]


def found_of(organization_id: Any, *arguments: str) -> set[tuple[str, str, str]]:
    """Store, kind and digest of what was found in an organization."""
    rows = [row for row in fsck(*arguments) if str(organization_id) in row["key"]]
    return {(row["store"], row["kind"], row["key"].rpartition("/")[2]) for row in rows}


def test_what_jobs_write_goes_to_the_second_store_and_datasets_to_the_first(both: dict[str, Any]) -> None:
    dataset = published(DatasetFactory())
    launcher = running()
    assert launcher.upload("weights.pt", b"weights") == (200, {"stored": True})
    assert launcher.log(0, b"one line\n")[0] == 200
    file, job = AttemptFile.objects.get(), Job.objects.get(pk=launcher.attempt.job_id)
    assert log_slice(job, 0, 100)["text"] == "one line\n"
    blobs = {blob_key(blob.organization_id, blob.sha256) for blob in Blob.objects.filter(entries__dataset=dataset)}
    assert set(both["datasets"].keys("")) == blobs
    assert set(both["results"].keys("")) == {blob_key(job.organization_id, file.sha256), LogChunk.objects.get().key}


def test_a_picture_to_be_predicted_on_is_a_result_and_is_given_back(both: dict[str, Any], cast: Cast) -> None:
    checkpoint = cast.sample("tried-checkpoint")
    picture = encoded("PNG", 9, 7)
    body = {"files": [SimpleUploadedFile("a.png", picture)], "checkpoint_id": str(checkpoint.pk)}
    answer = cast.owner.rest.post("/inference-jobs", body, format="multipart")
    assert answer.status_code == 201, answer.content
    key = blob_key(cast.sample("organization").pk, hashlib.sha256(picture).hexdigest())
    assert both["results"].read(key) == picture
    assert both["datasets"].size(key) is None
    content = cast.owner.rest.get(f"/inference-jobs/{answer.json()['id']}/inputs/0/content")
    assert content.content == picture


def test_what_was_written_before_the_results_lay_apart_is_read_and_kept(both: dict[str, Any], cast: Cast) -> None:
    inference = cast.sample("predicted-inference-job")  # written by `storage()`, as everything was
    key = blob_key(inference.organization_id, PNG_SHA256)
    assert both["results"].size(key) is None
    content = cast.owner.rest.get(f"/inference-jobs/{inference.pk}/inputs/0/content")
    assert content.content == PNG
    assert results().size(key) == len(PNG)
    assert b"".join(results().open(key, 1, 3)) == PNG[1:4]
    assert found_of(inference.organization_id, "--grace-hours", "0") == set()


def test_a_job_reads_files_of_datasets_through_the_same_door(both: dict[str, Any]) -> None:
    dataset = published(DatasetFactory())
    blob = Blob.objects.filter(entries__dataset=dataset).first()
    assert blob is not None
    key = blob_key(blob.organization_id, blob.sha256)
    assert hashlib.sha256(results().read(key)).hexdigest() == blob.sha256
    assert isinstance(results(), LayeredStorage)


def test_each_store_is_looked_through_for_what_is_missing_damaged_or_nobodys(both: dict[str, Any]) -> None:
    dataset = published(DatasetFactory())
    launcher = running()
    for name in ("whole.pt", "short.pt", "gone.pt", "moved.pt"):
        assert launcher.upload(name, name.encode())[0] == 200
    digest = {file.name: file.sha256 for file in AttemptFile.objects.all()}
    job = Job.objects.get(pk=launcher.attempt.job_id)
    key = {name: blob_key(job.organization_id, sha256) for name, sha256 in digest.items()}
    put(both["results"], key["short.pt"], b"x")
    both["results"].delete(key["gone.pt"])
    both["results"].delete(key["moved.pt"])
    put(both["datasets"], key["moved.pt"], b"moved.pt")
    put(both["results"], blob_key(job.organization_id, "ab" * 32), b"nobody's")
    wrong = {("results", "damaged", digest["short.pt"]), ("results", "missing", digest["gone.pt"])}
    orphan = ("results", "orphan", "ab" * 32)
    assert found_of(job.organization_id, "--grace-hours", "0") == {*wrong, orphan}
    fsck("--repair", "--grace-hours", "0")
    assert found_of(job.organization_id, "--grace-hours", "0") == wrong

    # A file of a dataset that lies with the results alone is missing: datasets are read from their own store.
    blob = Blob.objects.filter(entries__dataset=dataset).order_by("pk").first()
    assert blob is not None
    place = blob_key(blob.organization_id, blob.sha256)
    put(both["results"], place, both["datasets"].read(place))
    both["datasets"].delete(place)
    assert found_of(blob.organization_id, "--grace-hours", "0") == {("datasets", "missing", blob.sha256)}
    fsck("--repair", "--grace-hours", "0")
    blob.refresh_from_db()
    assert blob.damage == "missing"


def test_what_was_left_incoming_is_found_in_both_stores(both: dict[str, Any]) -> None:
    for store in both.values():
        put(store, "incoming/left", b"left")
        put(store, "blobs/00000000-0000-4000-8000-000000000000/aa/x", b"of nobody")
    rows = {(row["store"], row["key"]) for row in fsck("--grace-hours", "0", "--repair")}
    for name, store in both.items():
        assert {(name, "incoming/left"), (name, "blobs/00000000-0000-4000-8000-000000000000/aa/x")} <= rows
        assert list(store.keys("")) == []


def test_the_sweep_takes_unused_files_out_of_both_and_leaves_those_that_jobs_name(both: dict[str, Any]) -> None:
    dataset = published(DatasetFactory())
    unused, named = Blob.objects.filter(entries__dataset=dataset).order_by("pk")[:2]
    for blob in (unused, named):
        key = blob_key(blob.organization_id, blob.sha256)
        put(both["results"], key, both["datasets"].read(key))
    launcher = running()
    Job.objects.filter(pk=launcher.attempt.job_id).update(organization=dataset.organization, project=dataset.project)
    AttemptFile.objects.create(
        attempt=launcher.attempt, kind="artifact", name="a", sha256=named.sha256, size=named.size
    )
    dataset.delete()
    sweep()
    LooseObject.objects.update(since=timezone.now() - timedelta(days=9))
    sweep()
    gone, kept = (blob_key(blob.organization_id, blob.sha256) for blob in (unused, named))
    for store in both.values():
        assert store.size(gone) is None
        assert store.size(kept) == named.size


def test_an_organization_that_is_deleted_leaves_nothing_in_either_store(both: dict[str, Any], cast: Cast) -> None:
    inference = cast.sample("predicted-inference-job")
    organization_id = inference.organization_id
    put(results(), blob_key(organization_id, "cd" * 32), b"a result")
    put(results(), f"logs/{organization_id}/piece", b"a log")
    assert all(any(str(organization_id) in key for key in store.keys("")) for store in both.values())
    purged(cast)
    for store in both.values():
        assert [key for key in store.keys("") if str(organization_id) in key and not key.startswith("audit")] == []


def test_both_stores_as_one_keep_to_the_interface(both: dict[str, Any]) -> None:
    seen = results()
    put(both["datasets"], "blobs/one/aa/old", b"old")
    put(seen, "blobs/two/aa/new", b"new")
    put(both["datasets"], "blobs/two/aa/new", b"an earlier one")
    assert {row.key: row.size for row in seen.objects("blobs/")} == {"blobs/one/aa/old": 3, "blobs/two/aa/new": 3}
    assert sorted(seen.folders("blobs/")) == ["one", "two"]
    assert seen.read("blobs/two/aa/new") == b"new"
    seen.move("blobs/one/aa/old", "blobs/one/aa/moved")
    assert seen.read("blobs/one/aa/moved") == b"old"
    for key in ("blobs/two/aa/new", "blobs/one/aa/moved"):
        seen.delete(key)
        assert seen.size(key) is None
        with pytest.raises(ObjectNotFound):
            seen.open(key)
    with pytest.raises(ObjectNotFound):
        seen.move("blobs/one/aa/old", "elsewhere")


def test_with_one_store_there_is_no_second() -> None:
    assert list(stores()) == ["datasets"]
    assert results() is storage()
