"""Figures over all images of a version: computed by a worker with a handful of statements, whatever the size."""

from typing import Any

from django.db import connection

from apps.datasets.models import Entry, Split, VersionStatistics
from apps.datasets.selectors.splits import split_view, with_split
from apps.datasets.selectors.versions import Version

#: Cells of the grids of positions and of sizes of boxes, along each side.
CELLS = 24
#: From which longer side on, in pixels, a column of the sizes of pictures begins; the first begins at 1.
SIDES = (129, 257, 513, 641, 1025, 1921, 4097)
#: From how many objects on a column of the objects of an image begins; the first is for none.
OBJECTS = (1, 2, 3, 4, 5, 6, 11, 21, 51, 101)
#: Pairs of width and height that are listed, the most frequent ones.
PAIRS = 12

# `{entries}` are the version's images with their split.
CLASSES = """
SELECT c.in_split, c.class_id, count(*) FROM (
    SELECT e.in_split, unnest(e.class_ids) AS class_id FROM ({entries}) e
) c GROUP BY c.in_split, c.class_id
"""
COLUMNS = """
SELECT width_bucket({value}, %s::int[]), count(*) FROM ({entries}) e WHERE {condition} GROUP BY 1
"""
SIZES = """
SELECT e.width, e.height, count(*) FROM ({entries}) e GROUP BY e.width, e.height
ORDER BY count(*) DESC, e.width, e.height LIMIT %s
"""
# Each object once, for three tables of counts: by split and class, by where its middle lies, by how large it is. An object
# without a box, the class of a whole image, is in the first alone.
BOXES = """
SELECT grouping(o.class_id, o.x, o.w), o.in_split, o.class_id, o.x, o.y, o.w, o.h, count(*) FROM (
    SELECT e.in_split, b.class_id,
        CASE WHEN b.has_box THEN least(greatest(floor((b.l + b.w / 2) / e.width * {cells}), 0), {cells} - 1)::int END AS x,
        CASE WHEN b.has_box THEN least(greatest(floor((b.t + b.h / 2) / e.height * {cells}), 0), {cells} - 1)::int END AS y,
        CASE WHEN b.has_box THEN least(greatest(ceil(b.w / e.width * {cells}), 1), {cells})::int - 1 END AS w,
        CASE WHEN b.has_box THEN least(greatest(ceil(b.h / e.height * {cells}), 1), {cells})::int - 1 END AS h
    FROM ({entries}) e
    JOIN datasets_annotationdocument a ON a.id = e.annotation_id
    CROSS JOIN LATERAL (
        SELECT (object ->> 'class')::int AS class_id, object ? 'bbox' AS has_box, (object #>> '{{bbox,0}}')::float8 AS l,
            (object #>> '{{bbox,1}}')::float8 AS t, (object #>> '{{bbox,2}}')::float8 AS w,
            (object #>> '{{bbox,3}}')::float8 AS h
        FROM jsonb_array_elements(a.document -> 'objects') AS object
    ) b
) o GROUP BY GROUPING SETS ((o.in_split, o.class_id), (o.x, o.y), (o.w, o.h))
"""
BY_CLASS, BY_PLACE, BY_SIZE = 0b011, 0b101, 0b110


def statistics_of(version: Version) -> VersionStatistics | None:
    """The figures of a version, None until a worker has counted them."""
    rows = VersionStatistics.objects.filter(revision=version.revision, split_digest=version.plan.digest)
    return rows.select_related("revision").first()


def figures_of(version: Version) -> dict[str, Any]:
    """Everything that is shown of a version, counted now.

    `splits` as in `SplitView.counts`; `classes` with `images` and `objects` by split; `sides` and `objects` are columns
    (`SIDES`, `OBJECTS`; images that nobody has labelled are in none of the latter); `sizes` are [width, height, images];
    `places` and `extents` are grids, rows from the top (of places) or from the lowest (of extents).
    """
    entries = _Entries(version)
    images = entries.by_class(CLASSES)
    grids = {BY_PLACE: _grid(), BY_SIZE: _grid()}
    objects: dict[tuple[int, str], int] = {}
    for kind, split, class_id, x, y, width, height, count in entries.rows(BOXES, cells=CELLS):
        if kind == BY_CLASS:
            objects[class_id, split] = count
        elif (across := x if kind == BY_PLACE else width) is not None:
            grids[kind][y if kind == BY_PLACE else height][across] = count
    return {
        "splits": split_view(version.dataset, version.no, version.plan).counts,
        "classes": [
            {"id": row["id"], "name": row["name"], "images": _by_split(row["id"], images)}
            | {"objects": _by_split(row["id"], objects)}
            for row in version.revision.classes
        ],
        "sides": entries.columns("greatest(e.width, e.height)", SIDES),
        "objects": entries.columns("e.box_count", OBJECTS, "e.annotation_id IS NOT NULL"),
        "sizes": [list(row) for row in entries.rows(SIZES, PAIRS)],
        "places": grids[BY_PLACE],
        "extents": grids[BY_SIZE],
    }


class _Entries:
    """Statements over the images of a version."""

    def __init__(self, version: Version) -> None:
        # By number, the newest one too: the figures are kept, and another may be published while they are counted.
        rows = Entry.objects.at(version.dataset.pk, version.no)
        shown = with_split(rows.images(), version.plan).order_by()
        wanted = shown.values("in_split", "width", "height", "annotation_id", "class_ids", "box_count")
        self.sql, self.params = wanted.query.sql_with_params()

    def rows(self, statement: str, *params: Any, before: tuple[Any, ...] = (), **parts: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement.format(entries=self.sql, **parts), (*before, *self.params, *params))
            return list(cursor.fetchall())

    def by_class(self, statement: str) -> dict[tuple[int, str], int]:
        return {(class_id, split): count for split, class_id, count in self.rows(statement)}

    def columns(self, value: str, bounds: tuple[int, ...], condition: str = "true") -> list[int]:
        found = dict(self.rows(COLUMNS, before=(list(bounds),), value=value, condition=condition))
        return [found.get(place, 0) for place in range(len(bounds) + 1)]


def _grid() -> list[list[int]]:
    return [[0] * CELLS for _row in range(CELLS)]


def _by_split(class_id: int, counts: dict[tuple[int, str], int]) -> dict[str, int]:
    return {split: counts.get((class_id, split), 0) for split in (*Split.values, "")}
