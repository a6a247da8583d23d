"""Splits that are computed over the images of now: by class, or by group."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import DataError, OperationalError, connection, transaction
from django.db.models import Count, F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.errors import Invalid
from apps.datasets.models import Dataset, Entry, SplitGroup, SplitLevel, SplitMethod, SplitPlan, SplitRow
from apps.datasets.selectors.splits import group_expression, plan_digest
from apps.datasets.splitting import BadPattern, check_pattern, divide_groups, stratify

COMPUTED = (SplitMethod.STRATIFIED, SplitMethod.GROUPED)
MOST_ROWS = 250_000
MOST_GROUPS = 100_000
PATTERN_MILLISECONDS = 5000
BATCH = 5000
WHY = {
    "characters": gettext_lazy("Give 1 to 200 printable characters."),
    "special": gettext_lazy("References back, looking ahead or behind, and options cannot be used."),
    "groups": gettext_lazy("Cut out one part at most, and repeat nothing that is cut out; group by (?: ) otherwise."),
    "repeats": gettext_lazy("Counted repetitions may make 100 at most, all together."),
}


@dataclass(frozen=True, slots=True)
class Computed:
    """A plan and what it consists of: items, or groups, with their split."""

    method: str
    seed: int
    ratios: dict[str, float]
    pattern: str = ""
    rows: dict[int, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    digest: str = ""

    def store(self, dataset: Dataset, level: SplitLevel, person: Any = None) -> SplitPlan:
        """The row of this plan at a level, with its items and groups, made when there is none yet."""
        facts = {name: getattr(self, name) for name in ("method", "seed", "ratios", "pattern")}
        plan, is_new = SplitPlan.objects.get_or_create(
            dataset=dataset, level=level, digest=self.digest, defaults={**facts, "created_by": person}
        )
        if is_new:
            rows = [SplitRow(plan=plan, item_id=item, split=split) for item, split in self.rows.items()]
            SplitRow.objects.bulk_create(rows, batch_size=BATCH)
            groups = [SplitGroup(plan=plan, key=key, split=split) for key, split in self.groups.items()]
            SplitGroup.objects.bulk_create(groups, batch_size=BATCH)
        return plan


def computed_split(dataset: Dataset, method: str, seed: int, ratios: dict[str, float], pattern: str = "") -> Computed:
    """Divides the labelled images of now. The same images, seed and ratios give the same plan.

    Raises `Invalid` where there is nothing to divide or too much, and for a pattern that cannot be used.
    """
    if method == SplitMethod.STRATIFIED:
        return _stratified(dataset, seed, ratios)
    return _grouped(dataset, seed, ratios, pattern)


def _stratified(dataset: Dataset, seed: int, ratios: dict[str, float]) -> Computed:
    images = Entry.objects.head(dataset.pk).images().filter(annotation__isnull=False)
    facts = list(images.values_list("item_id", "item__path", "class_ids")[: MOST_ROWS + 1])
    if not facts or len(facts) > MOST_ROWS:
        message = _("Stratifying takes 1 to %(most)s labelled images.") % {"most": MOST_ROWS}
        raise Invalid(message, code="split_items", hint=_("Use the automatic split."), fields={"method": [message]})
    items = {path: item for item, path, _classes in facts}
    split_of = stratify(((path, classes) for _item, path, classes in facts), ratios, seed)
    rows = {items[path]: split_of[path] for path in sorted(split_of)}
    digest = plan_digest(SplitMethod.STRATIFIED, seed, ratios, _lines(split_of))
    return Computed(SplitMethod.STRATIFIED, seed, ratios, rows=rows, digest=digest)


def _grouped(dataset: Dataset, seed: int, ratios: dict[str, float], pattern: str) -> Computed:
    groups = divide_groups(_sizes(dataset, pattern), ratios, seed)
    digest = plan_digest(SplitMethod.GROUPED, seed, ratios, _lines(groups), pattern)
    return Computed(SplitMethod.GROUPED, seed, ratios, pattern, groups=groups, digest=digest)


def _sizes(dataset: Dataset, pattern: str) -> dict[str, int]:
    """Group → its labelled images. The database looks for the pattern in every path once, and not for ever."""
    if pattern:
        require_pattern(pattern)
    rows = Entry.objects.head(dataset.pk).images().annotate(key=group_expression(pattern, F("item__path")))
    found = rows.values_list("key").annotate(Count("annotation_id")).order_by("key")[: MOST_GROUPS + 1]
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(PATTERN_MILLISECONDS)])
            sizes = dict(found)
            cursor.execute("SET LOCAL statement_timeout TO DEFAULT")
    except DataError as error:
        raise _bad_pattern(_("The database does not understand it.")) from error
    except OperationalError as error:
        raise _bad_pattern(_("It takes too long on these paths.")) from error
    if not sizes or len(sizes) > MOST_GROUPS:
        message = _("There must be 1 to %(most)s groups.") % {"most": MOST_GROUPS}
        raise Invalid(message, code="split_groups", fields={"pattern": [message]})
    return sizes


def require_pattern(pattern: str) -> None:
    """Raises `Invalid` for a pattern that is not taken."""
    try:
        check_pattern(pattern)
    except BadPattern as bad:
        raise _bad_pattern(str(WHY[bad.code])) from bad


def _lines(splits: Mapping[str, str]) -> str:
    return hashlib.sha256("\n".join(f"{name}\t{splits[name]}" for name in sorted(splits)).encode()).hexdigest()


def _bad_pattern(why: str) -> Invalid:
    message = _("The pattern cannot be used.")
    return Invalid(message, code="split_pattern", hint=why, fields={"pattern": [f"{message} {why}"]})
