"""The dataset itself: its name, its visibility, the trash."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core import auditing, policy
from apps.core.errors import Conflict, Invalid, refuse_unknown
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.datasets import actions
from apps.datasets.models import Dataset, Task, Visibility
from apps.departures.trash import require_in_trash
from apps.projects.models import Project

#: What a person says of a dataset, in the order of forms.
CHANGEABLE = ("name", "task", "description", "tags", "licence", "people", "consent", "visibility")


@operation("datasets.dataset_create", permission="datasets.add_dataset", on="project")
def dataset_create(
    *,
    actor: Actor,
    project: Project,
    name: str,
    description: str = "",
    tags: Sequence[str] = (),
    licence: str = "",
    people: str = "",
    consent: str = "",
    task: str = Task.DETECT,
    visibility: str = Visibility.PROJECT,
) -> Dataset:
    """A new dataset without a revision; uploads fill it."""
    _check_own(visibility)
    dataset = Dataset(
        organization_id=project.organization_id,
        project=project,
        name=name.strip(),
        description=description,
        tags=_tidied(tags),
        licence=licence.strip(),
        people=people,
        consent=consent,
        task=task,
        visibility=visibility,
        created_by=actor.user,
    )
    _check_name(dataset, dataset.name)
    dataset.full_clean(validate_constraints=False)
    dataset.save()
    after = {"name": dataset.name, "visibility": dataset.visibility}
    auditing.record(actor, actions.CREATED, dataset, after=after)
    return dataset


@operation("datasets.dataset_change", permission="datasets.change_dataset", on="dataset")
def dataset_change(*, actor: Actor, dataset: Dataset, expected: int | None = None, **fields: Any) -> Dataset:
    """Changes name, description, tags, licence, consent or visibility, and the task while nothing was published."""
    refuse_unknown(fields, CHANGEABLE)
    dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
    dataset.expect(expected)
    if "name" in fields:
        fields["name"] = fields["name"].strip()
        _check_name(dataset, fields["name"])
    if "tags" in fields:
        fields["tags"] = _tidied(fields["tags"])
    if fields.get("visibility", dataset.visibility) != dataset.visibility:
        # Who may edit it by a share does not open it to others.
        policy.require(actor, "datasets.delete_dataset", dataset)
        _check_own(fields["visibility"])
        fields["public_revisions"] = []
    if fields.get("task", dataset.task) != dataset.task and dataset.revision_no:
        message = _("The task can be changed while the dataset is empty.")
        raise Conflict(message, code="task_fixed", fields={"task": [message]})
    changes = dataset.change(**fields)
    dataset.full_clean(validate_constraints=False)
    auditing.record(actor, actions.CHANGED, dataset, changes=changes)
    return dataset


@operation("datasets.dataset_trash", permission="datasets.delete_dataset", on="dataset", hides=True)
def dataset_trash(*, actor: Actor, dataset: Dataset) -> Dataset:
    """Moves the dataset out of sight; its snapshots stay readable for the jobs that use them.

    One that was public is its project's when it comes back: who restores it need not be who may make it public.
    """
    dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
    changes = withdrawn(dataset) if dataset.visibility == Visibility.PUBLIC else {}
    dataset.change(deleted_at=timezone.now())
    auditing.record(actor, actions.TRASHED, dataset, changes=changes)
    return dataset


@operation("datasets.dataset_restore", permission="datasets.restore_dataset", on="dataset")
def dataset_restore(*, actor: Actor, dataset: Dataset) -> Dataset:
    """Brings a dataset back from the trash; refused while another carries its name."""
    dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
    require_in_trash(dataset)
    _check_name(dataset, dataset.name)
    dataset.change(deleted_at=None)
    auditing.record(actor, actions.RESTORED, dataset)
    return dataset


def withdrawn(dataset: Dataset) -> dict[str, tuple[Any, Any]]:
    """Takes a locked dataset back from the public, to its project; returns the changes."""
    return dataset.change(visibility=Visibility.PROJECT, public_revisions=[])


def _tidied(tags: Sequence[str]) -> list[str]:
    """Each word once, in the order given."""
    return list(dict.fromkeys(filter(None, (tag.strip() for tag in tags))))


def _check_own(visibility: str) -> None:
    """Raises `Invalid` for the public: what others read of it is named by an act of its own."""
    if visibility == Visibility.PUBLIC:
        message = _("A version is made public by an act of its own.")
        hint = _("A manager does it, on the dataset's page “Sharing” or by POST …/release.")
        raise Invalid(message, code="public_by_release", hint=hint, fields={"visibility": [message]})


def _check_name(dataset: Dataset, name: str) -> None:
    same = Dataset.objects.filter(organization_id=dataset.organization_id, name__iexact=name, deleted_at__isnull=True)
    if same.exclude(pk=dataset.pk).exists():
        message = _("The organization has a dataset of this name.")
        raise Conflict(message, code="name_taken", fields={"name": [message]})
