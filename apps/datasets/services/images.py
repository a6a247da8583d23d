"""Acts on many images of the newest revision at once: another split, tags, deletion. Each is whole or nothing."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from apps.core import auditing
from apps.core.errors import Invalid
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.datasets import actions
from apps.datasets.formats.labels import namesakes
from apps.datasets.models import (
    MOST_TAGS,
    Dataset,
    Entry,
    ImageTag,
    Revision,
    Split,
    SplitLevel,
    SplitPlan,
    TaggedImage,
)
from apps.datasets.selectors.choosing import ImageChoice, images_chosen, label_items
from apps.datasets.selectors.splits import plan_digest, split_in_force
from apps.datasets.services import messages, statements
from apps.datasets.services.revisions import next_revision
from apps.datasets.services.splits import plan_facts, stored

# Where images were moved to before, and now: the later counts.
MOVED = """
SELECT r.item_id, r.split FROM datasets_splitrow r WHERE r.plan_id = %(plan)s AND NOT r.item_id = ANY(%(items)s)
UNION ALL SELECT unnest(%(items)s::bigint[]), %(split)s
"""
MOVED_LINES = f"""
SELECT i.path, m.split FROM ({MOVED}) m JOIN datasets_item i ON i.id = m.item_id ORDER BY i.path
"""  # nosec B608  # constants
MOVED_ROWS = f"""
INSERT INTO datasets_splitrow (plan_id, item_id, split)
SELECT %(new)s, m.item_id, m.split FROM ({MOVED}) m ORDER BY m.item_id
"""  # nosec B608  # constants


@operation("datasets.images_move", permission="datasets.change_dataset", on="dataset")
def images_move(*, actor: Actor, dataset: Dataset, choice: ImageChoice, split: str) -> int:
    """Puts the images into a split, whatever the dataset's plan says of them; the plan stays in force for the others.

    Returns how many they are.
    """
    dataset = Dataset.objects.select_for_update(of=("self",)).select_related("split_plan__base").get(pk=dataset.pk)
    if split not in Split.values:
        message = _("There is no such split.")
        raise Invalid(message, code="split_unknown", fields={"split": [message]})
    found = images_chosen(dataset, choice)
    plan = split_in_force(dataset)
    dataset.change(split_plan=_moved(actor, dataset, plan, sorted(found), split))
    params = {"count": len(found), "split": split}
    _record(actor, actions.IMAGES_MOVED, dataset, found, params=params, before=plan_facts(plan))
    return len(found)


@operation("datasets.images_tag", permission="datasets.change_dataset", on="dataset")
def images_tag(*, actor: Actor, dataset: Dataset, choice: ImageChoice, tags: Sequence[str]) -> int:
    """Gives the images these tags, beside those that they have. Returns how many images they are."""
    dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
    names = _checked_tags(tags)
    found = images_chosen(dataset, choice)
    ImageTag.objects.bulk_create([ImageTag(dataset=dataset, name=name) for name in names], ignore_conflicts=True)
    rows = ImageTag.objects.filter(dataset=dataset, name__in=names)
    TaggedImage.objects.bulk_create(
        [TaggedImage(tag=tag, item_id=item) for tag in rows for item in sorted(found)], ignore_conflicts=True
    )
    _record(actor, actions.IMAGES_TAGGED, dataset, found, params={"count": len(found), "tags": ", ".join(names)})
    return len(found)


@operation("datasets.images_untag", permission="datasets.change_dataset", on="dataset")
def images_untag(*, actor: Actor, dataset: Dataset, choice: ImageChoice, tags: Sequence[str]) -> int:
    """Takes these tags from the images. Returns how many images they are."""
    dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
    names = _checked_tags(tags)
    found = images_chosen(dataset, choice)
    TaggedImage.objects.filter(tag__dataset=dataset, tag__name__in=names, item_id__in=list(found)).delete()
    ImageTag.objects.filter(dataset=dataset, name__in=names, images__isnull=True).delete()
    _record(actor, actions.IMAGES_UNTAGGED, dataset, found, params={"count": len(found), "tags": ", ".join(names)})
    return len(found)


@operation("datasets.images_delete", permission="datasets.change_dataset", on="dataset")
def images_delete(*, actor: Actor, dataset: Dataset, choice: ImageChoice, note: str = "") -> Revision:
    """A new revision without the images, and without the files that hold their labels alone.

    Earlier versions keep them: restoring the revision before brings them back.
    """
    dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
    found = images_chosen(dataset, choice)
    gone = [*found, *_labels(dataset, list(found.values()))]
    last = Revision.objects.get(dataset=dataset, no=dataset.revision_no)
    rows = Entry.objects.head(dataset.pk).filter(item_id__in=gone)
    totals = _without(last, rows)
    rows.update(to_revision=dataset.revision_no + 1)
    moved = statements.Moved(0, 0, len(gone))
    revision = next_revision(actor, dataset, last.classes, moved, note=note, totals=totals)
    params = {"count": len(found), "revision": revision.no}
    _record(actor, actions.IMAGES_DELETED, dataset, found, params=params)
    messages.send_on_commit("datasets.decode", dataset.pk)
    return revision


def _without(last: Revision, rows: QuerySet[Entry]) -> dict[str, int]:
    """The totals of a revision less these entries: a million others are not counted anew."""
    less = rows.aggregate(
        images=Count("pk", filter=Q(is_image=True)),
        labelled=Count("annotation_id"),
        boxes=Coalesce(Sum("box_count"), 0),
        files=Count("pk"),
        bytes=Coalesce(Sum("blob__size"), 0),
    )
    return {name: last.counts[name] - count for name, count in less.items()}


def _checked_tags(tags: Sequence[str]) -> list[str]:
    names = list(dict.fromkeys(name for name in (tag.strip() for tag in tags) if name))
    if not names or len(names) > MOST_TAGS:
        message = _("Give 1 to %(most)s tags.") % {"most": MOST_TAGS}
        raise Invalid(message, code="tags", fields={"tags": [message]})
    try:
        for name in names:
            ImageTag(name=name).clean_fields(exclude=["dataset"])
    except ValidationError as error:
        raise Invalid(_("The input is not valid."), code="tags", fields={"tags": error.messages}) from error
    return names


def _record(
    actor: Actor,
    action: str,
    dataset: Dataset,
    found: Mapping[int, str],
    *,
    params: dict[str, Any],
    before: dict[str, Any] | None = None,
) -> None:
    """One event, in the history of the dataset and of each of the images."""
    about = [auditing.Mention("datasets.item", str(item), path) for item, path in found.items()]
    auditing.record(actor, action, dataset, params=params, before=before, about=about)


def _moved(actor: Actor, dataset: Dataset, plan: SplitPlan, items: list[int], split: str) -> SplitPlan:
    """The plan in which these images are in the split too. The same images moved to the same splits, in whatever
    order, are the same plan."""
    base = stored(plan.base or plan)
    values: dict[str, Any] = {"plan": plan.pk if plan.base else None, "items": items, "split": split}
    digest, count = hashlib.sha256(), 0
    with connection.cursor() as cursor:
        cursor.execute(MOVED_LINES, values)
        for path, where in cursor:
            digest.update(f"{path}\t{where}\n".encode())
            count += 1
        facts = {
            "method": base.method,
            "seed": base.seed,
            "ratios": base.ratios,
            "pattern": base.pattern,
            "base": base,
            "moved_count": count,
            "created_by": actor.user,
        }
        digests = f"{base.digest}:{digest.hexdigest()}"
        made, is_new = SplitPlan.objects.get_or_create(
            dataset=dataset,
            level=SplitLevel.DATASET,
            digest=plan_digest(base.method, base.seed, base.ratios, digests, base.pattern or None),
            defaults=facts,
        )
        if is_new:
            cursor.execute(MOVED_ROWS, {**values, "new": made.pk})
    return made


def _labels(dataset: Dataset, images: list[str]) -> list[int]:
    """Items of the files that hold the labels of these images, unless an image of the same name stays."""
    chosen = set(images)
    rows = Entry.objects.head(dataset.pk)
    beside = [path for image in images for path in namesakes(image) if path not in chosen]
    staying = rows.images().filter(item__path__in=beside).values_list("item__path", flat=True)
    stems = {path.rpartition(".")[0] for path in staying}
    going = [image for image in images if image.rpartition(".")[0] not in stems]
    return label_items(rows, going)
