"""What pictures of an upload have in common with what is stored, and which pictures of a dataset look alike.

Pictures are found by digest and by look (`apps.datasets.likeness`), a batch a query, inside one organization alone.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count

from apps.core.operations import ingest
from apps.datasets.analysis import Analysis
from apps.datasets.defects import WARNING, Defect, shown
from apps.datasets.folders import UploadFolder
from apps.datasets.likeness import TOLD, LookGroups, LookIndex
from apps.datasets.models import Dataset, Entry, Revision
from apps.datasets.selectors.images import waiting_images
from apps.datasets.selectors.splits import coming_split, split_in_force, with_split

BATCH = 5000
#: Up to so many pictures those like them are looked up by their cells; for more the dataset is read through once.
BY_CELLS = 500
#: Of one dataset that are compared with each other: a quarter of a gigabyte of memory.
MOST_COMPARED = 250_000
GROUPS, OF_A_GROUP = 100, 20


class Picture(NamedTuple):
    sha256: str
    split: str


class _Stored(NamedTuple):
    """A picture that the dataset has now, and its split in force."""

    item_id: int
    path: str
    split: str


@dataclass(slots=True)
class _Compared:
    """A look of the upload, and the blobs of the dataset that look like it."""

    blobs: list[int] = field(default_factory=list)


def warn_of_known(
    dataset: Dataset, analysis: Analysis, pictures: Mapping[str, Picture], looks: Mapping[str, bytes], warned: set[str]
) -> None:
    """Warns of pictures (by path) that the dataset has already under a path that stays, or one that looks like them."""
    if not dataset.image_count:
        return
    known = _Known(dataset, pictures)
    same = known.same()
    near = known.near({sha256: look for sha256, look in looks.items() if look})
    defects = []
    for path, picture in pictures.items():
        exact = same.get(picture.sha256)
        others = exact or near.get(picture.sha256)
        if not others:
            continue
        split = known.comes_into(path, picture)
        leak = next((other for other in others if split and other.split and other.split != split), None)
        defects.append(_defect(path, leak or others[0], leaks=leak is not None, exact=bool(exact)))
        analysis.known_leaks += leak is not None
    analysis.known_images += len(defects)
    analysis.warn(defects)
    warned.update(defect.path for defect in defects if defect.path is not None)


def _defect(path: str, other: _Stored, *, leaks: bool, exact: bool) -> Defect:
    params = {"other": shown(other.path), "item": other.item_id, "split": other.split}
    if exact:
        return Defect("set.known_leak" if leaks else "set.known_image", WARNING, path, None, params)
    return Defect("set.known_near_leak" if leaks else "set.known_near", WARNING, path, None, params)


def pictures_elsewhere(dataset: Dataset, digests: Sequence[str]) -> dict[str, int]:
    """Id → how many of the pictures each other dataset of the organization has now, whoever sees it."""
    found: Counter[str] = Counter()
    for batch in _batches(digests):
        rows = _stored(dataset, batch).filter(to_revision__isnull=True).exclude(dataset=dataset.pk)
        counts = rows.order_by().values_list("dataset_id").annotate(images=Count("blob_id", distinct=True))
        found.update({str(pk): images for pk, images in counts})
    return dict(found)


def write_looks(folder: UploadFolder, looks: Mapping[str, bytes]) -> None:
    with folder.looks.open("w", encoding="ascii") as target:
        target.writelines(f"{sha256} {look.hex()}\n" for sha256, look in looks.items())


def read_looks(folder: UploadFolder) -> dict[str, bytes]:
    """Digest → look, of those that the analysis has looked at."""
    if not folder.looks.is_file():
        return {}
    with folder.looks.open(encoding="ascii") as source:
        parts = (line.rstrip("\n").partition(" ") for line in source)
        return {sha256: bytes.fromhex(look) for sha256, _space, look in parts}


def compare_images(dataset_id: UUID | str) -> None:
    """Finds the pictures of the newest revision that look alike, once each revision. Idempotent."""
    revisions = Revision.objects.filter(dataset_id=dataset_id, alike__isnull=True).order_by("-no")
    dataset = Dataset.objects.filter(pk=dataset_id, revision_no__gt=0).first()
    revision = revisions.filter(no=dataset.revision_no).first() if dataset else None
    # While some are still to be decoded, whoever ends that compares.
    if dataset is None or revision is None or waiting_images(dataset.pk).exists():
        return
    groups, seen = LookGroups[int](), set()
    rows = Entry.objects.at(dataset.pk, revision.no).images().filter(blob__look_cell__isnull=False).order_by("item_id")
    for item_id, blob_id, look in rows.values_list("item_id", "blob_id", "blob__look")[:MOST_COMPARED].iterator():
        if blob_id not in seen:  # what is identical is told apart from this
            seen.add(blob_id)
            groups.put(item_id, "", bytes(look or b""))
    found = [group[:OF_A_GROUP] for group in islice(groups.groups, GROUPS)]
    images = sum(len(group) - 1 for group in groups.groups)
    _note_alike(revision_id=revision.pk, alike={"compared": len(seen), "images": images, "groups": found})


@ingest("datasets.revision_note_alike")
def _note_alike(*, revision_id: UUID, alike: dict[str, Any]) -> None:
    """The worker's answer. It belongs to the content, so the row counts as unchanged."""
    Revision.objects.filter(pk=revision_id).update(alike=alike)


def _batches(digests: Sequence[str]) -> Iterator[Sequence[str]]:
    return (digests[start : start + BATCH] for start in range(0, len(digests), BATCH))


def _stored(dataset: Dataset, digests: Sequence[str]) -> Any:
    """Entries with these contents, of any dataset of the organization."""
    rows = Entry.objects.images().filter(blob__organization=dataset.organization_id)
    return rows.filter(blob__sha256__in=digests)


class _Known:
    """What a dataset has of an upload's pictures, under paths that the upload does not take."""

    def __init__(self, dataset: Dataset, pictures: Mapping[str, Picture]) -> None:
        self.dataset = dataset
        self.pictures = pictures
        self.plan = split_in_force(dataset)
        self.names_splits = any(picture.split for picture in pictures.values())
        self.head = Entry.objects.head(dataset.pk).images().order_by()

    def comes_into(self, path: str, picture: Picture) -> str:
        return coming_split(self.plan, path, picture.split, names_splits=self.names_splits)

    def same(self) -> dict[str, list[_Stored]]:
        """Digest → where the very same lies."""
        found: dict[str, list[_Stored]] = defaultdict(list)
        for batch in _batches(list({picture.sha256 for picture in self.pictures.values()})):
            rows = self.head.filter(blob__organization=self.dataset.organization_id, blob__sha256__in=batch)
            self._collect(rows, "blob__sha256", found)
        return found

    def near(self, looks: Mapping[str, bytes]) -> dict[str, list[_Stored]]:
        """Digest → where those lie that look like it."""
        index: LookIndex[_Compared] = LookIndex()
        compared = {look: _Compared() for look in looks.values()}
        for look, value in compared.items():
            index.put(look, value)
        rows = self.head.filter(blob__look_cell__isnull=False)
        if len(compared) <= BY_CELLS:
            rows = rows.filter(blob__organization=self.dataset.organization_id, blob__look_cell__in=index.cells())
        found = rows.values_list("blob_id", "item__path", "blob__look")[:MOST_COMPARED]
        for blob_id, path, seen in found.iterator() if compared else ():
            if path in self.pictures:
                continue
            for value in islice(index.near(bytes(seen or b"")), TOLD):
                if len(value.blobs) < TOLD and blob_id not in value.blobs:
                    value.blobs.append(blob_id)
        places = self._places(sorted({pk for value in compared.values() for pk in value.blobs}))
        return {
            sha256: [place for pk in compared[look].blobs for place in places.get(pk, ())]
            for sha256, look in looks.items()
            if compared[look].blobs
        }

    def _places(self, blobs: list[int]) -> dict[int, list[_Stored]]:
        found: dict[int, list[_Stored]] = defaultdict(list)
        for start in range(0, len(blobs), BATCH):
            self._collect(self.head.filter(blob__in=blobs[start : start + BATCH]), "blob_id", found)
        return found

    def _collect(self, rows: Any, key: str, found: dict[Any, list[_Stored]]) -> None:
        """Adds the first entries of each key, whose paths the upload does not take."""
        fields = (key, "item_id", "item__path", "in_split")
        for name, item_id, path, split in with_split(rows, self.plan).values_list(*fields).iterator():
            if path not in self.pictures and len(found[name]) < TOLD:
                found[name].append(_Stored(item_id, path, split))
