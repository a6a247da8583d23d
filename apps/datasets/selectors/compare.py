"""What differs between two versions of a dataset.

Entries are intervals of revisions, so what differs are the entries that begin or end between the two: one statement
over two indexes, whatever the dataset holds besides.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.utils.functional import cached_property

from apps.datasets.formats.classes import ClassInfo
from apps.datasets.models import Dataset, Entry
from apps.datasets.selectors.versions import Version

#: What may have happened to an image. `content`, `annotations` and `split` may come together.
KINDS = ("added", "removed", "content", "annotations", "split")

# `low` and `high` are the lower and the higher of the two revisions; the side of the lower one is `o`. `{where}`
# narrows both sides to the items of a page.
DELTA = """
WITH o AS (
    SELECT * FROM datasets_entry
    WHERE dataset_id = %(dataset)s AND from_revision <= %(low)s AND to_revision > %(low)s AND to_revision <= %(high)s
        {where}
), n AS (
    SELECT * FROM datasets_entry
    WHERE dataset_id = %(dataset)s AND from_revision > %(low)s AND from_revision <= %(high)s
        AND (to_revision IS NULL OR to_revision > %(high)s) {where}
), delta AS (
    SELECT coalesce(o.item_id, n.item_id) AS item_id, o.id AS low_id, n.id AS high_id,
        coalesce(o.is_image, n.is_image) AS is_image, o.id IS NULL AS begins, n.id IS NULL AS ends,
        coalesce(o.blob_id <> n.blob_id, false) AS content,
        o.id IS NOT NULL AND n.id IS NOT NULL AND o.annotation_id IS DISTINCT FROM n.annotation_id AS annotations,
        coalesce(o.split <> n.split, false) AS split
    FROM o FULL JOIN n ON n.item_id = o.item_id
    WHERE o.id IS NULL OR n.id IS NULL
        OR (o.blob_id, o.annotation_id, o.split) IS DISTINCT FROM (n.blob_id, n.annotation_id, n.split)
)
"""
COUNTS = (
    DELTA.format(where="")
    + """
SELECT is_image, count(*) FILTER (WHERE begins), count(*) FILTER (WHERE ends), count(*) FILTER (WHERE content),
    count(*) FILTER (WHERE annotations), count(*) FILTER (WHERE split)
FROM delta GROUP BY is_image
"""  # nosec B608  # constants
)
# Images in which a class occurs, on both sides at once.
CLASSES = """
SELECT c.class_id,
    count(*) FILTER (WHERE from_revision <= %(low)s AND (to_revision IS NULL OR to_revision > %(low)s)),
    count(*) FILTER (WHERE from_revision <= %(high)s AND (to_revision IS NULL OR to_revision > %(high)s))
FROM datasets_entry CROSS JOIN LATERAL unnest(class_ids) AS c (class_id)
WHERE dataset_id = %(dataset)s AND is_image AND from_revision <= %(high)s
    AND (to_revision IS NULL OR to_revision > %(low)s)
GROUP BY c.class_id
"""
CONDITIONS = {
    "": "is_image",
    "added": "is_image AND {begins}",
    "removed": "is_image AND {ends}",
    "content": "is_image AND content",
    "annotations": "is_image AND annotations",
    "split": "is_image AND split",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """An image that differs: as it was before and after, None where it was not there, and what happened (`KINDS`)."""

    item_id: int
    before: Entry | None
    after: Entry | None
    kinds: list[str]

    @property
    def path(self) -> str:
        entry = self.after or self.before
        assert entry is not None
        return entry.item.path


@dataclass(frozen=True, slots=True)
class Page:
    """Differences in the order of their items; the cursors are items' ids, None at the ends."""

    rows: list[Difference]
    below: int | None = None
    above: int | None = None


@dataclass(frozen=True)
class Comparison:
    """Two versions of one dataset, side by side. Counts are read when they are asked for."""

    dataset: Dataset
    before: Version
    after: Version
    _values: dict[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        numbers = (self.before.no, self.after.no)
        values = {"dataset": self.dataset.pk, "low": min(numbers), "high": max(numbers)}
        object.__setattr__(self, "_values", values)

    @property
    def is_backward(self) -> bool:
        return self.before.no > self.after.no

    @cached_property
    def _counts(self) -> dict[bool, dict[str, int]]:
        found = {True: dict.fromkeys(KINDS, 0), False: dict.fromkeys(KINDS, 0)}
        for is_image, begins, ends, *rest in self._rows(COUNTS):
            added, removed = (ends, begins) if self.is_backward else (begins, ends)
            found[is_image] = dict(zip(KINDS, (added, removed, *rest), strict=True))
        return found

    @property
    def images(self) -> dict[str, int]:
        """How many images were added and removed, and how many changed in content, annotations, uploaded split."""
        return self._counts[True]

    @property
    def files(self) -> dict[str, int]:
        """The same of files that are no images: labels as they were uploaded, descriptions, texts."""
        return {name: self._counts[False][name] for name in ("added", "removed", "content")}

    @cached_property
    def classes(self) -> list[dict[str, Any]]:
        """In how many images a class occurred before and after: `{"name", "before", "after"}`, in the order of the
        newer class table. By name, for a number may mean another class in another revision."""
        before_names, after_names = (_names(version) for version in (self.before, self.after))
        before, after = Counter[str](), Counter[str]()
        for class_id, low, high in self._rows(CLASSES):
            older, newer = (high, low) if self.is_backward else (low, high)
            before[before_names.get(class_id, f"#{class_id}")] += older
            after[after_names.get(class_id, f"#{class_id}")] += newer
        names = dict.fromkeys([*after_names.values(), *before_names.values(), *before, *after])
        return [
            {"name": name, "before": before[name], "after": after[name]}
            for name in names
            if name in before_names.values() or name in after_names.values() or before[name] or after[name]
        ]

    @property
    def renumbered(self) -> list[dict[str, Any]]:
        """Numbers that mean another class than before: `{"id", "before", "after"}`."""
        before, after = _names(self.before), _names(self.after)
        return [
            {"id": number, "before": before[number], "after": after[number]}
            for number in sorted(before.keys() & after.keys())
            if before[number] != after[number]
        ]

    @property
    def redefined(self) -> list[str]:
        """Names of classes that are in both and have another colour, other keypoints, or other lines between them."""
        before, after = (_classes(version) for version in (self.before, self.after))
        return [name for name, found in after.items() if name in before and before[name] != found]

    def page(self, kind: str = "", *, after: int | None = None, before: int | None = None, size: int = 24) -> Page:
        """A page of images that differ, those of one kind or (with "") of every kind, behind or ahead of an item."""
        upward = before is not None
        where = "AND item_id < %(cursor)s" if upward else "AND item_id > %(cursor)s"
        condition = CONDITIONS[kind].format(**self._ends)
        order = "DESC" if upward else "ASC"
        select = (
            f"SELECT item_id, low_id, high_id, begins, ends, content, annotations, split FROM delta WHERE {condition}"  # nosec B608  # constants
        )
        statement = f"{DELTA.format(where=where)} {select} ORDER BY item_id {order} LIMIT %(size)s"
        cursor = before if upward else after or 0
        found = self._rows(statement, cursor=cursor, size=size + 1)
        shown = self._differences(found[:size][::-1] if upward else found[:size])
        more = len(found) > size
        if not shown:
            return Page([])
        first, last = shown[0].item_id, shown[-1].item_id
        if upward:
            return Page(shown, below=last, above=first if more else None)
        return Page(shown, below=last if more else None, above=first if after else None)

    @property
    def _ends(self) -> dict[str, str]:
        return {"begins": "ends", "ends": "begins"} if self.is_backward else {"begins": "begins", "ends": "ends"}

    def _differences(self, rows: list[Any]) -> list[Difference]:
        wanted = [pk for row in rows for pk in row[1:3] if pk is not None]
        entries = Entry.objects.select_related("item", "blob", "annotation").in_bulk(wanted)
        for entry in entries.values():
            entry.in_split = entry.split  # type: ignore[attr-defined]  # what lists of the head annotate
        found = []
        for item_id, low_id, high_id, begins, ends, *flags in rows:
            older, newer = (high_id, low_id) if self.is_backward else (low_id, high_id)
            added, removed = (ends, begins) if self.is_backward else (begins, ends)
            kinds = [kind for kind, is_so in zip(KINDS, (added, removed, *flags), strict=True) if is_so]
            found.append(Difference(item_id, entries.get(older), entries.get(newer), kinds))
        return found

    def _rows(self, statement: str, **values: Any) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(statement, {**self._values, **values})
            return cursor.fetchall()


def _classes(version: Version) -> dict[str, ClassInfo]:
    return {found["name"]: ClassInfo.of_row(found) for found in version.revision.classes}


def _names(version: Version) -> dict[int, str]:
    return {found["id"]: found["name"] for found in version.revision.classes}
