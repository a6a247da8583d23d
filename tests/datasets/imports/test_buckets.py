"""Imports from a bucket: whole or not at all, and its keys are forgotten."""

import io
from collections.abc import Iterator
from typing import Any

import pytest

from apps.datasets import services, tasks
from apps.datasets.folders import UploadFolder
from apps.datasets.models import Dataset, Upload, UploadState
from apps.datasets.services import fetching
from tests.core.test_storage import s3
from tests.datasets.imports.support import begin, ended, failed, fetched
from tests.factories.datasets import shapes
from tests.stores import KEYS, SIGNING

pytestmark = pytest.mark.django_db


@pytest.fixture
def bucket(signing_server: str, settings: Any) -> Iterator[dict[str, str]]:
    """A bucket that holds a few shapes under `sets/shapes`, and how it is reached."""
    settings.OUTBOUND_PRIVATE_ORIGINS = frozenset({("http", "127.0.0.1", int(signing_server.rpartition(":")[2]))})
    store = s3(endpoint=signing_server)
    for path, content in shapes().items():
        store.put(f"sets/shapes/{path}", io.BytesIO(content))
    yield {"bucket": "bucket", "endpoint": signing_server, **KEYS}
    for key in list(store.keys("")):
        store.delete(key)


def test_what_lies_under_a_prefix_is_taken_in_and_the_keys_are_forgotten(
    dataset: Dataset, bucket: dict[str, str]
) -> None:
    upload = begin(dataset, services.from_bucket(prefix="sets/shapes", **bucket))
    row = str(Upload.objects.filter(pk=upload.pk).values().get())
    assert SIGNING not in row
    assert KEYS["access_key"] not in row
    assert upload.secret == {**KEYS, "token": ""}
    assert ended(upload).state == UploadState.ANALYSING
    assert fetched(upload) == shapes()
    assert (upload.place_secret, upload.file_count) == ("", len(shapes()))
    assert upload.byte_count == sum(map(len, shapes().values()))
    tasks.read(str(upload.pk))
    upload.refresh_from_db()
    assert upload.state == UploadState.READY, upload.analysis


def test_a_single_object_and_a_prefix_of_nothing(dataset: Dataset, bucket: dict[str, str]) -> None:
    one = begin(dataset, services.from_bucket(prefix="sets/shapes/data.yaml", **bucket))
    assert ended(one).state == UploadState.ANALYSING
    assert fetched(one) == {"data.yaml": shapes()["data.yaml"]}
    assert failed(begin(dataset, services.from_bucket(prefix="nowhere", **bucket))) == "source_empty"
    wrong = {**bucket, "secret_key": "wrong"}
    assert failed(begin(dataset, services.from_bucket(**wrong))) == "bucket_keys"


def test_a_worker_that_dies_has_its_files_fetched_once(
    dataset: Dataset, bucket: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = begin(dataset, services.from_bucket(prefix="sets/shapes", **bucket))
    real, asked = fetching._Journal.add, []

    class Killed(BaseException):
        pass

    def dying(journal: Any, found: Any) -> None:
        real(journal, found)
        asked.append(found.path)
        if len(asked) == 4:
            raise Killed

    monkeypatch.setattr(fetching._Journal, "add", dying)
    with pytest.raises(Killed):
        tasks.fetch(str(upload.pk))
    upload.refresh_from_db()
    assert upload.state == UploadState.FETCHING
    before = {path: (UploadFolder(upload.pk).files / path).stat().st_ino for path in asked}
    # One that changed meanwhile is fetched again.
    changed = asked[0]
    s3(endpoint=bucket["endpoint"]).put(f"sets/shapes/{changed}", io.BytesIO(b"changed"))
    monkeypatch.setattr(fetching._Journal, "add", real)
    assert ended(upload).state == UploadState.ANALYSING
    assert fetched(upload) == {**shapes(), changed: b"changed"}
    for path in asked[1:]:
        assert (UploadFolder(upload.pk).files / path).stat().st_ino == before[path], f"{path} was fetched twice"
