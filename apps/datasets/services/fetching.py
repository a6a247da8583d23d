"""Bringing the files of a source into the folder of an upload: side by side, bounded, and gone on with after a break."""

import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.core.operations import ingest
from apps.core.outbound import OutboundError
from apps.datasets.archives import PathRules
from apps.datasets.defects import BadInput
from apps.datasets.folders import UploadFolder
from apps.datasets.models import Upload, UploadState
from apps.datasets.services.room import LIMITS, TOO_BIG, Room, room_of
from apps.datasets.sources import Found, Source, SourceError

PAUSE_SECONDS = 0.5
#: How often quota, disk and permissions are looked at again.
LOOK_SECONDS = 5.0
LONGEST = timedelta(hours=24)


class Stopped(Exception):
    """The upload takes no files any more: it was given up."""


def _refusal(room: Room) -> Exception:
    return BadInput(room.code, **room.params) if room.code == TOO_BIG else SourceError(room.code, **room.params)


def fetch_files(upload: Upload, source: Source, *, check: Callable[[], None]) -> tuple[int, int]:
    """Fetches every file of the source into `files/`; returns their number and bytes.

    Raises why not: `SourceError`, `BadInput`, errors of the way out, `OSError`; `Stopped` when the upload was given up,
    and what `check` raises, which is asked now and then.
    """
    folder = UploadFolder(upload.pk)
    for path in (folder.incoming, folder.files):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    room = room_of(upload, here=_bytes_below(folder))

    def look(listed: int) -> None:
        check()
        if not _note_fetching(upload_id=upload.pk, progress={"done": 0, "total": listed, "bytes": 0}):
            raise Stopped

    wanted = _accepted(source, room, look)
    journal = _Journal(folder, wanted)
    fetch = _Fetch(upload, source, folder, journal, room, check)
    fetch.run([found for found in wanted if not journal.has(found)])
    shutil.rmtree(folder.incoming)
    return len(wanted), fetch.size


def _bytes_below(folder: UploadFolder) -> int:
    """What lies in the folder already."""
    return sum(
        os.stat(os.path.join(parent, name)).st_size
        for root in (folder.files, folder.incoming)
        for parent, _folders, names in os.walk(root)
        for name in names
    )


def _accepted(source: Source, room: Room, look: Callable[[int], None]) -> list[Found]:
    """The files under the paths that they get, without what systems leave behind; too many or too much is refused, also
    of what is left out: a list costs its reading. `look` is told now and then how long the list is."""
    rules = PathRules(LIMITS)
    wanted: list[Found] = []
    total = 0
    next_look = time.monotonic() + LOOK_SECONDS
    for number, found in enumerate(source.found(), 1):
        if number > LIMITS.members:
            raise BadInput("archive.too_many_members", members=number, limit=LIMITS.members)
        if time.monotonic() >= next_look:
            next_look = time.monotonic() + LOOK_SECONDS
            look(number)
        path = rules.accept_file(found.path)
        if path is None:
            continue
        wanted.append(Found(path, found.size, found.mark, found.at))
        total += found.size or 0
        if total > room.size:
            raise _refusal(room)
    if not wanted:
        raise SourceError("source_empty")
    if len(wanted) > 1:
        for found in wanted:
            if (found.size or 0) > LIMITS.member_bytes:
                raise BadInput("archive.member_too_big", found.path, limit=LIMITS.member_bytes)
    return wanted


class _Journal:
    """Remembers which files are there, and of what version; what the source does not have any more is removed."""

    def __init__(self, folder: UploadFolder, wanted: list[Found]) -> None:
        self.folder = folder
        marks = {found.path: found.mark for found in wanted}
        self.known: dict[str, str] = {}
        if folder.fetched.is_file():
            for line in folder.fetched.read_text(encoding="utf-8").splitlines():
                try:
                    path, mark = json.loads(line)
                except ValueError:  # a worker died while it wrote the line
                    continue
                self.known[path] = mark
        for path in [path for path, mark in self.known.items() if marks.get(path) != mark]:
            del self.known[path]
        for parent, _folders, names in os.walk(folder.files):
            for name in names:
                file = Path(parent, name)
                if file.relative_to(folder.files).as_posix() not in self.known:
                    file.unlink()
        self.known = {path: mark for path, mark in self.known.items() if (folder.files / path).is_file()}
        self.size = sum((folder.files / path).stat().st_size for path in self.known)
        lines = [f"{json.dumps(row)}\n" for row in self.known.items()]
        folder.fetched.write_text("".join(lines), encoding="utf-8")

    def has(self, found: Found) -> bool:
        return found.path in self.known

    def add(self, found: Found) -> None:
        with self.folder.fetched.open("a", encoding="utf-8") as target:
            target.write(f"{json.dumps([found.path, found.mark])}\n")
        self.known[found.path] = found.mark


class _Fetch:
    """One worker's run. The threads bring files; the database is asked by the caller's thread alone."""

    def __init__(
        self,
        upload: Upload,
        source: Source,
        folder: UploadFolder,
        journal: _Journal,
        room: Room,
        check: Callable[[], None],
    ) -> None:
        self.upload, self.source, self.folder = upload, source, folder
        self.journal, self.room, self.check = journal, room, check
        self.size = journal.size
        self._lock = threading.Lock()
        self._arriving: dict[str, int] = {}
        self._stopped = threading.Event()
        self._next_note = time.monotonic()
        self._next_look = time.monotonic() + LOOK_SECONDS

    def run(self, wanted: list[Found]) -> None:
        self.total = len(wanted) + len(self.journal.known)
        left = iter(wanted)
        with ThreadPoolExecutor(self.source.at_once) as threads:
            pending: dict[Future[int], Found] = {}
            try:
                while True:
                    # No more than what is under way waits: a set may have 250,000 files.
                    while len(pending) < 2 * self.source.at_once and (found := next(left, None)) is not None:
                        pending[threads.submit(self._bring, found)] = found
                    if not pending:
                        break
                    done, _waiting = wait(pending, timeout=PAUSE_SECONDS, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
                        self.journal.add(pending.pop(future))
                    self._look()
            finally:
                self._stopped.set()
        self._note()

    def _bring(self, found: Found) -> int:
        """In a thread: the file to its place."""
        temporary = self.folder.incoming / hashlib.sha256(f"{found.mark}/{found.path}".encode()).hexdigest()[:32]
        most = LIMITS.total_bytes if found.size is None else found.size
        try:
            size = self.source.fetch(
                found, temporary, most_bytes=min(most, self.room.size), on_bytes=lambda size: self._count(found, size)
            )
        except OutboundError as error:
            if error.code == "too_large":
                raise (_refusal(self.room) if found.size is None else _changed(found)) from error
            raise
        if found.size is not None and size != found.size:
            raise _changed(found)
        target = self.folder.files / found.path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.replace(temporary, target)
        with self._lock:
            self._arriving.pop(found.path, None)
            self.size += size
        return size

    def _count(self, found: Found, size: int) -> None:
        if self._stopped.is_set():
            raise Stopped
        with self._lock:
            self._arriving[found.path] = size

    def _look(self) -> None:
        """Says how far it is, and ends what may not go on."""
        now = time.monotonic()
        if now >= self._next_note:
            self._next_note = now + PAUSE_SECONDS
            self._note()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        self.check()
        if timezone.now() - self.upload.created_at > LONGEST:
            raise SourceError("import_too_long", hours=LONGEST // timedelta(hours=1))
        self.room = room_of(self.upload, here=self._bytes)
        if self._bytes > self.room.size:
            raise _refusal(self.room)

    @property
    def _bytes(self) -> int:
        with self._lock:
            return self.size + sum(self._arriving.values())

    def _note(self) -> None:
        progress = {"done": len(self.journal.known), "total": self.total, "bytes": self._bytes}
        if not _note_fetching(upload_id=self.upload.pk, progress=progress):
            raise Stopped


def _changed(found: Found) -> SourceError:
    return SourceError("source_changed", path=found.path)


@ingest("datasets.upload_note_fetching")
def _note_fetching(*, upload_id: UUID, progress: dict[str, Any]) -> bool:
    """Writes how far the worker is; False when the upload was given up."""
    rows = Upload.objects.filter(pk=upload_id, state=UploadState.FETCHING)
    return bool(rows.update(progress=progress, updated_at=timezone.now()))
