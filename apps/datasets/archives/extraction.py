"""The doors through which a set comes in: an archive, uploaded streams with paths, or a folder on the server."""

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from apps.datasets.archives import tar_reader, zip_reader
from apps.datasets.archives.limits import Limits
from apps.datasets.archives.paths import PathRules
from apps.datasets.archives.staging import Member, Progress, Stage, Staged, read_chunks
from apps.datasets.defects import BadInput, DefectLog

SIGNATURES = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x1f\x8b\x08", "tar.gz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x7fELF", "ELF"),
    (b"MZ", "EXE"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG", "PNG"),
    (b"%PDF", "PDF"),
    (b"\x80", "pickle"),
)


def archive_kind(stream: BinaryIO) -> str:
    """Return `zip`, `tar` or `tar.gz` by content, never by name. Raises BadInput for anything else."""
    stream.seek(0)
    head = stream.read(tar_reader.BLOCK)
    stream.seek(0)
    if not head:
        raise BadInput("archive.empty_file")
    for magic, kind in SIGNATURES:
        if head.startswith(magic):
            if kind in ("zip", "tar.gz"):
                return kind
            raise BadInput("archive.not_archive", kind=kind)
    if head[257:262] == b"ustar":
        return "tar"
    if head.lstrip()[:1] == b"<":
        raise BadInput("archive.not_archive", kind="HTML/XML")
    if not head.strip(b"\0"):
        raise BadInput("archive.no_members" if len(head) == tar_reader.BLOCK else "archive.truncated")
    raise BadInput("archive.unrecognised")


def unpack(archive: Path, root: Path, *, limits: Limits | None = None, progress: Progress | None = None) -> Staged:
    """Extract `archive` into the new folder `root` and return what lies there.

    Raises BadInput, naming the member, for anything that is not a plain, sound and bounded archive of plain files;
    `root` does not exist afterwards.
    """
    limits = limits or Limits()
    with archive.open("rb") as stream, Stage(root, limits, progress) as stage:
        kind = archive_kind(stream)
        if kind == "zip":
            zip_reader.extract(stream, stage)
        elif kind == "tar.gz":
            tar_reader.extract(tar_reader.Gunzip(stream, limits.ratio, limits.ratio_floor), stage)
        else:
            tar_reader.extract(stream, stage)
        return stage.finish()


def take_in(
    files: Iterable[tuple[str, BinaryIO]],
    root: Path,
    *,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Staged:
    """Copy uploaded (relative path, stream) pairs into the new folder `root`, under the same rules as archives."""
    with Stage(root, limits or Limits(), progress) as stage:
        for raw, stream in files:
            path = stage.rules.accept_file(raw)
            if path is not None:
                stage.write(path, read_chunks(stream))
        return stage.finish()


def walk(folder: Path, *, limits: Limits | None = None, is_allowed: Callable[[Path], bool] | None = None) -> Staged:
    """List a folder of the server as a set, without copying or hashing; links and special files are refused.

    `is_allowed` is asked for the resolved folder, so that a link cannot lead out of what the administrator allowed.
    """
    limits = limits or Limits()
    resolved = folder.resolve(strict=True)
    if is_allowed is not None and not is_allowed(resolved):
        raise BadInput("path.traversal", str(folder))
    log = DefectLog()
    rules = PathRules(limits, log)
    members: list[Member] = []
    spellings: dict[str, str] = {}
    total = 0
    pending = [""]
    while pending:
        prefix = pending.pop()
        with os.scandir(resolved / prefix) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                relative = f"{prefix}{entry.name}"
                facts = entry.stat(follow_symlinks=False)
                if stat.S_ISLNK(facts.st_mode):
                    raise BadInput("path.link", relative)
                if stat.S_ISDIR(facts.st_mode):
                    rules.accept_folder(relative)
                    pending.append(f"{relative}/")
                    continue
                if not stat.S_ISREG(facts.st_mode):
                    raise BadInput("path.special", relative)
                path = rules.accept_file(relative)
                if path is None:
                    continue
                if path != relative:
                    spellings[path] = relative
                total += facts.st_size
                members.append(Member(path, facts.st_size))
                if len(members) > limits.members:
                    raise BadInput("archive.too_many_members", members=len(members), limit=limits.members)
                if facts.st_size > limits.member_bytes:
                    raise BadInput("archive.member_too_big", path, limit=limits.member_bytes)
                if total > limits.total_bytes:
                    raise BadInput("archive.too_big", path, limit=limits.total_bytes)
    if not members:
        raise BadInput("archive.no_members")
    members.sort(key=lambda member: member.path)
    return Staged(resolved, members, log.defects, dict(log.counts), spellings)
