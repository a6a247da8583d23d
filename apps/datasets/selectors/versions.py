"""Versions of a dataset: every revision by its number, and those that a snapshot names by its tag.

A version is named in three ways: `r3` is the third revision, any other word the tag of a snapshot, and `head` the
newest revision. Tags that look like the first or the last are not given out.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from apps.core.errors import Invalid, NotFound
from apps.datasets.models import TAG, Dataset, Entry, Revision, Snapshot, Split, SplitPlan
from apps.datasets.selectors.splits import split_in_force, with_split

HEAD = "head"
NUMBER = re.compile(r"r([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Version:
    """A revision, and the snapshot by which it was asked for, if it was."""

    dataset: Dataset
    revision: Revision
    snapshot: Snapshot | None = None

    @property
    def name(self) -> str:
        return self.snapshot.tag if self.snapshot else f"r{self.revision.no}"

    @property
    def no(self) -> int:
        return self.revision.no

    @property
    def plan(self) -> SplitPlan:
        """The split that counts in it: the snapshot's own, else the one in force."""
        return self.snapshot.split_plan if self.snapshot else split_in_force(self.dataset)


def is_reserved(tag: str) -> bool:
    """Whether a tag would hide a revision or the head."""
    return tag == HEAD or NUMBER.fullmatch(tag) is not None


def is_tag(name: str) -> bool:
    """Whether a snapshot could be called so."""
    return TAG.regex.search(name) is not None  # type: ignore[union-attr]  # compiled by its constructor


def version_named(dataset: Dataset, name: str, *, field: str = "version") -> Version:
    """The version of this name. Raises `Invalid`, which names the field that it stood in."""
    rows = Revision.objects.filter(dataset=dataset)
    number = NUMBER.fullmatch(name)
    if name == HEAD or number is not None:
        revision = rows.filter(no=dataset.revision_no if number is None else int(number[1])).first()
        if revision is not None:
            return Version(dataset, revision)
    elif is_tag(name):
        found = Snapshot.objects.select_related("revision", "split_plan").filter(dataset=dataset, tag=name).first()
        if found is not None:
            return Version(dataset, found.revision, found)
    message = _("The dataset has no version of this name.")
    hint = _("Give the tag of a snapshot, r and the number of a revision, or head.")
    raise Invalid(message, code="version_unknown", hint=hint, fields={field: [message]})


def revisions_of(dataset: Dataset) -> QuerySet[Revision]:
    """The history, newest first, each revision with its snapshots as `snapshots.all()`, newest first."""
    return (
        Revision.objects.filter(dataset=dataset)
        .select_related("created_by")
        .prefetch_related("snapshots__split_plan", "snapshots__created_by")
        .order_by("-no")
    )


def version_names(dataset: Dataset, limit: int = 200) -> list[tuple[str, str]]:
    """Names to choose from, with how they are shown: tags before bare revisions, newest first."""
    tags = Snapshot.objects.filter(dataset=dataset).order_by("-no").values_list("tag", "revision__no")[:limit]
    numbers = Revision.objects.filter(dataset=dataset).order_by("-no").values_list("no", flat=True)[:limit]
    return [*((tag, f"{tag} (r{no})") for tag, no in tags), *((f"r{no}", f"r{no}") for no in numbers)]


def is_trainable(snapshot: Snapshot) -> bool:
    """Whether a training may learn from it: both splits that one needs hold a labelled image."""
    return bool(snapshot.counts["train"] and snapshot.counts["val"])


def versions_for_choice(dataset: Dataset) -> QuerySet[Snapshot]:
    """The snapshots of the dataset that a training may learn from, newest first, each with its revision."""
    rows = Snapshot.objects.filter(dataset=dataset, counts__train__gt=0, counts__val__gt=0)
    return rows.select_related("revision").order_by("-no")


def image_at(dataset: Dataset, item_id: int, revision_no: int) -> Entry:
    """The image at an item as it was in a revision, with the split of its upload as `in_split`. Raises `NotFound`."""
    rows = Entry.objects.at(dataset.pk, revision_no).images().select_related("item", "blob", "annotation")
    entry = rows.filter(item_id=item_id).first()
    if entry is None or revision_no > dataset.revision_no:
        raise NotFound()
    entry.in_split = entry.split  # type: ignore[attr-defined]  # what lists of the head annotate
    return entry


def snapshots_named(dataset: Dataset, name: str) -> list[UUID]:
    """The snapshots that a version stands for: the one of a tag, all of a revision. Raises `Invalid`."""
    version = version_named(dataset, name)
    if version.snapshot is not None:
        return [version.snapshot.pk]
    return list(version.revision.snapshots.values_list("pk", flat=True))


def splits_of_image(dataset: Dataset, item_id: int) -> dict[UUID, str]:
    """Snapshot → the split in which it shows an image to its trainings; snapshots that do not show it are absent.

    A query for each plan among the snapshots, whatever their number.
    """
    shown: dict[UUID, str] = {}
    by_plan: dict[UUID, list[Snapshot]] = defaultdict(list)
    for snapshot in Snapshot.objects.filter(dataset=dataset).select_related("revision", "split_plan"):
        by_plan[snapshot.split_plan_id].append(snapshot)
    rows = Entry.objects.filter(dataset=dataset, item_id=item_id, is_image=True, annotation__isnull=False)
    for snapshots in by_plan.values():
        entries = with_split(rows, snapshots[0].split_plan).values_list("from_revision", "to_revision", "in_split")
        for snapshot, split in _covered(snapshots, list(entries)):
            shown[snapshot.pk] = split
    return shown


def _covered(snapshots: Iterable[Snapshot], entries: Iterable[Any]) -> Iterable[tuple[Snapshot, str]]:
    for snapshot in snapshots:
        no = snapshot.revision.no
        for first, end, split in entries:
            if first <= no and (end is None or no < end) and split in Split.values:
                yield snapshot, split
