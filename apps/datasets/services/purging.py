"""Deleting datasets for good: the act, what stands in its way, and the steps by which workers take one away."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core import auditing
from apps.core.errors import Conflict
from apps.core.identity import Actor
from apps.core.operations import ingest, operation
from apps.core.storage.loose import note_loose
from apps.datasets import actions
from apps.datasets.folders import UploadFolder
from apps.datasets.models import (
    ACTIVE_CHECKS,
    ACTIVE_EXPORTS,
    BUSY_UPLOADS,
    BucketHash,
    Dataset,
    Entry,
    Export,
    ImageTag,
    IntegrityCheck,
    Item,
    Revision,
    Snapshot,
    SplitGroup,
    SplitPlan,
    SplitRow,
    TaggedImage,
    Upload,
    VersionStatistics,
    Visibility,
)
from apps.datasets.selectors.usage import needing
from apps.datasets.services.blobs import noted_digests
from apps.datasets.services.collecting import forget_unused
from apps.departures.contributions import Removal
from apps.departures.removing import Step, steps_of
from apps.departures.services import trash
from apps.departures.trash import require_in_trash, require_name
from apps.invitations.models import Invitation
from apps.projects.contents import Contents, require_kept_project
from apps.projects.models import Project


@operation("datasets.dataset_purge", permission="datasets.purge_dataset", on="dataset", hides=True)
def dataset_purge(*, actor: Actor, dataset: Dataset, name: str) -> Dataset:
    """Deletes a dataset in the trash for good, with all its versions: nothing brings it back. `name` repeats its name.

    Nobody sees it from now on; workers take it away batch by batch, and its files when nothing has needed them for the
    grace. Raises `Conflict` where `purge_obstacle` finds one, and in an archive.
    """
    dataset = Dataset.objects.select_for_update(of=("self",)).select_related("project").get(pk=dataset.pk)
    require_in_trash(dataset)
    require_name(dataset, name)
    require_kept_project(dataset.project)
    if obstacle := purge_obstacle(dataset):
        raise obstacle
    dataset.change(purged_at=timezone.now())
    trash.empty_on_commit()
    params = {"files": dataset.file_count, "bytes": dataset.byte_count, "revisions": dataset.revision_no}
    auditing.record(actor, actions.PURGED, dataset, params=params)
    return dataset


def purge_obstacle(dataset: Dataset) -> Conflict | None:
    """Why the dataset cannot be deleted for good, whoever asks; None when it can."""
    count = needing([dataset.pk]).get(dataset.pk, 0)
    if count:
        message = ngettext(
            "%(count)d training refers to this dataset.", "%(count)d trainings refer to this dataset.", count
        )
        hint = _(
            "What a training saw stays as long as the training does, so that its results can be traced; both go when "
            "the training's project is deleted for good. Drafts can be deleted, or take another dataset."
        )
        return Conflict(message % {"count": count}, code="in_use", hint=hint, params={"trainings": count})
    return _published(Dataset.objects.filter(pk=dataset.pk)) or _busy({"dataset_id": dataset.pk})


def project_obstacle(project: Project) -> Conflict | None:
    """The same of all datasets of a project; trainings within it go with it."""
    return _published(Dataset.objects.filter(project=project)) or _busy({"dataset__project": project})


def _published(rows: QuerySet[Dataset]) -> Conflict | None:
    names = list(rows.filter(visibility=Visibility.PUBLIC).order_by("name").values_list("name", flat=True)[:3])
    if not names:
        return None
    return Conflict(
        _("Versions are public: %(names)s.") % {"names": ", ".join(names)},
        code="dataset_public",
        hint=_("Bring it back from the trash, and withdraw what is public first."),
    )


def _busy(within: dict[str, Any]) -> Conflict | None:
    """What a worker is at with the datasets."""
    working = (
        (Upload.objects.filter(state__in=BUSY_UPLOADS, **within), _("An upload is being read or published.")),
        (Export.objects.filter(state__in=ACTIVE_EXPORTS, **within), _("An export is being written.")),
        (IntegrityCheck.objects.filter(state__in=ACTIVE_CHECKS, **within), _("The files are being checked.")),
    )
    for rows, message in working:
        if rows.exists():
            return Conflict(message, code="dataset_busy", hint=_("Wait for its end, and try again."))
    return None


def dataset_removals(within: str) -> tuple[Removal, ...]:
    """All rows of datasets, in the order in which they can go; `within` is the field of a dataset that the id is of."""

    def under(model: type[Any], path: str) -> Callable[[UUID], QuerySet[Any]]:
        return lambda key: model.objects.filter(**{f"{path}{within}": key})

    def moved(key: UUID) -> QuerySet[SplitPlan]:
        return SplitPlan.objects.filter(**{f"dataset__{within}": key}, base__isnull=False)

    def invitations(key: UUID) -> QuerySet[Invitation]:
        return Invitation.objects.filter(target_type="dataset", target_id__in=under(Dataset, "")(key).values("pk"))

    below = (
        (Export, "dataset__"),
        (IntegrityCheck, "dataset__"),
        (Snapshot, "dataset__"),
        (SplitRow, "plan__dataset__"),
        (SplitGroup, "plan__dataset__"),
        (TaggedImage, "tag__dataset__"),
        (ImageTag, "dataset__"),
        (Entry, "dataset__"),
        (BucketHash, "dataset__"),
        (Item, "dataset__"),
        (VersionStatistics, "revision__dataset__"),
        (Revision, "dataset__"),
    )
    return (
        Removal(under(Upload, "dataset__"), ahead=_without_folders),
        *(Removal(under(model, path)) for model, path in below),
        Removal(moved),
        Removal(under(SplitPlan, "dataset__")),
        Removal(invitations),
        Removal(under(Dataset, "")),
    )


def _without_folders(rows: QuerySet[Any]) -> None:
    """Their folders alone tell which objects a publication has stored that no row came to name."""
    for upload in rows.select_related("dataset"):
        folder = UploadFolder(upload.pk)
        left = set(noted_digests(folder.stored))
        if left:
            _note_left(organization_id=upload.dataset.organization_id, digests=left)
        folder.remove()


@ingest("datasets.uploads_note_left")
def _note_left(*, organization_id: UUID, digests: set[str]) -> None:
    """They weigh in no quota; after the grace those go that nothing names."""
    note_loose((organization_id, sha256) for sha256 in digests)


def dataset_steps() -> tuple[Step, ...]:
    """One dataset: what it holds, then the blobs and labels that nothing else names, and its own row last."""
    *below, own = steps_of(dataset_removals("pk"))
    return (_idle("dataset_id"), *below, _forgotten("pk"), own)


def _idle(within: str) -> Step:
    """What began while the dataset was being deleted is waited for."""
    return lambda pk, until: _busy({within: pk}) is None


def _forgotten(within: str) -> Step:
    """Blobs and labels of the organization that no entry holds any more."""

    def forget(pk: UUID, until: float) -> bool:
        found = Dataset.objects.filter(**{within: pk}).values_list("organization_id", flat=True).first()
        return found is None or forget_unused(found, until)

    return forget


def _of_project() -> tuple[Step, ...]:
    *below, own = steps_of(dataset_removals("project_id"))
    return (_idle("dataset__project_id"), *below, _forgotten("project_id"), own)


CONTENTS = Contents(_of_project(), project_obstacle)
