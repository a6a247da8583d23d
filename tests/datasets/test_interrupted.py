"""An upload that was interrupted, as the pages tell of it."""

import hashlib
import io

import pytest
from django.urls import reverse
from django.utils.translation import override

from apps.core.testing import Cast, assert_constant_queries
from apps.datasets import services
from apps.datasets.models import Dataset, DirectFile, Upload, UploadSource, UploadState

pytestmark = pytest.mark.django_db


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    return cast.sample("dataset")


def opened(cast: Cast, dataset: Dataset, files: int = 2, person: str = "editor") -> Upload:
    """An open upload in which so many files of a KiB have arrived."""
    actor = cast.person(person).actor
    upload = services.upload_create(actor=actor, dataset=dataset)
    for number in range(files):
        services.upload_receive(actor=actor, upload=upload, path=f"{number}.txt", stream=io.BytesIO(bytes(1024)))
    return upload


def begin(cast: Cast, upload: Upload, path: str) -> None:
    """The first part of a large file."""
    body = b"x" * 1024
    services.part_receive(
        actor=cast.editor.actor,
        upload=upload,
        path=path,
        number=1,
        sha256=hashlib.sha256(body).hexdigest(),
        stream=io.BytesIO(body),
    )


def page(cast: Cast, dataset: Dataset, person: str = "editor", **query: object) -> str:
    with override("en"):
        answer = cast.person(person).portal.get(reverse("datasets:upload", args=[dataset.pk]), query)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def report(cast: Cast, upload: Upload, person: str = "editor") -> str:
    with override("en"):
        address = reverse("datasets:upload-detail", args=[upload.dataset_id, upload.pk])
        return cast.person(person).portal.get(address).content.decode()


def test_the_page_names_the_upload_that_was_interrupted_and_what_has_arrived(cast: Cast, dataset: Dataset) -> None:
    assert "data-upload-open" not in page(cast, dataset)
    upload = opened(cast, dataset)
    shown = page(cast, dataset)
    assert f'data-upload-open="{upload.pk}"' in shown
    assert "is not finished. Files that have arrived: 2." in shown and "2.0\u00a0KiB are here" in shown
    assert "data-upload-go-on" in shown and "data-upload-give-up" in shown
    begin(cast, upload, "large.zip")
    shown = page(cast, dataset)
    assert "Files that have arrived: 2, and 1 in part." in shown and "3.0\u00a0KiB are here" in shown


def test_how_large_a_part_is_stands_on_the_page(cast: Cast, dataset: Dataset) -> None:
    assert f'data-part-bytes="{services.PART_BYTES}"' in page(cast, dataset)


def test_of_several_the_newest_is_offered_unless_another_is_asked_for(cast: Cast, dataset: Dataset) -> None:
    first, second = opened(cast, dataset), opened(cast, dataset, files=1)
    assert f'data-upload-open="{second.pk}"' in page(cast, dataset)
    assert f'data-upload-open="{first.pk}"' in page(cast, dataset, upload=first.pk)


@pytest.mark.parametrize("state", [state for state in UploadState if state != UploadState.RECEIVING])
def test_an_upload_that_takes_no_files_any_more_is_not_gone_on_with(
    cast: Cast, dataset: Dataset, state: UploadState
) -> None:
    upload = opened(cast, dataset, files=0)
    assert "data-upload-open" in page(cast, dataset)
    upload.change(state=state)
    assert "data-upload-open" not in page(cast, dataset)
    assert "data-upload-open" not in page(cast, dataset, upload=upload.pk)


def test_nobody_is_offered_what_somebody_else_began_until_they_ask_for_it(cast: Cast, dataset: Dataset) -> None:
    upload = opened(cast, dataset)
    assert "data-upload-open" not in page(cast, dataset, person="owner")
    assert f'data-upload-open="{upload.pk}"' in page(cast, dataset, person="owner", upload=upload.pk)


def test_an_upload_of_another_dataset_is_not_found(cast: Cast, dataset: Dataset) -> None:
    other = services.dataset_create(actor=cast.editor.actor, project=cast.sample("project"), name="Other")
    address = reverse("datasets:upload", args=[dataset.pk])
    for asked in (opened(cast, other).pk, "no-id"):
        assert cast.editor.portal.get(address, {"upload": asked}).status_code == 404


def test_the_report_leads_to_the_page_that_sends_the_rest(cast: Cast, dataset: Dataset) -> None:
    upload = opened(cast, dataset)
    address = f"{reverse('datasets:upload', args=[dataset.pk])}?upload={upload.pk}"
    for person in ("editor", "owner"):
        shown = report(cast, upload, person)
        assert address in shown and "Send the rest</a>" in shown and "Start again" not in shown


def test_what_goes_straight_to_the_store_is_gone_on_with_by_who_began_it(cast: Cast, dataset: Dataset) -> None:
    upload = opened(cast, dataset, files=0)
    upload.change(source=UploadSource.DIRECT, file_count=1, byte_count=9)
    DirectFile.objects.create(
        upload=upload,
        organization=dataset.organization,
        path="large.zip",
        byte_count=9,
        part_bytes=5,
        key="incoming/one",
        store_upload="one",
    )
    shown = page(cast, dataset)
    # How much of it has arrived is not asked of the store for a page.
    assert "Files that have arrived: 0, and 1 in part." in shown and "are here. Choose" not in shown
    assert cast.editor.rest.get(f"/datasets/{dataset.pk}/uploads/{upload.pk}").json()["begun"] == ["large.zip"]
    assert "data-upload-open" not in page(cast, dataset, person="owner", upload=upload.pk)
    assert "Send the rest</a>" in report(cast, upload)
    others = report(cast, upload, "owner")
    assert "Send the rest</a>" not in others and "Only who began it can send the rest." in others


def test_the_page_asks_as_much_of_the_database_for_many_uploads(cast: Cast, dataset: Dataset) -> None:
    address = reverse("datasets:upload", args=[dataset.pk])

    def more(number: int) -> None:
        for _time in range(number):
            opened(cast, dataset, files=0)

    assert_constant_queries(lambda: cast.editor.portal.get(address), add_rows=more)
