"""Versions for the readers of other organizations: made public one by one, and all of them withdrawn at once."""

from typing import Any

from django.utils.translation import gettext as _

from apps.core import auditing
from apps.core.errors import Conflict, Invalid
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.datasets import actions
from apps.datasets.models import Dataset, Visibility
from apps.datasets.selectors.versions import HEAD, version_named
from apps.datasets.services.datasets import withdrawn
from apps.organizations.models import Organization

#: Of one dataset. Whoever has more withdraws it, and begins with those that are still wanted.
MOST_PUBLIC = 100


@operation("datasets.version_release", permission="datasets.release_dataset", on="dataset")
def version_release(*, actor: Actor, dataset: Dataset, name: str, version: str = HEAD) -> Dataset:
    """Makes one version public: its files, labels, classes and split, and what the dataset says of itself.

    `name` repeats the dataset's, so that nobody makes another one public by mistake. Raises `Conflict` where
    `release_obstacle` finds one and for a version that is public, `Invalid` for another name or an unknown version.
    """
    dataset = Dataset.objects.select_for_update(of=("self",)).select_related("split_plan").get(pk=dataset.pk)
    if obstacle := release_obstacle(dataset):
        raise obstacle
    if name.strip() != dataset.name:
        message = _("Enter the name of the dataset.")
        raise Invalid(message, code="name_not_repeated", fields={"name": [message]})
    found = version_named(dataset, version)
    if found.no in dataset.public_revisions:
        raise Conflict(_("This version is public already."), code="public_already")
    if len(dataset.public_revisions) >= MOST_PUBLIC:
        raise Conflict(
            _("%(count)d versions of this dataset are public already.") % {"count": MOST_PUBLIC},
            code="public_many",
            hint=_("Withdraw the dataset, then make the versions public that are still wanted."),
        )
    changes = dataset.change(visibility=Visibility.PUBLIC, public_revisions=[*dataset.public_revisions, found.no])
    counts: dict[str, Any] = found.revision.counts
    params = {"version": found.name, "revision": found.no, "images": counts["images"], "files": counts["files"]}
    auditing.record(actor, actions.RELEASED, dataset, changes=changes, params=params)
    return dataset


@operation("datasets.dataset_withdraw", permission="datasets.delete_dataset", on="dataset")
def dataset_withdraw(*, actor: Actor, dataset: Dataset) -> Dataset:
    """Takes every version back at once; the dataset is its project's again. Copies that were fetched stay where they are.

    Raises `Conflict` where nothing is public.
    """
    dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
    if dataset.visibility != Visibility.PUBLIC:
        raise Conflict(_("The dataset is not public."), code="not_public")
    auditing.record(actor, actions.WITHDRAWN, dataset, changes=withdrawn(dataset))
    return dataset


def release_obstacle(dataset: Dataset) -> Conflict | None:
    """Why no version of the dataset can be made public, whoever asks; None when one can."""
    if not dataset.revision_no:
        return Conflict(
            _("The dataset is empty."), code="dataset_empty", hint=_("Upload images and publish them first.")
        )
    if not Organization.objects.filter(pk=dataset.organization_id, allows_public=True).exists():
        return Conflict(
            _("The organization does not allow public datasets."),
            code="public_forbidden",
            hint=_("One of its administrators can allow them in its settings."),
        )
    if dataset.visibility == Visibility.PRIVATE:
        # It would be its organization's at once, and its project's after a withdrawal.
        return Conflict(
            _("Only its creator and the project's owners see this dataset."),
            code="public_private",
            hint=_("Open it to the project or the organization first."),
        )
    return None
