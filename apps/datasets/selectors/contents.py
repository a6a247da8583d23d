"""What a version holds, file by file: rows in path order, bytes that are checked on their way out."""

import datetime
import hashlib
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from django.db.models import Count, Func, IntegerField, Q, Sum

from apps.core.connections import release_connection
from apps.core.errors import NotFound
from apps.core.storage import ObjectNotFound, storage
from apps.core.storage.keys import blob_key
from apps.datasets.archives.zip_writer import Content, Layout, Member, zip_chunks
from apps.datasets.models import Blob, Entry, Item
from apps.datasets.selectors.versions import Version

PAGE = 2000
FACTS = ("blob__sha256", "blob__size", "blob__damage")
#: Files up to this size are read whole, and from a distant store several at a time.
WHOLE_BYTES = 1 << 20
AT_ONCE, AHEAD = 8, 16


class Damaged(Exception):
    """What the store gave is not what came in."""

    def __init__(self, member: Member) -> None:
        super().__init__(member.name)
        self.path, self.sha256 = member.name, member.key


class File(NamedTuple):
    """`damage`: it is in quarantine, for this reason."""

    path: str
    sha256: str
    size: int
    damage: str


@dataclass(frozen=True, slots=True)
class Totals:
    """Of the files that can be sent; `left_out` are the digests of those in quarantine, `damaged` how many files."""

    files: int
    names: int
    bytes: int
    damaged: int = 0
    left_out: frozenset[str] = frozenset()

    @property
    def layout(self) -> Layout:
        return Layout(self.files, self.names, self.bytes)


def totals_of(version: Version) -> Totals:
    """How many files, bytes of names and bytes of content a version holds."""
    damaged = Blob.objects.filter(organization=version.dataset.organization_id).exclude(damage="")
    left_out = frozenset(damaged.values_list("sha256", flat=True))
    length = Func("item__path", function="octet_length", output_field=IntegerField())
    whole = ~Q(blob__sha256__in=left_out)
    found = Entry.objects.at(version.dataset.pk, version.no).aggregate(
        files=Count("pk", filter=whole),
        names=Sum(length, filter=whole, default=0),
        bytes=Sum("blob__size", filter=whole, default=0),
        whole=Count("pk"),
    )
    damage = found.pop("whole") - found["files"]
    return Totals(**found, damaged=damage, left_out=left_out)


def files_of(version: Version, *, release: bool = True, only: Collection[int] | None = None) -> Iterator[File]:
    """Every file of a version in path order, or those of these items `only`, page by page: no connection is held while a
    slow reader reads, unless `release` is off, for who holds a lock of the connection."""
    dataset_id, last = version.dataset.pk, ""
    wanted = Q() if only is None else Q(pk__in=only)
    while True:
        items = Item.objects.filter(wanted, dataset_id=dataset_id, path__gt=last).order_by("path")[:PAGE]
        paths = dict(items.values_list("pk", "path"))
        rows = Entry.objects.at(dataset_id, version.no).filter(item__in=list(paths))
        found = {pk: fact for pk, *fact in rows.values_list("item_id", *FACTS)}
        if release:
            release_connection()
        for pk, path in paths.items():
            if pk in found:
                yield File(path, *found[pk])
        if len(paths) < PAGE:
            return
        last = path


def file_at(version: Version, path: str) -> File:
    """The file at a path. Raises `NotFound`."""
    rows = Entry.objects.at(version.dataset.pk, version.no).filter(item__path=path) if "\0" not in path else None
    found = rows.values_list("item__path", *FACTS).first() if rows is not None else None
    if found is None:
        raise NotFound()
    return File(*found)


def manifest_of(version: Version) -> Iterator[bytes]:
    """Digest and path of every file, a line each, as `sha256sum --check` reads them; many lines at a time, since sending
    one costs more than making it."""
    files = files_of(version)
    while page := list(islice(files, PAGE)):
        yield "".join(f"{file.sha256}  {file.path}\n" for file in page).encode()


def checked_file(version: Version, file: File) -> Iterable[bytes]:
    """The bytes of a single file. Raises `Damaged` before the first when they are not what came in."""
    return checked(version.dataset.organization_id, Member(file.path, file.size, file.sha256))[1]


def archive_of(version: Version, totals: Totals) -> Iterator[bytes]:
    """The files of a version as a ZIP, byte for byte as they came in, without those left out. Raises `Damaged` rather
    than send other bytes."""
    organization_id = version.dataset.organization_id

    def members() -> Iterator[Member]:
        files = (file for file in files_of(version) if file.sha256 not in totals.left_out)
        return (Member(file.path, file.size, file.sha256) for file in files)

    def content(member: Member) -> tuple[int, Iterable[bytes]]:
        return checked(organization_id, member)

    yield from zipped(totals.layout, members, content, version.revision.created_at)


def zipped(
    layout: Layout, members: Callable[[], Iterable[Member]], content: Content, made: datetime.datetime
) -> Iterator[bytes]:
    """The archive of the members (`zip_chunks`); from a distant store small ones are read ahead, several at a time."""
    with ThreadPoolExecutor(AT_ONCE) as readers:
        opened: dict[Member, tuple[int, Iterable[bytes]]] = {}

        def prepare(member: Member) -> None:
            opened[member] = content(member)

        def taken(member: Member) -> tuple[int, Iterable[bytes]]:
            return opened.pop(member, None) or content(member)

        near = storage().local_path("") is not None
        turns = iter((members() if near else _ahead(readers, members(), prepare), members()))
        yield from zip_chunks(layout, lambda: next(turns), taken, made)


def checked(organization_id: UUID, member: Member) -> tuple[int, Iterable[bytes]]:
    """Check sum and bytes of a member. Small ones are read once; large ones are read through before the first byte is
    given out. Raises `Damaged`."""
    key = blob_key(organization_id, member.key)
    if member.size <= WHOLE_BYTES:
        whole = b"".join(_read(key, member))
        if hashlib.sha256(whole).hexdigest() != member.key:
            raise Damaged(member)
        return zlib.crc32(whole), (whole,)
    digest, check = hashlib.sha256(), 0
    for chunk in _read(key, member):
        digest.update(chunk)
        check = zlib.crc32(chunk, check)
    if digest.hexdigest() != member.key:
        raise Damaged(member)
    return check, _read(key, member)


def _read(key: str, member: Member) -> Iterator[bytes]:
    try:
        yield from storage().open(key, length=member.size + 1)
    except ObjectNotFound as error:
        raise Damaged(member) from error


def _ahead(
    readers: ThreadPoolExecutor, members: Iterable[Member], prepare: Callable[[Member], None]
) -> Iterator[Member]:
    """The members, small ones prepared by other threads while those before them are sent; few at a time."""
    waiting: deque[tuple[Member, Future[None] | None]] = deque()
    for member in members:
        small = member.size <= WHOLE_BYTES
        waiting.append((member, readers.submit(prepare, member) if small else None))
        if len(waiting) > AHEAD:
            yield _arrived(*waiting.popleft())
    while waiting:
        yield _arrived(*waiting.popleft())


def _arrived(member: Member, reading: Future[None] | None) -> Member:
    if reading is not None:
        reading.result()
    return member
