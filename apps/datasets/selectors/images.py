"""Pictures of a dataset: pages of them, one with its labels, their bytes, and small copies."""

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.cache import cache
from django.db.models import Count, F, Func, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core.connections import release_connection
from apps.core.errors import Conflict, Invalid, NotFound, Unavailable
from apps.core.storage import ObjectNotFound, storage
from apps.core.storage.keys import blob_key
from apps.datasets.defects import BadInput, describe
from apps.datasets.folders import UploadFolder
from apps.datasets.images.thumbnail_process import TurnMissed, bounded_thumbnail
from apps.datasets.models import Blob, Dataset, Entry, ImageTag, Revision, TaggedImage, Upload
from apps.datasets.selectors.filtering import ImageFilter, narrowed
from apps.datasets.selectors.splits import split_in_force, with_split_by_page

if TYPE_CHECKING:
    from apps.datasets.selectors.splits import SplitEntry

THUMBNAIL_SIZES = (128, 256, 512)
PREVIEW_SIZE = 256
#: Findings about two pictures, `path` and `other` of the same set, or with `item` the other in the dataset.
PAIRS = frozenset(
    {
        "set.duplicate_image",
        "set.leak",
        "set.near_duplicate",
        "set.near_leak",
        "set.known_image",
        "set.known_leak",
        "set.known_near",
        "set.known_near_leak",
    }
)
#: How long it is remembered that a picture cannot be decoded.
REFUSED_SECONDS = 3600
#: Of blobs: nobody has tried to decode it, or looked at it.
UNTRIED = Q(is_sound__isnull=True) | Q(is_sound=True, look__isnull=True)


def images_of(dataset: Dataset, wanted: ImageFilter | None = None) -> "QuerySet[SplitEntry]":
    """The images that the dataset holds now, with `in_split` of the plan in force, ordered by item: pages by key."""
    plan = split_in_force(dataset)
    rows = with_split_by_page(Entry.objects.head(dataset.pk).images(), plan)
    rows = narrowed(rows, dataset, plan, wanted or ImageFilter())
    # Of the page alone: joined, they would be read from the first item on.
    return rows.prefetch_related("item", "blob", "annotation").order_by("item_id")


def waiting_images(dataset_id: UUID) -> QuerySet[Blob]:
    """The pictures that the dataset holds now and that are still to be decoded."""
    blobs = Entry.objects.head(dataset_id).images().values("blob_id")
    return Blob.objects.filter(UNTRIED, pk__in=blobs).order_by("pk")


def counted(rows: QuerySet[Entry], most: int) -> int:
    """How many they are; `most` + 1 where they are more than that."""
    return rows.order_by()[: most + 1].count()


def tags_of(dataset: Dataset) -> list[str]:
    """The words that images of the dataset have."""
    return list(ImageTag.objects.filter(dataset=dataset).order_by("name").values_list("name", flat=True))


def tags_on(item_ids: Sequence[int]) -> dict[int, list[str]]:
    """Item → its tags; one query."""
    found: dict[int, list[str]] = {}
    rows = TaggedImage.objects.filter(item_id__in=item_ids).order_by("tag__name")
    for item_id, name in rows.values_list("item_id", "tag__name"):
        found.setdefault(item_id, []).append(name)
    return found


def uploaders_of(dataset: Dataset) -> list[tuple[UUID, str]]:
    """Who published revisions of it."""
    people = Revision.objects.filter(dataset=dataset, created_by__isnull=False).order_by().values("created_by")
    return sorted(
        ((person.pk, str(person)) for person in User.objects.filter(pk__in=people)), key=lambda pair: pair[1]
    )


def image_of(dataset: Dataset, item_id: int) -> Entry:
    """The image at an item of the dataset now. Raises `NotFound`."""
    rows = images_of(dataset)
    try:
        return rows.get(item_id=item_id)
    except (Entry.DoesNotExist, ValueError, OverflowError) as error:
        raise NotFound() from error


def neighbours_of(rows: QuerySet[Entry], item_id: int) -> tuple[int | None, int | None]:
    """The items before and after this one among the rows of `images_of`, which need not hold it; None at an end."""
    keys = rows.prefetch_related(None).values_list("item_id", flat=True)
    before = keys.filter(item_id__lt=item_id).order_by("-item_id").first()
    return before, keys.filter(item_id__gt=item_id).order_by("item_id").first()


def class_counts(dataset: Dataset) -> dict[int, int]:
    """How many images each class occurs in now."""
    rows = Entry.objects.head(dataset.pk).images().annotate(class_id=Func(F("class_ids"), function="unnest"))
    return dict(rows.values_list("class_id").annotate(Count("pk")).order_by())


def classes_of(dataset: Dataset) -> list[dict[str, Any]]:
    """The class table of the newest revision, `{"id", "name", "images"}` each; [] before the first."""
    rows = class_rows(dataset)
    counts = class_counts(dataset) if rows else {}
    return [{**found, "images": counts.get(found["id"], 0)} for found in rows]


def class_rows(dataset: Dataset) -> list[dict[str, Any]]:
    """The same without counting."""
    revision = head_of(dataset)
    return revision.classes if revision else []


def head_of(dataset: Dataset) -> Revision | None:
    """The newest revision, None before the first."""
    return Revision.objects.filter(dataset=dataset, no=dataset.revision_no).first()


def preview_of(upload: Upload, path: str) -> tuple[str, bytes]:
    """Tag and small copy of a picture of the upload's report: one of its preview, or of two that are the same or look
    so. Raises `NotFound` for any other path."""
    known = {found["path"]: found["sha256"] for found in upload.analysis.get("preview", ())}
    source = UploadFolder(upload.pk).analysed / path
    if path not in known and path not in _paired(upload) or not source.is_file():
        raise NotFound()
    try:
        # What is analysed again may be another file; its folder is written anew then.
        return known.get(path) or str(source.stat().st_mtime_ns), _small(source, PREVIEW_SIZE)
    except BadInput as refused:
        raise _undecodable(refused) from refused


def _paired(upload: Upload) -> set[str]:
    """The upload's own pictures that findings name beside another one."""
    found = [defect for defect in upload.analysis.get("defects", ()) if defect["code"] in PAIRS]
    ours = {defect["params"]["other"] for defect in found if "item" not in defect["params"]}
    return ours | {defect["path"] for defect in found}


def open_blob(blob: Blob) -> Iterator[bytes]:
    """The bytes as they were uploaded. Raises `Conflict` for a file in quarantine, `NotFound` when the store has lost
    it and no check has found out yet."""
    require_whole(blob)
    try:
        return storage().open(blob_key(blob.organization_id, blob.sha256))
    except ObjectNotFound as error:
        raise NotFound(code="blob_missing") from error


def require_whole(blob: Blob) -> None:
    """Raises `Conflict` for a file in quarantine."""
    if blob.damage:
        raise Conflict(
            _("The file is damaged or missing in the store."),
            code="file_damaged",
            hint=_("Upload the same content again; it takes the place of the damaged one."),
            params={"damage": blob.damage},
        )


def thumbnail_address(dataset_id: Any, item_id: int, sha256: str, size: int = 256) -> str:
    """Address of a small copy that a browser may keep for ever."""
    return f"/api/v1/datasets/{dataset_id}/images/{item_id}/thumbnail?size={size}&v={sha256[:16]}"


def content_address(dataset_id: Any, item_id: int, sha256: str) -> str:
    """Address of an original that a browser may keep for ever."""
    return f"/api/v1/datasets/{dataset_id}/images/{item_id}/content?v={sha256[:16]}"


def covers_of(datasets: Sequence[Dataset]) -> dict[Any, str]:
    """Dataset id → address of a small copy of its first image that is not in quarantine, for those that have one; one
    query."""
    rows_of = Entry.objects.images().filter(dataset_id=OuterRef("pk"), to_revision__isnull=True)
    first = rows_of.filter(blob__damage="").order_by("item_id")
    rows = Dataset.objects.filter(pk__in=[dataset.pk for dataset in datasets])
    found = rows.annotate(
        cover=Subquery(first.values("item_id")[:1]), digest=Subquery(first.values("blob__sha256")[:1])
    )
    return {
        dataset_id: thumbnail_address(dataset_id, item_id, digest, 128)
        for dataset_id, item_id, digest in found.values_list("pk", "cover", "digest")
        if item_id is not None
    }


def thumbnail_key(blob: Blob, size: int) -> str:
    """Where the small copy of a picture lies: derived, so it can be made again."""
    return f"derived/{blob.organization_id}/{blob.sha256[:2]}/{blob.sha256}/{size}.webp"


def thumbnail_of(blob: Blob, size: int) -> bytes:
    """A WebP copy without metadata that fits in `size` × `size`: made when the picture was decoded in the background, else
    on first need, and kept.

    `size` is one of `THUMBNAIL_SIZES`. Raises `Invalid` for a picture that cannot be decoded.
    """
    key = thumbnail_key(blob, size)
    try:
        return storage().read(key)
    except ObjectNotFound:
        pass
    # A picture that takes a minute to be refused is not tried for everybody who opens the page.
    refused = f"thumbnail-refused:{blob.organization_id}:{blob.sha256}"
    if (known := cache.get(refused)) is not None:
        code, params = known
        raise _undecodable(BadInput(code, **params))
    source: Any = storage().local_path(blob_key(blob.organization_id, blob.sha256))
    if source is None or blob.damage or not source.is_file():
        source = b"".join(open_blob(blob))
    try:
        made = _small(source, size)
    except BadInput as error:
        cache.set(refused, (error.code, error.defect.params), REFUSED_SECONDS)
        raise _undecodable(error) from error
    storage().put(key, io.BytesIO(made))
    return made


def _small(source: Any, size: int) -> bytes:
    # Who waits for others, or for another process, keeps no connection of the database from anybody.
    release_connection()
    try:
        return bounded_thumbnail(source, size)
    except TurnMissed as error:
        raise Unavailable(_("Other large pictures are being read just now. Try again soon.")) from error


def _undecodable(refused: BadInput) -> Invalid:
    sentence, hint = describe(refused.defect)
    return Invalid(sentence, code=refused.code, hint=hint)
