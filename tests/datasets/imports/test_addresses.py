"""Imports from an address: whole or not at all."""

from typing import Any

import pytest

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.errors import Invalid
from apps.core.testing import Cast, committed
from apps.datasets import services, tasks
from apps.datasets.folders import UploadFolder
from apps.datasets.models import Dataset, Upload, UploadState
from apps.datasets.samples import sample_archive
from tests.core.test_outbound import Canary, reply
from tests.datasets.factories.archives import zip_of
from tests.datasets.imports.support import begin, ended, failed, fetched
from tests.factories.datasets import shapes

pytestmark = pytest.mark.django_db


def test_an_archive_at_an_address_becomes_a_revision_like_any_other(cast: Cast, allowed: Canary) -> None:
    archive = sample_archive(train=3, val=2, size=64)
    allowed.answer = lambda handler: reply(handler, archive)
    project = cast.sample("project")
    dataset = cast.editor.rest.post("/datasets", {"project_id": str(project.pk), "name": "Fetched"}).json()
    url = f"{allowed.url}sets/shapes.zip?key=hush"
    with committed():
        answer = cast.editor.rest.post(
            f"/datasets/{dataset['id']}/import", {"source": "address", "url": url, "note": "From afar"}
        )
    assert answer.status_code == 202, answer.content
    begun = answer.json()
    assert (begun["state"], begun["source"], begun["place"]) == (
        "fetching",
        "address",
        f"{allowed.url}sets/shapes.zip",
    )
    address = f"/datasets/{dataset['id']}/uploads/{begun['id']}"
    tasks.fetch(begun["id"])
    assert cast.editor.rest.get(address).json()["state"] == "analysing"
    tasks.read(begun["id"])
    assert cast.editor.rest.get(address).json()["analysis"]["images"] == 5
    assert cast.editor.rest.post(f"{address}/publish", {}).status_code == 202
    tasks.store(begun["id"])
    assert cast.editor.rest.get(f"/datasets/{dataset['id']}").json()["image_count"] == 5
    (event,) = readable(AuditEvent.objects.filter(action="dataset.import_started"))
    assert event.params == {"place": f"{allowed.url}sets/shapes.zip", "source": "address"}


def test_what_stands_behind_the_question_mark_is_ciphertext_until_the_file_is_there(
    dataset: Dataset, allowed: Canary
) -> None:
    allowed.answer = lambda handler: reply(handler, sample_archive(train=1, val=1, size=64))
    upload = begin(dataset, services.from_address(f"{allowed.url}a.zip?signature=hush"))
    row = Upload.objects.filter(pk=upload.pk).values().get()
    assert "hush" not in str(row)
    assert upload.place_secret
    assert ended(upload).state == UploadState.ANALYSING
    assert upload.place_secret == ""
    kept = [path for path in UploadFolder(upload.pk).root.rglob("*") if path.is_file()]
    assert kept and not [path for path in kept if b"hush" in path.read_bytes()]
    assert list(fetched(upload)) == ["a.zip"]


@pytest.mark.parametrize(
    "url",
    ["http://example.com/a.zip", "https://localhost/a.zip", "file:///etc/passwd", "https://me:me@example.com/", "x"],
)
def test_addresses_that_are_not_called_are_refused_at_once(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        services.from_address(url)
    assert (caught.value.code, list(caught.value.fields)) == ("url_refused", ["url"])


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda handler: reply(handler, b"", 404), "answer_refused"),
        (lambda handler: reply(handler, b"<html>", Content_Type="text/html"), "answer_page"),
        (lambda handler: reply(handler, b"", 302, Location="https://10.0.0.1/"), "address_private"),
        (lambda handler: reply(handler, b"", 302, Location="file:///etc/passwd"), "url_refused"),
        (lambda handler: reply(handler, b"", 302, Location="/again"), "redirected"),
        (lambda handler: reply(handler, b"x", Content_Encoding="gzip"), "answer_unreadable"),
        (lambda handler: reply(handler, b"half", Content_Length="8"), "unreachable"),
    ],
)
def test_why_a_file_did_not_come_is_told_and_nothing_is_left(
    answer: Any, code: str, dataset: Dataset, allowed: Canary
) -> None:
    allowed.answer = answer
    upload = begin(dataset, services.from_address(f"{allowed.url}a.zip"))
    assert failed(upload) == code
    assert AuditEvent.objects.filter(action="dataset.import_failed", entity_id=str(upload.pk)).exists()


def test_a_failure_is_worded_for_the_reader(cast: Cast, allowed: Canary) -> None:
    dataset = cast.sample("dataset")
    allowed.answer = lambda handler: reply(handler, b"", 403)
    upload = services.upload_import(
        actor=cast.editor.actor, dataset=dataset, wanted=services.from_address(f"{allowed.url}a.zip")
    )
    tasks.fetch(str(upload.pk))
    failure = cast.editor.rest.get(f"/datasets/{dataset.pk}/uploads/{upload.pk}").json()["failure"]
    assert (failure["code"], failure["params"]) == ("answer_refused", {"status": 403})
    assert "403" in failure["message"]
    assert failure["hint"]
    page = cast.editor.portal.get(f"/datasets/{dataset.pk}/uploads/{upload.pk}/").content.decode()
    assert failure["hint"] in page


def test_an_archive_under_any_name_is_known_by_its_content(dataset: Dataset, allowed: Canary) -> None:
    allowed.answer = lambda handler: reply(handler, zip_of(shapes()))
    upload = begin(dataset, services.from_address(f"{allowed.url}download?id=7"))
    assert ended(upload).state == UploadState.ANALYSING
    tasks.read(str(upload.pk))
    upload.refresh_from_db()
    assert upload.state == UploadState.READY, upload.analysis
