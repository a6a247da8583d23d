"""D4, D9: the object store's own links to single files, against a server that verifies signatures."""

import hashlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest

from apps.core.errors import NotFound
from apps.core.storage import storage
from apps.core.storage.keys import blob_key
from apps.core.testing import Cast
from apps.datasets.models import Blob, Damage, Dataset
from apps.datasets.services import downloads
from tests.datasets.factories.images import encoded
from tests.datasets.test_downloads import downloaded
from tests.factories.datasets import DatasetFactory, published, shapes
from tests.stores import KEYS, configured, signed_server

pytestmark = pytest.mark.django_db
NAMED = "images/train/사진 – №1.png"
CONTENT = encoded("PNG", seed=21)


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with signed_server(tmp_path_factory.mktemp("signed"), "data") as url:
        yield url


@pytest.fixture
def dataset(signing: str, settings: Any, cast: Cast) -> Iterator[Dataset]:
    """One whose bytes lie in the bucket, which others know by another address."""
    outer = signing.replace("127.0.0.1", "localhost")
    with configured(settings, {**KEYS, "bucket": "data", "endpoint": signing, "public_endpoint": outer}):
        yield published(DatasetFactory(project=cast.sample("project")), {**shapes(), NAMED: CONTENT})


def asked(dataset: Dataset, person: Any, **more: Any) -> Any:
    return person.rest.post(f"/datasets/{dataset.pk}/download", {"path": NAMED, "direct": True, **more})


def key_of(dataset: Dataset) -> str:
    blob = Blob.objects.get(organization=dataset.organization_id, entries__item__path=NAMED)
    return blob_key(dataset.organization_id, blob.sha256)


def test_a_file_comes_from_the_store_under_its_name_and_is_noted(dataset: Dataset, cast: Cast, signing: str) -> None:
    answer = asked(dataset, cast.viewer)
    assert answer.status_code == 201, answer.content
    assert answer["Cache-Control"] == "no-store"
    link = answer.json()
    assert link["url"].startswith(signing.replace("127.0.0.1", "localhost"))
    assert parse_qs(urlsplit(link["url"]).query)["X-Amz-Expires"] == ["300"]
    assert [(note["path"], note["files"], note["bytes"]) for note in downloaded()] == [(NAMED, 1, len(CONTENT))]
    assert downloaded()[0]["direct"]
    fetched = httpx.get(link["url"], trust_env=False)
    assert (fetched.status_code, fetched.content) == (200, CONTENT)
    assert hashlib.sha256(fetched.content).hexdigest() == link["sha256"]
    assert httpx.put(link["url"], content=b"other", trust_env=False).status_code in (400, 403, 405)
    wanted = parse_qs(urlsplit(link["url"]).query)["response-content-disposition"][0]
    assert wanted.startswith("attachment") and unquote(wanted).endswith(NAMED.rpartition("/")[2])


def test_only_who_sees_the_dataset_gets_one(dataset: Dataset, cast: Cast) -> None:
    assert asked(dataset, cast.stranger).status_code == 404
    assert downloaded() == []


def test_only_single_files_have_one(dataset: Dataset, cast: Cast) -> None:
    whole = asked(dataset, cast.viewer, path="")
    assert (whole.status_code, list(whole.json()["errors"])) == (400, ["direct"])
    assert asked(dataset, cast.viewer, path="absent.png").status_code == 404
    with pytest.raises(NotFound):
        downloads.link_sign_direct(
            actor=cast.viewer.actor, dataset=dataset, wanted=downloads.Wanted("head", "absent.png")
        )


@pytest.mark.parametrize("lost_altogether", [True, False])
def test_what_is_damaged_or_lost_gets_none_and_is_in_quarantine_from_then_on(
    dataset: Dataset, cast: Cast, lost_altogether: bool
) -> None:
    key = key_of(dataset)
    storage().delete(key)
    if not lost_altogether:
        storage().put(key, BytesIO(b"shorter"))
    for _again in range(2):
        lost = asked(dataset, cast.viewer)
        assert (lost.status_code, lost.json()["code"]) == (409, "file_damaged")
    blob = Blob.objects.get(organization=dataset.organization_id, entries__item__path=NAMED)
    assert blob.damage == (Damage.MISSING if lost_altogether else Damage.CHANGED)
    assert downloaded() == []


def test_where_the_store_gives_none_the_answer_says_so(dataset: Dataset, cast: Cast, settings: Any) -> None:
    settings.DIRECT_UPLOADS = "off"
    refused = asked(dataset, cast.viewer)
    assert (refused.status_code, refused.json()["code"]) == (409, "direct_unavailable")
    assert asked(dataset, cast.viewer, direct=False).status_code == 201


def test_a_folder_gives_none(cast: Cast) -> None:
    dataset = published(DatasetFactory(project=cast.sample("project")), {**shapes(), NAMED: CONTENT})
    refused = asked(dataset, cast.viewer)
    assert (refused.status_code, refused.json()["code"]) == (409, "direct_unavailable")
