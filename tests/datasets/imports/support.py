"""What imports are begun and ended with."""

from pathlib import Path
from typing import Any

from apps.core.identity import Actor
from apps.datasets import services, tasks
from apps.datasets.folders import UploadFolder
from apps.datasets.models import Blob, Dataset, ServerFolder, Upload, UploadState
from tests.factories.datasets import SYSTEM, owner_of


def actor_of(dataset: Dataset) -> Actor:
    return Actor.of(owner_of(dataset), organization_id=dataset.organization_id)


def begin(dataset: Dataset, wanted: services.ImportFrom, **options: Any) -> Upload:
    return services.upload_import(actor=actor_of(dataset), dataset=dataset, wanted=wanted, **options)


def ended(upload: Upload) -> Upload:
    """The upload after its worker's run."""
    tasks.fetch(str(upload.pk))
    upload.refresh_from_db()
    return upload


def failed(upload: Upload) -> str:
    """The code under which it failed, once nothing of it is left."""
    assert ended(upload).state == UploadState.FAILED
    assert upload.place_secret == ""
    services.sweep()
    assert not UploadFolder(upload.pk).root.exists()
    assert not Blob.objects.exists()
    return str(upload.failure["code"])


def fetched(upload: Upload) -> dict[str, bytes]:
    root = UploadFolder(upload.pk).files
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def allow(dataset: Dataset, path: Path) -> ServerFolder:
    return services.server_folder_allow(
        actor=SYSTEM, organization=dataset.organization, name="Shared disk", path=str(path)
    )


def limited(dataset: Dataset, megabytes: float) -> None:
    dataset.organization.max_storage_gb = megabytes / 1000
    dataset.organization.save()
