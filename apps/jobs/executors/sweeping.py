"""What attempts that are over have left on this machine: the copies that the trainer worked on, then all of it."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from apps.jobs.models import Attempt
from apps.jobs.states import OPEN_ATTEMPTS

# Inputs are copies of blobs, and what counts of the output was uploaded. Logs, journals and how it ended stay longer:
# of a log beyond its cap, or of an attempt that could not report, they hold what the portal has not.
WORKED_ON = ("inputs", "output", "home", "tmp")


def sweep_folders(root: Path, is_alive: Callable[[Path], bool]) -> int:
    """One idempotent pass; returns how many folders it made smaller. A folder that a launcher holds is left alone."""
    now = timezone.now()
    files_before = now - timedelta(hours=settings.JOBS["files_keep_hours"])
    logs_before = now - timedelta(days=settings.JOBS["logs_keep_days"])
    swept = 0
    for folder, ended_at in _over(root):
        if ended_at >= files_before or is_alive(folder):
            continue
        left = [folder] if ended_at < logs_before else [folder / name for name in WORKED_ON]
        found = [path for path in left if path.exists() or path.is_symlink()]
        for path in found:
            _remove(path)
        swept += bool(found)
    return swept


def _over(root: Path) -> Iterator[tuple[Path, datetime]]:
    """Folders of attempts that are over, and since when; those without a row since they were last touched."""
    folders = {pk: path for path in (root.iterdir() if root.is_dir() else ()) if (pk := _key(path.name)) is not None}
    rows = Attempt.objects.in_bulk(list(folders))
    for pk, path in folders.items():
        row = rows.get(pk)
        if row is None:
            try:
                touched = path.stat().st_mtime
            except FileNotFoundError:  # another sweep has removed it meanwhile
                continue
            yield path, datetime.fromtimestamp(touched, UTC)
        elif row.state not in OPEN_ATTEMPTS and row.ended_at is not None:
            yield path, row.ended_at


def _key(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        # A trainer may have put a link in its folder's place: what it leads to is not ours.
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)
