"""Splits: a plan for the dataset, or for one job. Plans are immutable; setting one never rewrites entries."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from apps.core import auditing
from apps.core.errors import Invalid
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.datasets import actions
from apps.datasets.models import Dataset, Entry, Split, SplitLevel, SplitMethod, SplitPlan, SplitRow
from apps.datasets.selectors.splits import DEFAULT_RATIOS, automatic_plan, plan_digest, uploaded_plan
from apps.datasets.services.splitting import COMPUTED, MOST_ROWS, computed_split, require_pattern

#: A split by hand names images, which a job does not.
OF_JOBS = (SplitMethod.UPLOADED, SplitMethod.AUTO, SplitMethod.STRATIFIED, SplitMethod.GROUPED)


@operation("datasets.split_set", permission="datasets.change_dataset", on="dataset")
def split_set(
    *,
    actor: Actor,
    dataset: Dataset,
    method: str,
    seed: int = 0,
    ratios: Mapping[str, float] | None = None,
    pattern: str = "",
    items: Mapping[str, Sequence[str]] | None = None,
) -> Dataset:
    """Gives the dataset a split of its own: `auto` with seed and ratios, `stratified` the same with the classes evenly
    in every split, `grouped` with folders, or what `pattern` finds in the paths, kept together, `manual` with paths by
    split, or `uploaded` for the splits that the uploads named."""
    dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
    wanted: dict[str, Any] = {"method": method, "seed": seed, "ratios": ratios, "pattern": pattern, "items": items}
    plan = plan_of(dataset, SplitLevel.DATASET, person=actor.user, **wanted)
    before = dataset.split_plan
    dataset.change(split_plan=stored(plan))
    if plan.method == SplitMethod.MANUAL:
        _write_rows(dataset, plan, items or {})
    auditing.record(
        actor,
        actions.SPLIT_CHANGED,
        dataset,
        before=plan_facts(before),
        after=plan_facts(plan),
    )
    return dataset


@operation("datasets.split_remove", permission="datasets.change_dataset", on="dataset")
def split_remove(*, actor: Actor, dataset: Dataset) -> Dataset:
    """Puts the dataset back to the default split."""
    dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
    before = dataset.split_plan
    dataset.change(split_plan=None)
    auditing.record(actor, actions.SPLIT_REMOVED, dataset, before=plan_facts(before))
    return dataset


def plan_of(
    dataset: Dataset,
    level: SplitLevel,
    *,
    method: str,
    seed: int = 0,
    ratios: Mapping[str, float] | None = None,
    pattern: str = "",
    items: Mapping[str, Sequence[str]] | None = None,
    person: Any = None,
) -> SplitPlan:
    """A plan from what a person or program gave: unsaved, unless it is computed over the images, for then its rows are
    stored. Raises `Invalid` for ratios or patterns that are none."""
    plan = _plan_of(dataset, level, method, seed, ratios, pattern.strip(), items, person)
    plan.created_by = plan.created_by or person
    return plan


def checked_split(wanted: Mapping[str, Any] | None) -> dict[str, Any]:
    """A job's own split as it is kept until the job starts: what `split_set` takes but `items`; {} for none. Raises
    `Invalid`."""
    if not wanted or wanted.get("method") == "":
        return {}
    method = str(wanted.get("method"))
    if method not in OF_JOBS:
        message = _("There is no such method.")
        raise Invalid(message, code="split_method", fields={"split": [message]})
    if method == SplitMethod.UPLOADED:
        return {"method": method}
    pattern = str(wanted.get("pattern") or "").strip() if method == SplitMethod.GROUPED else ""
    if pattern:
        require_pattern(pattern)
    ratios = _checked(wanted.get("ratios") or DEFAULT_RATIOS)
    return {"method": method, "seed": wanted.get("seed") or 0, "ratios": ratios, "pattern": pattern}


def _plan_of(
    dataset: Dataset,
    level: SplitLevel,
    method: str,
    seed: int,
    ratios: Mapping[str, float] | None,
    pattern: str,
    items: Mapping[str, Sequence[str]] | None,
    person: Any,
) -> SplitPlan:
    if method in COMPUTED:
        computed = computed_split(dataset, method, seed, _checked(ratios or DEFAULT_RATIOS), pattern)
        return computed.store(dataset, level, person)
    if method == SplitMethod.UPLOADED:
        return uploaded_plan(dataset, level)
    if method == SplitMethod.AUTO:
        return automatic_plan(dataset, level, seed, _checked(ratios or DEFAULT_RATIOS))
    if method == SplitMethod.MANUAL:
        rows = sorted((path, split) for split, paths in (items or {}).items() for path in paths)
        if not rows or len(rows) > MOST_ROWS:
            message = _("Name 1 to %(most)s images.") % {"most": MOST_ROWS}
            raise Invalid(message, code="split_items", fields={"items": [message]})
        digest = hashlib.sha256("\n".join(f"{path}\t{split}" for path, split in rows).encode()).hexdigest()
        digest = plan_digest(SplitMethod.MANUAL, rows=digest)
        return SplitPlan(dataset=dataset, level=level, method=SplitMethod.MANUAL, digest=digest)
    message = _("There is no such method.")
    raise Invalid(message, code="split_method", fields={"method": [message]})


def stored(plan: SplitPlan) -> SplitPlan:
    """The row of this plan, made when there is none yet."""
    if not plan._state.adding:
        return plan
    facts = {"method": plan.method, "seed": plan.seed, "ratios": plan.ratios, "created_by": plan.created_by}
    return SplitPlan.objects.get_or_create(dataset=plan.dataset, level=plan.level, digest=plan.digest, defaults=facts)[
        0
    ]


def _checked(ratios: Mapping[str, Any]) -> dict[str, float]:
    shares = {split: ratios.get(split, 0) for split in Split.values}
    wrong = set(ratios) - set(Split.values)
    numbers = [share for share in shares.values() if isinstance(share, int | float) and math.isfinite(share)]
    if wrong or len(numbers) < 3 or min(numbers) < 0 or max(numbers) > 1 or abs(sum(numbers) - 1) > 1e-6:
        message = _("Give shares from 0 to 1 for train, val and test that add up to 1.")
        raise Invalid(message, code="split_ratios", fields={"ratios": [message]})
    return {split: round(float(share), 6) for split, share in shares.items()}


def _write_rows(dataset: Dataset, plan: SplitPlan, items: Mapping[str, Sequence[str]]) -> None:
    """Stores the rows of a manual plan, unless it has them. Raises `Invalid` for paths that are no image here."""
    stored_plan = dataset.split_plan
    assert stored_plan is not None
    if stored_plan.rows.exists():
        return
    wanted: dict[str, str] = {}
    for split, paths in items.items():
        for path in paths:
            if wanted.setdefault(path, split) != split:
                raise _bad_items(_("The image %(path)s is in two splits."), path)
    known = dict(
        Entry.objects.head(dataset.pk)
        .images()
        .filter(item__path__in=list(wanted))
        .values_list("item__path", "item_id")
    )
    for path in wanted:
        if path not in known:
            raise _bad_items(_("There is no image %(path)s in the dataset."), path)
    rows = [SplitRow(plan=stored_plan, item_id=known[path], split=split) for path, split in wanted.items()]
    SplitRow.objects.bulk_create(rows, batch_size=5000)


def _bad_items(message: str, path: str) -> Invalid:
    worded = message % {"path": path[:200]}
    return Invalid(worded, code="split_items", fields={"items": [worded]}, params={"path": path[:200]})


def plan_facts(plan: SplitPlan | None) -> dict[str, Any]:
    """What the history says of a plan."""
    if plan is None:
        return {"method": ""}
    facts = {"method": str(plan.method), "seed": plan.seed, "ratios": plan.ratios, "pattern": plan.pattern}
    return facts | ({"moved": plan.moved_count} if plan.moved_count else {})
