"""Restoring a version: its content becomes the next revision, and nothing of the history is lost."""

from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from apps.core import auditing
from apps.core.errors import Conflict
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.datasets import actions
from apps.datasets.models import Dataset, Revision
from apps.datasets.selectors.versions import version_named
from apps.datasets.services import messages, statements
from apps.datasets.services.revisions import next_revision

# What the head holds and the version did not, or held otherwise.
CLOSE = """
UPDATE datasets_entry e SET to_revision = %(revision)s
WHERE e.dataset_id = %(dataset)s AND e.to_revision IS NULL AND e.from_revision > %(version)s AND NOT EXISTS (
    SELECT 1 FROM datasets_entry o
    WHERE o.item_id = e.item_id AND o.from_revision <= %(version)s AND o.to_revision > %(version)s
        AND (o.blob_id, o.annotation_id, o.split) IS NOT DISTINCT FROM (e.blob_id, e.annotation_id, e.split)
)
"""
# What the version held and the head, after the statement above, does not.
OPEN = """
INSERT INTO datasets_entry (dataset_id, item_id, from_revision, blob_id, is_image, width, height, annotation_id,
    class_ids, box_count, split, has_warnings)
SELECT o.dataset_id, o.item_id, %(revision)s, o.blob_id, o.is_image, o.width, o.height, o.annotation_id,
    o.class_ids, o.box_count, o.split, o.has_warnings
FROM datasets_entry o
WHERE o.dataset_id = %(dataset)s AND o.from_revision <= %(version)s AND o.to_revision > %(version)s AND NOT EXISTS (
    SELECT 1 FROM datasets_entry e WHERE e.item_id = o.item_id AND e.to_revision IS NULL
)
ORDER BY o.item_id
"""
# Of the items whose entry was closed now, those that got no new one.
REMOVED = """
SELECT count(*) FROM datasets_entry c
WHERE c.dataset_id = %(dataset)s AND c.to_revision = %(revision)s AND NOT EXISTS (
    SELECT 1 FROM datasets_entry e WHERE e.item_id = c.item_id AND e.from_revision = %(revision)s
)
"""


@operation("datasets.version_restore", permission="datasets.change_dataset", on="dataset")
def version_restore(*, actor: Actor, dataset: Dataset, version: str, note: str = "") -> Revision:
    """A new revision that holds what the version held: files, labels, uploaded splits, classes.

    Raises `Invalid` for a version that does not exist, `Conflict` when the dataset holds just that already.
    """
    dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
    found = version_named(dataset, version)
    moved = _moved(dataset, found.revision.no)
    head = Revision.objects.get(dataset=dataset, no=dataset.revision_no)
    if not moved.total and head.classes == found.revision.classes:
        raise Conflict(_("The dataset holds just this version already."), code="nothing_to_restore")
    revision = next_revision(actor, dataset, found.revision.classes, moved, note=note, restored_from=found.revision.no)
    after = {"added": moved.added, "changed": moved.changed, "removed": moved.removed}
    params = {"version": found.name, "revision": revision.no}
    auditing.record(actor, actions.VERSION_RESTORED, dataset, after=after, params=params)
    messages.send_on_commit("datasets.decode", dataset.pk)
    return revision


def _moved(dataset: Dataset, version_no: int) -> statements.Moved:
    """Writes the entries of the next revision; how many files differ from the head."""
    values: dict[str, Any] = {"dataset": dataset.pk, "version": version_no, "revision": dataset.revision_no + 1}
    with connection.cursor() as cursor:
        cursor.execute(CLOSE, values)
        closed = cursor.rowcount
        cursor.execute(OPEN, values)
        opened = cursor.rowcount
        cursor.execute(REMOVED, values)
        removed = int(cursor.fetchone()[0])
    changed = closed - removed
    return statements.Moved(opened - changed, changed, removed)
