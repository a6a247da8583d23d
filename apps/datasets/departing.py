"""What datasets put into an organization's export, and how they go with it."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.datasets.models import AnnotationDocument, Blob, Dataset, DirectFile, ServerFolder, Snapshot
from apps.datasets.services.direct import discard
from apps.datasets.services.exports import archive_folder
from apps.datasets.services.purging import dataset_removals
from apps.departures.contributions import Contribution, Removal, listed


def _datasets(organization_id: UUID) -> QuerySet[Dataset]:
    """Without those that are being deleted for good: nobody sees them any more."""
    return Dataset.objects.filter(organization_id=organization_id, purged_at__isnull=True)


def _snapshots(organization_id: UUID) -> QuerySet[Snapshot]:
    return Snapshot.objects.filter(dataset__organization_id=organization_id, dataset__purged_at__isnull=True)


def _documents(organization_id: UUID) -> QuerySet[AnnotationDocument]:
    return AnnotationDocument.objects.filter(organization_id=organization_id)


def _direct_files(organization_id: UUID) -> QuerySet[DirectFile]:
    return DirectFile.objects.filter(organization_id=organization_id)


def _server_folders(organization_id: UUID) -> QuerySet[ServerFolder]:
    return ServerFolder.objects.filter(organization_id=organization_id)


def _blobs(organization_id: UUID) -> QuerySet[Blob]:
    return Blob.objects.filter(organization_id=organization_id)


DATASETS = listed(
    "datasets",
    _datasets,
    {
        "id": ("pk", "Id of the dataset."),
        "project_id": ("project_id", "Id of its project."),
        "name": ("name", "Name."),
        "description": ("description", "Description, in Markdown."),
        "tags": ("tags", "Words by which it is found."),
        "licence": ("licence", "Licence: an SPDX identifier, or own words."),
        "people": ("people", "People in the pictures: none, agreed or partly; empty: nobody has said."),
        "consent": ("consent", "What they agreed to."),
        "task": ("task", "What its labels are for."),
        "visibility": ("visibility", "Who sees it: private, project, organization or public."),
        "public_revisions": ("public_revisions", "Numbers of its revisions that are public."),
        "revision": ("revision_no", "Number of its newest revision; 0: nothing was published."),
        "images": ("image_count", "Images of the newest revision."),
        "labelled": ("labelled_count", "Labelled ones among them."),
        "boxes": ("box_count", "Objects in them."),
        "files": ("file_count", "Files of the newest revision."),
        "bytes": ("byte_count", "Bytes in them."),
        "created_by": ("created_by_id", "Id of the person who made it; null: gone."),
        "created_at": ("created_at", "When it was made."),
        "deleted_at": ("deleted_at", "Since when it is in the trash; null: it is not."),
    },
)
SNAPSHOTS = listed(
    "snapshots",
    _snapshots,
    {
        "id": ("pk", "Id of the snapshot."),
        "dataset_id": ("dataset_id", "Id of its dataset."),
        "revision": ("revision__no", "Number of the revision that it holds."),
        "tag": ("tag", "Tag."),
        "note": ("note", "Note."),
        "root_hash": ("root_hash", "Digest of all that the revision holds."),
        "split_method": (
            "split_plan__method",
            "How its images were divided: uploaded, auto, stratified, grouped or manual.",
        ),
        "split_digest": ("split_digest", "Digest of the division."),
        "counts": ("counts", "Labelled images by split; images, objects (`boxes`) and bytes."),
        "created_by": ("created_by_id", "Id of the person who made it; null: gone."),
        "created_at": ("created_at", "When it was made."),
    },
)


def _without_objects(rows: QuerySet[Any]) -> None:
    for file in rows:
        discard(file)


def _derived_folder(organization_id: UUID) -> str:
    return f"derived/{organization_id}/"


CONTRIBUTION = Contribution(
    parts=(DATASETS, SNAPSHOTS),
    removals=(
        Removal(_direct_files, ahead=_without_objects),
        *dataset_removals("organization_id"),
        Removal(_documents),
        Removal(_blobs),
        Removal(_server_folders),
    ),
    folders=(_derived_folder, archive_folder),
)
