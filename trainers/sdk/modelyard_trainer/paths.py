"""Names that were sent, taken for paths only where they stay in their folder."""

from pathlib import Path


class UnsafePath(ValueError):
    """A path that was sent would lead out of the folder that it belongs to."""


def inside(folder: Path, name: str) -> Path:
    """`folder / name` for a plain relative name; raises UnsafePath for anything that could lead elsewhere."""
    parts = name.split("/")
    bad = not name or any(part in ("", ".", "..") for part in parts)
    # Where these part folders or name a drive, they lead elsewhere; the portal keeps neither.
    bad = bad or "\\" in name or (parts[0][1:2] == ":" and parts[0][:1].isascii() and parts[0][:1].isalpha())
    # Half of a surrogate pair is a letter in JSON, but in no file name.
    if bad or any(ord(letter) < 32 or ord(letter) == 127 or "\ud800" <= letter <= "\udfff" for letter in name):
        raise UnsafePath(f"{name!r} is not a plain relative path")
    return folder.joinpath(*parts)
