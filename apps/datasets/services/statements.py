"""The SQL of a publication. It is written out because it must be set-based: a million entries are a few statements.

`incoming` fills a temporary table of the connection by COPY; `write_entries` turns it into rows, inside the caller's
transaction and under the dataset's lock.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

CREATE = """
CREATE TEMP TABLE datasets_incoming (
    path text COLLATE "C" PRIMARY KEY, bucket smallint NOT NULL, sha256 text NOT NULL, size bigint NOT NULL,
    media_type text NOT NULL, is_image boolean NOT NULL, width integer, height integer, split text NOT NULL,
    annotation text, document jsonb, class_ids smallint[] NOT NULL, box_count integer NOT NULL,
    has_warnings boolean NOT NULL, look bytea, look_cell integer, item_id bigint, blob_id bigint, annotation_id bigint
)
"""
COPY = """
COPY datasets_incoming (path, bucket, sha256, size, media_type, is_image, width, height, split, annotation, document,
    class_ids, box_count, has_warnings, look, look_cell) FROM STDIN
"""
# Digests in order: two publications of one organization take their locks in the same order and never deadlock.
BLOBS = """
INSERT INTO datasets_blob (organization_id, sha256, size, media_type, look, look_cell)
SELECT DISTINCT ON (sha256) %(organization)s, sha256, size, media_type, look, look_cell FROM datasets_incoming ORDER BY sha256
ON CONFLICT (organization_id, sha256) DO NOTHING
"""
ANNOTATIONS = """
INSERT INTO datasets_annotationdocument (organization_id, sha256, document, class_ids)
SELECT DISTINCT ON (annotation) %(organization)s, annotation, document, class_ids FROM datasets_incoming
WHERE annotation IS NOT NULL ORDER BY annotation
ON CONFLICT (organization_id, sha256) DO NOTHING
"""
# In path order, so that pages by item id are pages by path, upload by upload.
ITEMS = """
INSERT INTO datasets_item (dataset_id, path, bucket)
SELECT %(dataset)s, path, bucket FROM datasets_incoming ORDER BY path
ON CONFLICT (dataset_id, path) DO NOTHING
"""
KEYS = """
UPDATE datasets_incoming n SET item_id = i.id, blob_id = b.id, annotation_id = a.id
FROM datasets_incoming o
JOIN datasets_item i ON i.dataset_id = %(dataset)s AND i.path = o.path
JOIN datasets_blob b ON b.organization_id = %(organization)s AND b.sha256 = o.sha256
LEFT JOIN datasets_annotationdocument a ON a.organization_id = %(organization)s AND a.sha256 = o.annotation
WHERE o.path = n.path
"""
# An image that comes again without labels, or without a split, keeps those that it has.
KEEP_LABELS = """
UPDATE datasets_incoming n SET annotation_id = e.annotation_id, class_ids = e.class_ids, box_count = e.box_count
FROM datasets_entry e
WHERE e.item_id = n.item_id AND e.to_revision IS NULL AND e.blob_id = n.blob_id AND n.annotation_id IS NULL
"""
KEEP_SPLITS = """
UPDATE datasets_incoming n SET split = e.split
FROM datasets_entry e WHERE e.item_id = n.item_id AND e.to_revision IS NULL AND n.split = '' AND e.split <> ''
"""
CLOSE_CHANGED = """
UPDATE datasets_entry e SET to_revision = %(revision)s
FROM datasets_incoming n
WHERE e.item_id = n.item_id AND e.to_revision IS NULL
    AND (e.blob_id, e.annotation_id, e.split) IS DISTINCT FROM (n.blob_id, n.annotation_id, n.split)
"""
CLOSE_MISSING = """
UPDATE datasets_entry e SET to_revision = %(revision)s
WHERE e.dataset_id = %(dataset)s AND e.to_revision IS NULL
    AND NOT EXISTS (SELECT 1 FROM datasets_incoming n WHERE n.item_id = e.item_id)
"""
OPEN = """
INSERT INTO datasets_entry (dataset_id, item_id, from_revision, blob_id, is_image, width, height, annotation_id,
    class_ids, box_count, split, has_warnings)
SELECT %(dataset)s, n.item_id, %(revision)s, n.blob_id, n.is_image, n.width, n.height, n.annotation_id,
    n.class_ids, n.box_count, n.split, n.has_warnings
FROM datasets_incoming n
WHERE NOT EXISTS (SELECT 1 FROM datasets_entry e WHERE e.item_id = n.item_id AND e.to_revision IS NULL)
ORDER BY n.path
"""
TOTALS = """
SELECT count(*) FILTER (WHERE e.is_image), count(e.annotation_id), coalesce(sum(e.box_count), 0), count(*),
    coalesce(sum(b.size), 0)
FROM datasets_entry e JOIN datasets_blob b ON b.id = e.blob_id
WHERE e.dataset_id = %(dataset)s AND e.to_revision IS NULL
"""


class Row(NamedTuple):
    """One file of an upload, in the order of `COPY`."""

    path: str
    bucket: int
    sha256: str
    size: int
    media_type: str
    is_image: bool
    width: int | None
    height: int | None
    split: str
    annotation: str | None
    document: str | None
    class_ids: list[int]
    box_count: int
    has_warnings: bool = False
    look: bytes | None = None
    look_cell: int | None = None


class Moved(NamedTuple):
    """How many files a publication changed."""

    added: int
    changed: int
    removed: int

    @property
    def total(self) -> int:
        return sum(self)


@contextmanager
def incoming(rows: Iterable[Row]) -> Iterator[None]:
    """The rows in the connection's temporary table, which is gone afterwards."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS datasets_incoming")
        cursor.execute(CREATE)
        with cursor.copy(COPY) as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute("ANALYZE datasets_incoming")
    try:
        yield
    finally:
        if connection.connection is not None and not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("DROP TABLE IF EXISTS datasets_incoming")


def write_entries(organization_id: UUID, dataset_id: UUID, revision_no: int, *, keep: bool) -> Moved:
    """Closes the entries that change, opens those of the revision. `keep`: what the upload does not name stays."""
    values: dict[str, Any] = {"organization": organization_id, "dataset": dataset_id, "revision": revision_no}
    with connection.cursor() as cursor:
        for statement in (BLOBS, ANNOTATIONS, ITEMS, KEYS, *((KEEP_LABELS, KEEP_SPLITS) if keep else ())):
            cursor.execute(statement, values)
        changed = _count(cursor, CLOSE_CHANGED, values)
        removed = 0 if keep else _count(cursor, CLOSE_MISSING, values)
        opened = _count(cursor, OPEN, values)
    return Moved(opened - changed, changed, removed)


def totals(dataset_id: UUID) -> dict[str, int]:
    """What the dataset holds now."""
    with connection.cursor() as cursor:
        cursor.execute(TOTALS, {"dataset": dataset_id})
        row = cursor.fetchone()
    return {
        name: int(value) for name, value in zip(("images", "labelled", "boxes", "files", "bytes"), row, strict=True)
    }


def _count(cursor: Any, statement: str, values: dict[str, Any]) -> int:
    cursor.execute(statement, values)
    return int(cursor.rowcount)
