from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db.models import F, Func, Q, QuerySet

from apps.core.policy import PermittedQuerySet

if TYPE_CHECKING:
    from apps.datasets.models import Dataset, Entry, Export, IntegrityCheck, Item, ServerFolder, Snapshot, Upload  # noqa: F401


class DatasetQuerySet(PermittedQuerySet["Dataset"]):
    def search(self, text: str) -> Self:
        return self.filter(name__icontains=text) if text else self

    def tagged(self, tag: str) -> Self:
        return self.filter(tags__contains=[tag]) if tag else self

    def tag_names(self) -> list[str]:
        """The words that any of them has, in their order."""
        words = self.exclude(tags=[]).annotate(word=Func(F("tags"), function="unnest"))
        return sorted(words.order_by().values_list("word", flat=True).distinct())


class UploadQuerySet(PermittedQuerySet["Upload"]):
    pass


class ServerFolderQuerySet(PermittedQuerySet["ServerFolder"]):
    pass


class SnapshotQuerySet(PermittedQuerySet["Snapshot"]):
    pass


class IntegrityCheckQuerySet(PermittedQuerySet["IntegrityCheck"]):
    pass


class ExportQuerySet(PermittedQuerySet["Export"]):
    def overdue(self, now: datetime) -> Self:
        """Kept long enough."""
        return self.filter(state="ready", expires_at__lte=now)


class ItemQuerySet(PermittedQuerySet["Item"]):
    pass


class EntryQuerySet(QuerySet["Entry"]):
    def at(self, dataset_id: object, revision_no: int) -> Self:
        """What the dataset held at a revision."""
        rows = self.filter(dataset_id=dataset_id, from_revision__lte=revision_no)
        return rows.filter(Q(to_revision__isnull=True) | Q(to_revision__gt=revision_no))

    def head(self, dataset_id: object) -> Self:
        """What the dataset holds now; served by the partial indexes on open entries."""
        return self.filter(dataset_id=dataset_id, to_revision__isnull=True)

    def images(self) -> Self:
        return self.filter(is_image=True)
