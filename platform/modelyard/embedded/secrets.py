"""Secrets: given by the environment, or made once and kept in a file that only we can read."""

import os
import secrets as random_source
from pathlib import Path

from modelyard.embedded import paths
from modelyard.embedded.errors import EmbeddedError


def secret(name: str, home: Path | None = None) -> str:
    """The secret called `name` (upper case, such as `SECRET_KEY`).

    Taken from the variable `<NAME>`, else from the file named by `<NAME>_FILE`, else from `<home>/secrets/<name>`,
    which is made with 256 random bits and mode 0600 when it is missing. Of two processes that make it at once, one
    wins and both return the same value. An empty or unreadable secret is an `EmbeddedError`, never an empty string.
    """
    if value := os.environ.get(name):
        return value
    if configured := os.environ.get(f"{name}_FILE"):
        return _read(Path(configured), f"{name}_FILE")
    folder = paths.make_home(home or paths.home()) / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / name.lower()
    if not file.exists():
        _make(file)
    return _read(file, name)


def _make(file: Path) -> None:
    """Write a fresh secret under a name of its own and link it into place, so that nobody sees half a file."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}.{random_source.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(random_source.token_urlsafe(32))
            stream.flush()
            os.fsync(stream.fileno())
        os.link(fresh, file)
    except FileExistsError:
        pass  # Another process was first; its value counts.
    finally:
        fresh.unlink()


def _read(file: Path, name: str) -> str:
    try:
        value = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise EmbeddedError(f"The secret {name} cannot be read from {file}: {error}.") from error
    if not value:
        raise EmbeddedError(f"The secret {name} in {file} is empty.", "Remove the file to have a new one made.")
    return value
