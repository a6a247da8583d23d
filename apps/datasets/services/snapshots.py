"""Snapshots: a revision, its root hash and a split plan, fixed. An unchanged dataset gives the same snapshot again."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, ProtectedError, Q, QuerySet, Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core import auditing, policy
from apps.core.errors import Conflict, Invalid, NotFound
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.datasets import actions
from apps.datasets.formats.model import canonical_json
from apps.datasets.models import (
    Blob,
    BucketHash,
    Dataset,
    Entry,
    Item,
    Revision,
    Snapshot,
    Split,
    SplitLevel,
    SplitPlan,
)
from apps.datasets.selectors.snapshots import snapshot_entries
from apps.datasets.selectors.splits import SplitView, split_in_force, split_view
from apps.datasets.selectors.versions import is_reserved
from apps.datasets.services.splits import plan_of, stored

HASH_VERSION = 1
BUCKETS = 256

# One pass over the rows of the buckets named; within a bucket the lines are in path order (collation "C"). Paths hold
# no control characters, so tab and newline divide the fields without doubt.
HASH_BUCKETS = """
INSERT INTO datasets_buckethash (dataset_id, bucket, revision_no, digest)
SELECT %(dataset)s, i.bucket, %(revision)s, encode(sha256(convert_to(string_agg(
    i.path || E'\\t' || b.sha256 || E'\\t' || coalesce(a.sha256, '') || E'\\t' || e.split, E'\\n' ORDER BY i.path
), 'UTF8')), 'hex')
FROM datasets_entry e
JOIN datasets_item i ON i.id = e.item_id
JOIN datasets_blob b ON b.id = e.blob_id
LEFT JOIN datasets_annotationdocument a ON a.id = e.annotation_id
WHERE e.dataset_id = %(dataset)s AND e.to_revision IS NULL AND i.bucket = ANY(%(buckets)s)
GROUP BY i.bucket
ON CONFLICT (dataset_id, bucket) DO UPDATE SET digest = excluded.digest, revision_no = excluded.revision_no
"""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Everything that a snapshot of the locked dataset would be made of."""

    dataset: Dataset
    revision: Revision
    view: SplitView

    @property
    def existing(self) -> Snapshot | None:
        rows = Snapshot.objects.select_related("dataset", "revision", "split_plan").filter(dataset=self.dataset)
        return rows.filter(root_hash=self.revision.root_hash, split_digest=self.view.plan.digest).first()


def snapshot_for_training(
    *, actor: Actor, dataset: Dataset, split_override: Mapping[str, Any] | None = None
) -> Snapshot:
    """The snapshot that a training on the dataset as it is now learns from; an earlier one when nothing has changed.

    `split_override`, the job's own split, holds the arguments of `split_set` other than `items`. Raises `Invalid`
    where train or val would hold no labelled image, `Conflict` where nothing was published yet or a labelled picture
    cannot be decoded.
    """
    policy.require(actor, "datasets.use_dataset", dataset)
    with transaction.atomic():
        prepared = _prepare(dataset, split_override)
        view = prepared.view
        _check_trainable({split: view.labelled(split) for split in Split.values}, view.plan)
        labelled = Entry.objects.head(dataset.pk).images().filter(annotation__isnull=False)
        _check_sound(prepared.dataset, labelled, _("Upload a sound one under the same path."))
        if (existing := prepared.existing) is not None:
            return existing
        return snapshot_record(actor=actor, dataset=prepared.dataset, prepared=prepared)


def version_for_training(*, actor: Actor, dataset: Dataset, version: Snapshot, field: str = "version") -> Snapshot:
    """The snapshot of the dataset that a training names, locked: nobody deletes it before the caller's transaction
    has ended.

    Raises `Invalid`, which names the field that it stood in, for one of another dataset or that has gone, and where
    train or val of it hold no labelled image.
    """
    policy.require(actor, "datasets.use_dataset", dataset)
    rows = Snapshot.objects.select_for_update(of=("self",), no_key=True)
    rows = rows.select_related("dataset", "revision", "split_plan")
    found = rows.filter(pk=version.pk, dataset=dataset).first()
    if found is None:
        message = _("This is no version of the chosen dataset.")
        raise Invalid(message, code="version_unknown", fields={field: [message]})
    _check_trainable(found.counts, found.split_plan, version_field=field)
    return found


def version_require_sound(version: Snapshot) -> None:
    """Raises `Conflict` where a picture that a training would get of the version is damaged or cannot be decoded."""
    _check_sound(version.dataset, snapshot_entries(version), _("Choose another version."))


@operation("datasets.snapshot_create", permission="datasets.change_dataset", on="dataset")
def snapshot_create(*, actor: Actor, dataset: Dataset, tag: str = "", note: str = "") -> Snapshot:
    """A snapshot by hand, named v1, v2, … unless a tag is given. The same content is not fixed twice."""
    if is_reserved(tag):
        message = _("This tag means a revision; choose another.")
        raise Invalid(message, code="tag_reserved", fields={"tag": [message]})
    prepared = _prepare(dataset, None)
    if (existing := prepared.existing) is not None:
        raise Conflict(
            _("The dataset has not changed since the snapshot %(tag)s.") % {"tag": existing.tag},
            code="snapshot_exists",
            params={"id": str(existing.pk), "tag": existing.tag},
        )
    if tag and Snapshot.objects.filter(dataset=prepared.dataset, tag=tag).exists():
        message = _("The dataset has a snapshot of this tag.")
        raise Conflict(message, code="tag_taken", fields={"tag": [message]})
    return _save(actor, prepared, tag, note)


@operation("datasets.snapshot_record", permission="datasets.use_dataset", on="dataset")
def snapshot_record(*, actor: Actor, dataset: Dataset, prepared: _Prepared) -> Snapshot:
    """A snapshot that a training needs: whoever may use the dataset may have it."""
    return _save(actor, prepared, "", "")


@operation("datasets.snapshot_delete", permission="datasets.delete_snapshot", on="snapshot")
def snapshot_delete(*, actor: Actor, snapshot: Snapshot) -> None:
    """Removes a snapshot that no job refers to, neither one that learnt from it nor a draft that is to."""
    snapshot = Snapshot.objects.select_for_update(of=("self",)).select_related("dataset").get(pk=snapshot.pk)
    before, about = {"root_hash": snapshot.root_hash}, [snapshot.dataset]
    auditing.record(actor, actions.SNAPSHOT_DELETED, snapshot, before=before, about=about)
    try:
        with transaction.atomic():
            snapshot.delete()
    except ProtectedError as error:
        if _is_only_named(snapshot, error.protected_objects):
            raise Conflict(
                _("Drafts of trainings name this snapshot."),
                code="snapshot_in_use",
                hint=_("Choose another version in them, or delete them, first."),
            ) from error
        raise Conflict(
            _("Jobs were trained on this snapshot."),
            code="snapshot_in_use",
            hint=_("It stays as long as they do, so that their results can be traced."),
        ) from error


def _is_only_named(snapshot: Snapshot, holders: Iterable[Any]) -> bool:
    """Whether all that keeps the snapshot is yet to begin: what has learnt from it has it as its `snapshot`."""
    kept = list(holders)
    return bool(kept) and all(getattr(row, "snapshot_id", None) != snapshot.pk for row in kept)


def root_hash(dataset: Dataset, revision: Revision) -> str:
    """The root hash of the head revision of the locked dataset; only buckets that changed are hashed anew."""
    if revision.root_hash:
        return revision.root_hash
    base = BucketHash.objects.filter(dataset=dataset).aggregate(newest=Max("revision_no"))["newest"]
    changed = Q(entries__from_revision__gt=base or 0) | Q(entries__to_revision__gt=base or 0)
    rows = Item.objects.filter(changed, dataset=dataset).values_list("bucket", flat=True)
    # The first time every bucket is; finding that out would take as long as hashing them.
    dirty = set(range(BUCKETS)) if base is None else set(rows.distinct())
    if dirty:
        # Buckets that became empty are not made again by the insert.
        BucketHash.objects.filter(dataset=dataset, bucket__in=dirty).delete()
        with connection.cursor() as cursor:
            values: dict[str, Any] = {"dataset": dataset.pk, "revision": revision.no, "buckets": sorted(dirty)}
            cursor.execute(HASH_BUCKETS, values)
    buckets = BucketHash.objects.filter(dataset=dataset).order_by("bucket").values_list("bucket", "digest")
    content = {"version": HASH_VERSION, "classes": revision.classes, "buckets": [list(row) for row in buckets]}
    revision.root_hash = hashlib.sha256(canonical_json(content)).hexdigest()
    revision.save(update_fields=["root_hash"])
    return revision.root_hash


def _prepare(dataset: Dataset, split_override: Mapping[str, Any] | None) -> _Prepared:
    dataset = Dataset.objects.select_for_update(of=("self",)).select_related("split_plan__base").get(pk=dataset.pk)
    # Since the policy was asked it may have gone: what a snapshot names must stay.
    if dataset.deleted_at is not None:
        raise NotFound()
    revision = Revision.objects.filter(dataset=dataset, no=dataset.revision_no).first()
    if revision is None:
        raise Conflict(
            _("The dataset is empty."), code="dataset_empty", hint=_("Upload images and publish them first.")
        )
    root_hash(dataset, revision)
    override = plan_of(dataset, SplitLevel.JOB, **split_override) if split_override else None
    plan = split_in_force(dataset, override)
    return _Prepared(dataset, revision, split_view(dataset, revision.no, plan))


def _check_trainable(labelled: Mapping[str, int], plan: SplitPlan, *, version_field: str = "") -> None:
    """`labelled` counts the labelled images by split; what is fixed as a version can only be left for another."""
    for split in (Split.TRAIN, Split.VAL):
        if labelled[split]:
            continue
        message = _("The split “%(split)s” holds no labelled image.") % {"split": split.label}
        raise Invalid(
            message,
            code="split_empty",
            hint=_("Choose another version.")
            if version_field
            else _("Set another split on the dataset's page, or add labelled images."),
            fields={version_field: [message]} if version_field else None,
            params={"split": split.value, "level": str(plan.level), "method": str(plan.method)},
        )


def _check_sound(dataset: Dataset, labelled: QuerySet[Any], if_broken: str) -> None:
    """Labelled pictures that are in quarantine, or that a worker could not decode, keep a training from starting: it
    would fail on them later."""
    damaged = Blob.objects.filter(organization=dataset.organization_id).exclude(damage="")
    paths = labelled.filter(blob__in=damaged).order_by("item_id").values_list("item__path", flat=True)
    if first := paths.first():
        raise Conflict(
            ngettext(
                "The file of %(count)d picture is damaged or missing: %(path)s.",
                "The files of %(count)d pictures are damaged or missing, the first is %(path)s.",
                count := paths.count(),
            )
            % {"count": count, "path": first},
            code="file_damaged",
            hint=_("Upload the same pictures again; the page Files lists them."),
            params={"path": first, "count": count},
        )
    rows = labelled.filter(blob__is_sound=False)
    first = rows.order_by("item_id").values_list("item__path", flat=True).first()
    if first is not None:
        raise Conflict(
            _("The picture %(path)s cannot be decoded.") % {"path": first},
            code="image_broken",
            hint=if_broken,
            params={"path": first},
        )


def _save(actor: Actor, prepared: _Prepared, tag: str, note: str) -> Snapshot:
    dataset, revision, view = prepared.dataset, prepared.revision, prepared.view
    last = Snapshot.objects.filter(dataset=dataset).aggregate(last=Max("no"))["last"] or 0
    snapshot = Snapshot(
        dataset=dataset,
        revision=revision,
        split_plan=stored(view.plan),
        split_digest=view.plan.digest,
        root_hash=revision.root_hash,
        no=last + 1,
        tag=tag or _free_tag(dataset, last + 1),
        note=note,
        created_by=actor.user,
    )
    snapshot.counts = _counts(snapshot, view)
    snapshot.full_clean(validate_constraints=False)
    snapshot.save()
    after = {"tag": snapshot.tag, "root_hash": snapshot.root_hash, "split": str(view.plan.method)}
    auditing.record(actor, actions.SNAPSHOT_CREATED, snapshot, after=after, about=[dataset])
    return snapshot


def _free_tag(dataset: Dataset, no: int) -> str:
    """v<no>, or the next that nobody took by hand."""
    taken = set(Snapshot.objects.filter(dataset=dataset, tag__startswith="v").values_list("tag", flat=True))
    while f"v{no}" in taken:
        no += 1
    return f"v{no}"


def _counts(snapshot: Snapshot, view: SplitView) -> dict[str, int]:
    counts = {split: view.labelled(split) for split in Split.values}
    counts["images"] = sum(counts.values())
    counts["boxes"] = sum(view.counts[split]["boxes"] for split in Split.values)
    counts["bytes"] = snapshot_entries(snapshot).order_by().aggregate(size=Sum("blob__size"))["size"] or 0
    return counts
