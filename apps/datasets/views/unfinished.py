"""Uploads that were interrupted, for the pages that go on with them."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from apps.core.identity.requests import PortalRequest
from apps.datasets import services
from apps.datasets.models import Dataset, Upload, UploadSource, UploadState


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An upload that takes files still: how many have arrived whole and in part, and their bytes (0: not known here)."""

    upload: Upload
    files: int
    begun: int
    bytes: int


def unfinished_upload(request: PortalRequest, dataset: Dataset) -> Unfinished | None:
    """The upload that the page goes on with: the one of `?upload=`, else the newest of the person's own."""
    found = _asked_or_own(request, dataset)
    if found is None or found.state != UploadState.RECEIVING or not _goes_on(request, found):
        return None
    begun = len(services.begun_files(found))
    # Of a direct upload the store alone knows how much has arrived.
    size = 0 if found.source == UploadSource.DIRECT else found.byte_count
    return Unfinished(found, found.file_count - begun, begun, size)


def address_of_the_rest(request: PortalRequest, upload: Upload) -> str:
    """Where the person sends the rest of an open upload; "" where somebody else has to."""
    page = reverse("datasets:upload", args=[upload.dataset_id])
    return f"{page}?{urlencode({'upload': upload.pk})}" if _goes_on(request, upload) else ""


def _asked_or_own(request: PortalRequest, dataset: Dataset) -> Upload | None:
    if asked := request.GET.get("upload"):
        return Upload.objects.get_visible(request.actor, pk=asked, dataset=dataset)
    rows = Upload.objects.visible(request.actor).filter(dataset=dataset, state=UploadState.RECEIVING)
    return rows.filter(created_by_id=request.actor.user_id).first()


def _goes_on(request: PortalRequest, upload: Upload) -> bool:
    """Straight to the store only who began the upload sends its files."""
    return upload.source == UploadSource.SENT or upload.created_by_id == request.actor.user_id
