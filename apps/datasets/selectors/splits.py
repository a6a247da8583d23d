"""Which image is in which split: the plan in force, and the plan as an expression of the database.

An automatic plan is a rule, `hash(seed, path)` against the ratios: adding an image moves no other image, and the same
seed gives the same split on every machine. `split_by_rule` says in Python what `split_expression` says in SQL.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from django.db.models import (
    BigIntegerField,
    Case,
    CharField,
    Count,
    Expression,
    F,
    Func,
    OuterRef,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Concat
from django.db.models.lookups import LessThan

from apps.datasets.formats.model import canonical_json
from apps.datasets.models import (
    Dataset,
    Entry,
    Item,
    Snapshot,
    Split,
    SplitGroup,
    SplitLevel,
    SplitMethod,
    SplitPlan,
    SplitRow,
)

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class _InSplit(TypedDict):
        in_split: str

    SplitEntry = WithAnnotations[Entry, _InSplit]

WHOLE = 1 << 32
DEFAULT_RATIOS = {"train": 0.8, "val": 0.2, "test": 0.0}


@dataclass(frozen=True, slots=True)
class SplitView:
    """A plan and what it makes of a revision. `counts` maps train, val, test and "" (no split) to
    `{"images", "labelled", "boxes"}`; a training gets the labelled images of the first three."""

    plan: SplitPlan
    counts: dict[str, dict[str, int]]

    def labelled(self, split: str) -> int:
        return self.counts[split]["labelled"]


class _Share(Func):
    """The first 32 bits of the md5 of a text, as a number from 0 up to `WHOLE`."""

    template = "(('x' || substr(md5(%(expressions)s), 1, 8))::bit(32)::bigint)"
    output_field = BigIntegerField()


def plan_digest(
    method: str, seed: int = 0, ratios: Mapping[str, float] | None = None, rows: str = "", pattern: str | None = None
) -> str:
    """Digest of a plan's content; `rows` is the digest of those of a plan that has rows."""
    content = {"method": method, "seed": seed, "ratios": dict(ratios or {}), "rows": rows}
    if pattern is not None:
        content["pattern"] = pattern
    return hashlib.sha256(canonical_json(content)).hexdigest()


def automatic_plan(dataset: Dataset, level: SplitLevel, seed: int, ratios: Mapping[str, float]) -> SplitPlan:
    """An unsaved plan by rule."""
    shares = {split: float(ratios.get(split, 0)) for split in Split.values}
    digest = plan_digest(SplitMethod.AUTO, seed, shares)
    return SplitPlan(dataset=dataset, level=level, method=SplitMethod.AUTO, seed=seed, ratios=shares, digest=digest)


def uploaded_plan(dataset: Dataset, level: SplitLevel) -> SplitPlan:
    """An unsaved plan that takes the splits as the uploads named them."""
    return SplitPlan(
        dataset=dataset, level=level, method=SplitMethod.UPLOADED, digest=plan_digest(SplitMethod.UPLOADED)
    )


def split_in_force(dataset: Dataset, override: SplitPlan | None = None) -> SplitPlan:
    """The plan that counts: the job's, else the dataset's, else the default.

    The default takes the splits that the uploads named, or, where none named any, four fifths to train and one to
    validate. It may be unsaved.
    """
    if override is not None:
        return override
    if dataset.split_plan is not None:
        return dataset.split_plan
    if Entry.objects.head(dataset.pk).images().exclude(split="").exists():
        return uploaded_plan(dataset, SplitLevel.DEFAULT)
    return automatic_plan(dataset, SplitLevel.DEFAULT, 0, DEFAULT_RATIOS)


def split_expression(plan: SplitPlan, path: str = "item__path") -> Expression | F:
    """The split of an `Entry`, "" for none, as an expression. Images that were moved by hand are where they were
    moved to, the others where the plan beneath has them. `path` names the field or alias with the item's path."""
    if plan.base is not None:
        return Coalesce(_row_of(plan), split_expression(plan.base, path), output_field=CharField())
    if plan.method == SplitMethod.UPLOADED:
        return F("split")
    if plan.method == SplitMethod.GROUPED:
        groups = SplitGroup.objects.filter(plan_id=plan.pk, key=group_expression(plan.pattern, OuterRef(path)))
        later = _rule(plan, group_expression(plan.pattern, F(path)))
        return Coalesce(Subquery(groups.values("split")[:1]), later, output_field=CharField())
    if plan.method == SplitMethod.AUTO:
        return _rule(plan, F(path))
    rest = Value("") if plan.method == SplitMethod.MANUAL else _rule(plan, F(path))
    return Coalesce(_row_of(plan), rest, output_field=CharField())


def _row_of(plan: SplitPlan) -> Subquery:
    rows = SplitRow.objects.filter(plan_id=plan.pk, item_id=OuterRef("item_id"))
    return Subquery(rows.values("split")[:1])


def group_expression(pattern: str, path: Any) -> Func:
    """What names the group of a path: its folder, or what a pattern (`apps.datasets.splitting.patterns`) finds in it;
    a path in which it finds nothing is a group by itself."""
    if not pattern:
        return Func(path, Value("/?[^/]*$"), Value(""), function="regexp_replace", output_field=CharField())
    found = Func(path, Value(pattern), template="substring(%(expressions)s)", arg_joiner=" FROM ")
    return Coalesce(found, path, output_field=CharField())


def _rule(plan: SplitPlan, name: Any) -> Case:
    """hash(seed, name) against the ratios."""
    train, val = _bounds(plan.ratios)
    share = _Share(Concat(Value(f"{plan.seed}:"), name, output_field=CharField()))
    return Case(
        When(LessThan(share, train), then=Value(Split.TRAIN.value)),
        When(LessThan(share, val), then=Value(Split.VAL.value)),
        default=Value(Split.TEST.value),
        output_field=CharField(),
    )


def with_split_by_page(rows: QuerySet[Entry], plan: SplitPlan) -> "QuerySet[SplitEntry]":
    """As `with_split`, for pages by key: the path is looked up for each row that is read. A join would be merged from
    the first item on, however deep in the list the page lies."""
    path = Item.objects.filter(pk=OuterRef("item_id")).values("path")[:1]
    return rows.alias(its_path=Subquery(path)).annotate(in_split=split_expression(plan, "its_path"))


def split_by_rule(seed: int, ratios: Mapping[str, float], path: str) -> str:
    """The split of a path under an automatic plan."""
    digest = hashlib.md5(f"{seed}:{path}".encode(), usedforsecurity=False).hexdigest()
    share = int(digest[:8], 16)
    train, val = _bounds(ratios)
    return Split.TRAIN.value if share < train else Split.VAL.value if share < val else Split.TEST.value


def coming_split(plan: SplitPlan, path: str, named: str, *, names_splits: bool) -> str:
    """Where an image will be that an upload brings under a new path; "" where it gets no split, or the rows of the
    database alone can tell. `named` is what the upload says of it, `names_splits` whether it says so of any."""
    rule = plan.base or plan
    is_default = rule.level == SplitLevel.DEFAULT and rule.method == SplitMethod.AUTO
    if rule.method == SplitMethod.UPLOADED or (is_default and names_splits):
        return named
    if rule.method in (SplitMethod.AUTO, SplitMethod.STRATIFIED):
        return split_by_rule(rule.seed, rule.ratios, path)
    return ""


def with_split(rows: QuerySet[Entry], plan: SplitPlan) -> "QuerySet[SplitEntry]":
    """The entries with their split in this plan as `in_split`."""
    return rows.annotate(in_split=split_expression(plan))


def only_split(rows: "QuerySet[SplitEntry]", plan: SplitPlan, split: str) -> "QuerySet[SplitEntry]":
    """Those of `with_split(rows, plan)` that are in a split. One that a rule leaves empty is not searched for."""
    rule = plan.base or plan
    if rule.method == SplitMethod.AUTO and not rule.ratios.get(split):
        moved = SplitRow.objects.filter(plan_id=plan.pk, split=split)
        return rows.filter(item_id__in=moved.values("item_id")) if plan.base else rows.none()
    if rule.method == SplitMethod.UPLOADED and not plan.base:
        return rows.filter(split=split)
    return rows.filter(in_split=split)


def split_view(dataset: Dataset, revision_no: int, plan: SplitPlan) -> SplitView:
    """Counts of a plan on a revision; one query."""
    nothing = {"images": 0, "labelled": 0, "boxes": 0}
    counts = {split: dict(nothing) for split in (*Split.values, "")}
    # By number, the newest one too: figures are kept of it, and another may be published meanwhile.
    rows = Entry.objects.at(dataset.pk, revision_no)
    found = with_split(rows.images(), plan).values("in_split")
    found = found.annotate(images=Count("pk"), labelled=Count("annotation_id"), boxes=Sum("box_count")).order_by()
    for row in found:
        counts[row["in_split"]] = {name: row[name] for name in nothing}  # type: ignore[literal-required]
    return SplitView(plan, counts)


def splits_of(snapshot: Snapshot, override: SplitPlan | None = None) -> SplitView:
    """The splits of a snapshot: its own plan, or what another would make of it."""
    plan = override or snapshot.split_plan
    return split_view(snapshot.dataset, snapshot.revision.no, plan)


def _bounds(ratios: Mapping[str, Any]) -> tuple[int, int]:
    """Up to where shares mean train and val. A split of ratio 0 gets nothing, whatever the rounding."""
    train = round(ratios["train"] * WHOLE)
    return train, WHOLE if not ratios["test"] else round((ratios["train"] + ratios["val"]) * WHOLE)
