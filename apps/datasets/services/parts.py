"""A large file in parts: each is sent by itself with its digest, refused when a byte is wrong, and sent again alone.

All parts hold `PART_BYTES`, the last one what is left. They are written where they belong in one file, so nothing is
copied when they are joined; beside it a mark for each part that has arrived holds its digest, and one file the path.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.utils.translation import gettext as _
from modelyard_trainer.files import sha256_of

from apps.core import policy
from apps.core.errors import Conflict, Invalid, TooLarge
from apps.core.identity import Actor
from apps.datasets.archives.limits import MEBIBYTE
from apps.datasets.defects import BadInput
from apps.datasets.folders import UploadFolder
from apps.datasets.models import Upload, UploadSource
from apps.datasets.services.locks import path_lock
from apps.datasets.services.refusals import domain_errors
from apps.datasets.services.room import LIMITS
from apps.datasets.services.uploads import (
    CHUNK,
    ReceivedFile,
    check_digest,
    check_receiving,
    clean_path,
    count_in,
    incomplete,
    require_through_portal,
    room_now,
    upload_count,
    wrong_state,
)

PART_BYTES = 4 * MEBIBYTE
MOST_BYTES = LIMITS.member_bytes
MOST_PARTS = MOST_BYTES // PART_BYTES
#: Named in the refusal to join what is not all there.
NAMED = 100
#: Beside the content and the marks: the path of the file.
PATH = "path"


@dataclass(frozen=True, slots=True)
class Part:
    """A part that has arrived whole. `number` counts from 1."""

    number: int
    sha256: str


class _Parts:
    """The parts of one file of an upload: `content`, and a mark for each that is in it."""

    def __init__(self, upload: Upload, path: str) -> None:
        self.path = path
        self.folder = UploadFolder(upload.pk).parts / hashlib.sha256(path.encode()).hexdigest()
        self.content = self.folder / "content"

    def marks(self) -> dict[int, str]:
        """Number → digest, in order."""
        if not self.folder.is_dir():
            return {}
        names = sorted(int(mark.name) for mark in self.folder.iterdir() if mark.name.isdigit())
        found = {}
        for number in names:
            # One that is being sent again has no mark meanwhile.
            with suppress(FileNotFoundError):
                found[number] = (self.folder / str(number)).read_text(encoding="ascii")
        return found

    def write(self, number: int, body: bytes, sha256: str) -> None:
        """The mark comes last: a part without one counts as not sent."""
        (self.folder / PATH).write_text(self.path, encoding="utf-8")
        mark = self.folder / str(number)
        mark.unlink(missing_ok=True)
        descriptor = os.open(self.content, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.seek((number - 1) * PART_BYTES)
            file.write(body)
        temporary = self.folder / f"{number}.mark"
        temporary.write_text(sha256, encoding="ascii")
        os.replace(temporary, mark)

    def forget(self, number: int) -> None:
        """The part is to be sent again."""
        (self.folder / str(number)).unlink(missing_ok=True)

    @property
    def size(self) -> int:
        """Bytes that the file reaches to by now; 0 before its first part."""
        return self.content.stat().st_size if self.content.is_file() else 0


@domain_errors()
def part_receive(
    *, actor: Actor, upload: Upload, path: str, number: int, sha256: str, stream: BinaryIO, length: int | None = None
) -> Part:
    """Takes a part of the file under this path in; sent again, it replaces the first.

    Raises `Invalid` for a body that breaks off or has another digest (nothing of it is kept), and what `upload_receive`
    raises.
    """
    policy.require(actor, "datasets.change_upload", upload)
    clean = clean_path(path)
    parts = _Parts(upload, clean)
    begun = parts.content.exists()
    check_receiving(upload, new=not begun)
    require_through_portal(upload)
    if not 1 <= number <= MOST_PARTS:
        raise BadInput("archive.member_too_big", clean, limit=MOST_BYTES)
    body = _body(stream, length)
    check_digest(hashlib.sha256(body).hexdigest(), sha256)
    with path_lock(upload.pk, clean):
        _enter(upload, parts, clean, number, body, sha256)
    return Part(number, sha256)


@domain_errors()
def parts_received(*, actor: Actor, upload: Upload, path: str) -> list[Part]:
    """The parts of this file that have arrived, for a sender that goes on after a break."""
    policy.require(actor, "datasets.view_upload", upload)
    marks = _Parts(upload, clean_path(path)).marks()
    return [Part(number, sha256) for number, sha256 in marks.items()]


@domain_errors()
def parts_join(
    *, actor: Actor, upload: Upload, path: str, size: int, sha256: str = "", parts: Sequence[str] = ()
) -> ReceivedFile:
    """Makes a file of the parts that have arrived; it replaces one that lies under the path.

    What was sent is told by the `sha256` of the whole, or by those of its `parts` in order: a page cannot digest what does
    not fit into its memory. Raises `Conflict` while parts are missing (the first of them in `params`), or lie here with
    another digest than is told; those are to be sent again. Where the whole has another size, which is seen before
    anything is read, or another digest, all of its parts are thrown away: they are of different states of the sender's
    file.
    """
    policy.require(actor, "datasets.change_upload", upload)
    check_receiving(upload, new=False)
    clean = clean_path(path)
    folder = UploadFolder(upload.pk)
    here = _Parts(upload, clean)
    with path_lock(upload.pk, clean):
        _check_complete(here, size)
        if here.size != size:
            raise _other_size(upload, here, size)
        found = _checked_parts(here, parts) if parts else sha256_of(here.content)
        if not parts and found != sha256:
            _throw_away(upload, here)
            check_digest(found, sha256)
        target = folder.files / clean
        before = target.stat().st_size if target.is_file() else None
        freed = 0 if before is None else 1
        # As `count_in`, the count comes first; it gives back what the file replaces.
        if not upload_count(upload_id=upload.pk, files=-freed, size=-(before or 0), most=0):
            raise wrong_state(upload)
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.replace(here.content, target)
        except (IsADirectoryError, NotADirectoryError, FileExistsError) as error:
            _throw_away(upload, here)
            raise BadInput("path.file_and_folder", clean) from error
        shutil.rmtree(here.folder, ignore_errors=True)
    return ReceivedFile(clean, size, found)


def begun_files(upload: Upload) -> list[str]:
    """Paths of files of which something has arrived, but not all; for a sender that goes on after a break."""
    if upload.source == UploadSource.DIRECT:
        return list(upload.direct_files.filter(completed_at__isnull=True).values_list("path", flat=True))
    folder = UploadFolder(upload.pk).parts
    found = []
    for begun in folder.iterdir() if folder.is_dir() else ():
        # It may be joined at this moment.
        with suppress(FileNotFoundError):
            found.append((begun / PATH).read_text(encoding="utf-8"))
    return sorted(found)


def parts_open(upload: Upload) -> bool:
    """Whether parts have arrived of a file that was not joined."""
    folder = UploadFolder(upload.pk).parts
    return folder.is_dir() and any(folder.iterdir())


def _body(stream: BinaryIO, length: int | None) -> bytes:
    body = bytearray()
    while chunk := stream.read(min(CHUNK, PART_BYTES + 1 - len(body))):
        body += chunk
        if len(body) > PART_BYTES:
            raise TooLarge(
                _("A part has at most %(limit)s bytes.") % {"limit": PART_BYTES},
                code="part_too_large",
                params={"limit": PART_BYTES},
            )
    if length is not None and len(body) != length:
        raise incomplete(len(body), length)
    return bytes(body)


def _enter(upload: Upload, parts: _Parts, path: str, number: int, body: bytes, sha256: str) -> None:
    """Counted is what the file reaches to: what is missing before the part has its room already. An empty part lengthens
    nothing, and counted it would never be given back."""
    room = room_now(upload)
    before = parts.size
    more = max(0, (number - 1) * PART_BYTES + len(body) - before) if body else 0
    new = not parts.content.exists()
    count_in(upload, files=int(new), size=more, room=room, path=path)
    parts.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    parts.write(number, body, sha256)


def _check_complete(parts: _Parts, size: int) -> None:
    # Nobody lists the parts of an exabyte.
    if size > MOST_BYTES:
        raise BadInput("archive.member_too_big", parts.path, limit=MOST_BYTES)
    numbers = parts.marks().keys()
    missing = [number for number in range(1, -(-size // PART_BYTES) + 1) if number not in numbers]
    if missing or not numbers:
        raise _missing(missing)


def _missing(numbers: list[int]) -> Conflict:
    return Conflict(
        _("%(count)s parts of the file are missing.") % {"count": len(numbers) or 1},
        code="parts_missing",
        hint=_("Send them, and join the parts again."),
        params={"missing": numbers[:NAMED], "count": len(numbers)},
    )


def _checked_parts(parts: _Parts, digests: Sequence[str]) -> str:
    """SHA-256 of the whole, after every part was read and found to be as its sender says."""
    whole, found = _read_through(parts.content)
    if len(digests) != len(found):
        raise Invalid(
            _("Give the SHA-256 of each of the %(count)s parts, in order.") % {"count": len(found)},
            code="part_digests",
        )
    wrong = [number for number, pair in enumerate(zip(found, digests, strict=True), 1) if pair[0] != pair[1]]
    if wrong:
        for number in wrong:
            parts.forget(number)
        raise _missing(wrong)
    return whole


def _read_through(content: Path) -> tuple[str, list[str]]:
    """SHA-256 of the whole, and of each part."""
    whole, found = hashlib.sha256(), []
    with content.open("rb") as file:
        while part := file.read(PART_BYTES):
            whole.update(part)
            found.append(hashlib.sha256(part).hexdigest())
    return whole.hexdigest(), found


def _other_size(upload: Upload, parts: _Parts, size: int) -> Invalid:
    """What is said where parts lie beyond the end, after all of them are thrown away."""
    found = parts.size
    _throw_away(upload, parts)
    return Invalid(
        _("The parts hold %(found)s bytes, and not %(size)s.") % {"found": found, "size": size},
        code="size_mismatch",
        hint=_("Send it again."),
        params={"size": found},
    )


def _throw_away(upload: Upload, parts: _Parts) -> None:
    upload_count(upload_id=upload.pk, files=-1, size=-parts.size, most=0)
    shutil.rmtree(parts.folder, ignore_errors=True)
