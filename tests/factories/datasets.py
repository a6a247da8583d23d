"""Datasets for tests: rows, and sets that really went through upload, analysis and publication."""

import atexit
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from apps.core.identity import Actor
from apps.core.storage import storage
from apps.core.storage.keys import direct_key
from apps.core.testing import Cast, sample
from apps.datasets import services
from apps.datasets.models import (
    Dataset,
    DirectFile,
    Export,
    IntegrityCheck,
    Item,
    ServerFolder,
    Snapshot,
    Upload,
    UploadState,
)
from apps.datasets.samples import sample_files
from apps.datasets.selectors import ImageFilter
from apps.datasets.services.exporting import export_run
from apps.organizations.models import Organization
from tests.factories.organizations import MembershipFactory
from tests.factories.projects import ProjectFactory, ProjectMembershipFactory

SYSTEM = Actor.system("tests")
#: Of the sample that is sent straight to the store.
SENT = b"sent"


class DatasetFactory(DjangoModelFactory):
    """An empty dataset of its own project, unless told otherwise."""

    class Meta:
        model = Dataset

    project = factory.SubFactory(ProjectFactory)
    organization = factory.SelfAttribute("project.organization")
    name = factory.Sequence(lambda number: f"Dataset {number}")


@cache
def shapes(train: int = 3, val: int = 2, seed: int = 0) -> dict[str, bytes]:
    """A labelled set of a few small pictures, path → bytes."""
    return dict(sample_files(train=train, val=val, size=64, seed=seed))


def uploaded(dataset: Dataset, files: Mapping[str, bytes], *, actor: Actor = SYSTEM, **options: Any) -> Upload:
    """An upload that has been analysed by the worker's own function."""
    upload = services.upload_create(actor=actor, dataset=dataset, **options)
    for path, content in files.items():
        services.upload_receive(actor=actor, upload=upload, path=path, stream=io.BytesIO(content))
    upload.refresh_from_db()
    services.upload_analyse(actor=actor, upload=upload)
    services.upload_read(upload.pk)
    upload.refresh_from_db()
    return upload


def published(
    dataset: Dataset, files: Mapping[str, bytes] | None = None, *, person: Any = None, **options: Any
) -> Dataset:
    """The dataset with the files (a few shapes) as its next revision, published by `person`, else by its project's
    owner."""
    user = person or owner_of(dataset)
    actor = Actor.of(user, organization_id=dataset.organization_id)
    upload = uploaded(dataset, shapes() if files is None else files, actor=actor, **options)
    assert upload.state == UploadState.READY, upload.analysis
    services.upload_publish(actor=actor, upload=upload)
    services.upload_store(upload.pk)
    upload.refresh_from_db()
    assert upload.state == UploadState.PUBLISHED, upload.failure
    dataset.refresh_from_db()
    return dataset


def owner_of(dataset: Dataset) -> Any:
    found = dataset.project.memberships.filter(role="owner").first()
    if found is not None:
        return found.user
    user = MembershipFactory(organization=dataset.organization).user
    ProjectMembershipFactory(project=dataset.project, user=user, role="owner")
    return user


def exported(dataset: Dataset, *, actor: Actor = SYSTEM, **wanted: Any) -> Export:
    """An export that the worker's own function has written, or failed to."""
    export = services.export_ask(actor=actor, dataset=dataset, **wanted)
    export_run(export.pk)
    export.refresh_from_db()
    return export


@sample("dataset", "datasets", "datasets.Dataset")
def dataset(cast: Cast) -> Dataset:
    """A dataset of the project, with a revision: one picture to train on, and one to try."""
    made = DatasetFactory(project=cast.sample("project"), name=f"Dataset {cast.canary}", created_by=cast.owner.user)
    return published(made, shapes(train=1, val=1), person=cast.owner.user)


@sample("grown-dataset")
def grown_dataset(cast: Cast) -> Dataset:
    """A dataset of the project whose second revision is another set."""
    made = DatasetFactory(project=cast.sample("project"), name=f"Grown {cast.canary}", created_by=cast.owner.user)
    published(made, person=cast.owner.user)
    return published(made, shapes(seed=1), person=cast.owner.user, mode="replace")


@sample("private-dataset")
def private_dataset(cast: Cast) -> Dataset:
    """A dataset that the editor keeps to himself."""
    return DatasetFactory(
        project=cast.sample("project"),
        name=f"Private {cast.canary}",
        created_by=cast.editor.user,
        visibility="private",
    )


@sample("organization-dataset")
def organization_dataset(cast: Cast) -> Dataset:
    return DatasetFactory(project=cast.sample("project"), name=f"Shared {cast.canary}", visibility="organization")


def laid_open(dataset: Dataset, **options: Any) -> Dataset:
    """The dataset with its newest version made public, by an organization that allows it."""
    Organization.objects.filter(pk=dataset.organization_id).update(allows_public=True)
    released = services.version_release(actor=SYSTEM, dataset=dataset, name=dataset.name, **options)
    dataset.refresh_from_db()
    return released


@sample("public-dataset", "datasets/public")
def public_dataset(cast: Cast) -> Dataset:
    """A dataset of the project whose first version is public; the second, and whatever its people wrote, is not."""
    made = DatasetFactory(project=cast.sample("project"), name="Everybody's shapes", created_by=cast.owner.user)
    published(made, person=cast.owner.user, note=f"Note {cast.canary}")
    services.snapshot_create(actor=SYSTEM, dataset=made, tag="v1", note=f"Note {cast.canary}")
    laid_open(made)
    changed = {f"images/train/{cast.canary}.jpg": shapes(seed=1)["images/train/train-0000.jpg"]}
    published(made, changed, person=cast.owner.user)
    services.snapshot_create(actor=SYSTEM, dataset=made, tag=f"{cast.canary}")
    services.images_tag(
        actor=SYSTEM, dataset=made, choice=services.ImageChoice(matching=ImageFilter()), tags=[cast.canary]
    )
    made.refresh_from_db()
    return made


@sample("public-image", "datasets/public/images")
def public_image(cast: Cast) -> Item:
    return cast.sample("public-dataset").items.filter(path="images/train/train-0000.jpg").get()


@sample("trashed-dataset")
def trashed_dataset(cast: Cast) -> Dataset:
    return DatasetFactory(project=cast.sample("project"), name=f"Trashed set {cast.canary}", deleted_at=timezone.now())


@sample("dataset-upload", "datasets/uploads", "datasets.Upload")
def upload(cast: Cast) -> Upload:
    """An upload that receives files."""
    return services.upload_create(actor=SYSTEM, dataset=cast.sample("dataset"), note=f"Note {cast.canary}")


#: Of the upload that a file arrived for in one part.
PARTED = ("large.bin", b"a large file")


@sample("parted-upload")
def parted_upload(cast: Cast) -> Upload:
    """It has every part of a file that was not joined."""
    upload = services.upload_create(actor=SYSTEM, dataset=cast.sample("dataset"))
    path, content = PARTED
    sha256 = hashlib.sha256(content).hexdigest()
    stream = io.BytesIO(content)
    services.part_receive(actor=SYSTEM, upload=upload, path=path, number=1, sha256=sha256, stream=stream)
    return upload


@sample("filled-upload")
def filled_upload(cast: Cast) -> Upload:
    """An upload that has received a whole set."""
    made = services.upload_create(actor=SYSTEM, dataset=cast.sample("dataset"))
    for path, content in shapes(seed=2).items():
        services.upload_receive(actor=SYSTEM, upload=made, path=path, stream=io.BytesIO(content))
    return made


@sample("analysed-upload")
def analysed_upload(cast: Cast) -> Upload:
    """An upload that is ready to be published."""
    return uploaded(cast.sample("dataset"), shapes(seed=1))


@sample("direct-upload")
def direct_upload(cast: Cast) -> Upload:
    """An upload whose files the owner sends straight to the store."""
    return Upload.objects.create(dataset=cast.sample("dataset"), created_by=cast.owner.user, source="direct")


@sample("direct-file", "datasets/uploads/direct", "datasets.DirectFile")
def direct_file(cast: Cast) -> DirectFile:
    """A file of it whose one part has arrived, where the store is a bucket."""
    upload = cast.sample("direct-upload")
    key, store, name = direct_key(upload.organization_id), storage().direct, "none"
    if store is not None:
        name = store.begin(key)
        store.client.upload_part(Bucket=store.bucket, Key=key, UploadId=name, PartNumber=1, Body=SENT)
    Upload.objects.filter(pk=upload.pk).update(file_count=1, byte_count=len(SENT))
    return DirectFile.objects.create(
        upload=upload,
        organization_id=upload.organization_id,
        path=f"{cast.canary}.zip",
        byte_count=len(SENT),
        part_bytes=8 << 20,
        key=key,
        store_upload=name,
    )


@sample("dataset-image", "datasets/images", "datasets.Item")
def image(cast: Cast) -> Item:
    return cast.sample("dataset").items.filter(entries__is_image=True).order_by("path").first()


@sample("dataset-snapshot", "datasets/snapshots", "datasets.Snapshot")
def snapshot(cast: Cast) -> Snapshot:
    return services.snapshot_create(actor=SYSTEM, dataset=cast.sample("dataset"), note=f"Note {cast.canary}")


@cache
def folder_of_the_server() -> str:
    """A folder outside of the portal's own, with a few pictures; it goes with the tests."""
    root = tempfile.mkdtemp(prefix="modelyard-server-folder-")
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    for path, content in shapes(seed=3).items():
        target = Path(root, "shapes", path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return os.path.realpath(root)


@sample("server-folder", "datasets/server-folders", "datasets.ServerFolder")
def server_folder(cast: Cast) -> ServerFolder:
    return services.server_folder_allow(
        actor=SYSTEM,
        organization=cast.sample("organization"),
        name=f"Folder {cast.canary}",
        path=folder_of_the_server(),
    )


@sample("dataset-check", "datasets.IntegrityCheck")
def check(cast: Cast) -> IntegrityCheck:
    """A check that waits for a worker."""
    return services.integrity_check(actor=SYSTEM, dataset=cast.sample("dataset"))


@sample("dataset-export", "datasets/exports", "datasets.Export")
def export(cast: Cast) -> Export:
    """An export of the whole dataset, which may be downloaded."""
    return exported(cast.sample("dataset"), format="yolo")


@sample("waiting-export")
def waiting_export(cast: Cast) -> Export:
    """An export that waits for a worker."""
    return services.export_ask(actor=SYSTEM, dataset=cast.sample("dataset"), format="coco")
