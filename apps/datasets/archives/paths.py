"""The one set of rules for paths that come from outside."""

import re
import unicodedata

from apps.datasets.archives.limits import Limits
from apps.datasets.defects import WARNING, BadInput, DefectLog

# Never legitimate in a set that must also be downloadable on other systems, and harmful where a page or shell forgets
# to quote. The last two groups reorder text on the screen.
FORBIDDEN = re.compile('[<>"|\u202a-\u202e\u2066-\u2069]')
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
DRIVE = re.compile(r"[A-Za-z]:")
# What only Windows refuses: a stream or wildcard, a dot or space at the end, the name of a device with any ending.
NOT_ON_WINDOWS = re.compile(
    r"[:*?]|[. ](?:/|$)|(?:^|/)(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.[^/]*)?(?:/|$)", re.IGNORECASE
)
LEFT_BEHIND = frozenset({"__macosx", ".ds_store", "thumbs.db", "desktop.ini", ".git", ".hg", ".svn", "__pycache__"})


def collision_key(path: str) -> str:
    """Return the form under which two paths are one file on systems that fold case or normalise accents."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


class PathRules:
    """Checks the paths of one set one after the other, remembering them to find collisions."""

    def __init__(self, limits: Limits | None = None, log: DefectLog | None = None) -> None:
        self.limits = limits or Limits()
        self.log = log if log is not None else DefectLog()
        self._files: set[str] = set()
        self._folders: dict[str, str] = {}
        self._spellings: dict[str, str] = {}

    def clean(self, raw: str) -> tuple[str, ...]:
        """Return the components of `raw`, NFC-normalised, without `.` and empty ones; () for the set's own folder.

        Raises BadInput for a path that is absolute, climbs, is too long or deep, or holds what no name may hold.
        """
        if not raw:
            raise BadInput("path.empty", raw)
        size = len(raw.encode("utf-8", "surrogatepass"))
        if size > self.limits.path_bytes:
            raise BadInput("path.long", raw, bytes=size, limit=self.limits.path_bytes)
        if CONTROL.search(raw):
            raise BadInput("path.control", raw)
        if "\\" in raw:
            raise BadInput("path.backslash", raw)
        if raw.startswith("/"):
            raise BadInput("path.absolute", raw)
        if found := FORBIDDEN.search(raw):
            raise BadInput("path.forbidden", raw, character=f"U+{ord(found[0]):04X} {found[0]}")
        if not raw.isascii():
            if any("\ud800" <= character <= "\udfff" for character in raw):
                raise BadInput("path.encoding", raw)
            raw = unicodedata.normalize("NFC", raw)
        parts = tuple(part for part in raw.split("/") if part not in ("", "."))
        if ".." in parts:
            raise BadInput("path.traversal", raw)
        # Of what is kept: `./C:/a` and the Kelvin sign become drives only now.
        if parts and DRIVE.match(parts[0]):
            raise BadInput("path.drive", raw)
        if len(parts) > self.limits.depth:
            raise BadInput("path.deep", raw, depth=len(parts), limit=self.limits.depth)
        for part in parts:
            length = len(part) if part.isascii() else len(part.encode())
            if length > self.limits.component_bytes:
                raise BadInput("path.component_long", raw, bytes=length, limit=self.limits.component_bytes)
        return parts

    def accept_folder(self, raw: str) -> None:
        """Check a folder's path. Folders are made as files need them, so nothing is returned."""
        parts = self.clean(raw)
        if parts and not self._left_behind(parts):
            self._enter_folders(parts, raw)

    def accept_file(self, raw: str) -> str | None:
        """Return the path under which the file is kept, or None when it is one that systems leave behind."""
        parts = self.clean(raw)
        if not parts or raw.endswith("/"):
            raise BadInput("path.empty", raw)
        path = "/".join(parts)
        if self._left_behind(parts):
            self.log.add("path.dropped", WARNING, path)
            return None
        if len(parts) > 1:
            self._enter_folders(parts[:-1], raw)
        key = collision_key(path)
        if key in self._files:
            other = self._spellings.get(key, key)
            if other == path:
                raise BadInput("path.duplicate", path)
            raise BadInput("path.collision", path, other=other)
        if key in self._folders:
            raise BadInput("path.file_and_folder", path)
        if NOT_ON_WINDOWS.search(path):
            self.log.add("path.windows", WARNING, path)
        self._files.add(key)
        if key != path:
            self._spellings[key] = path
        return path

    @staticmethod
    def _left_behind(parts: tuple[str, ...]) -> bool:
        return parts[-1].startswith("._") or any(part.lower() in LEFT_BEHIND for part in parts)

    def _enter_folders(self, parts: tuple[str, ...], raw: str) -> None:
        path = "/".join(parts)
        if self._folders.get(collision_key(path)) == path:
            return
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            key = collision_key(folder)
            if key in self._files:
                raise BadInput("path.file_and_folder", raw)
            other = self._folders.setdefault(key, folder)
            if other != folder:
                raise BadInput("path.collision", raw, other=other)
