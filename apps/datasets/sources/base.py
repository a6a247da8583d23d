"""What every source can do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

#: Told the bytes of a file that have arrived; what it raises ends the fetching.
OnBytes = Callable[[int], None]


class SourceError(Exception):
    """The source cannot be taken in; `code` has words in `sources.words`."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code, self.params = code, params


@dataclass(frozen=True, slots=True)
class Found:
    """A file of the source: its path in the set, and `at`, the name under which the source has it.

    `size` is None where it is not known before. `mark` is another one when the content is, as far as can be told
    without reading it.
    """

    path: str
    size: int | None
    mark: str
    at: str


class Source(Protocol):
    #: How many files are fetched side by side.
    at_once: int

    def found(self) -> Iterator[Found]:
        """The files, in any order; paths are as they come, unchecked."""

    def fetch(self, found: Found, target: Path, *, most_bytes: int, on_bytes: OnBytes) -> int:
        """Brings a file to `target`, and returns its size. What a break leaves beside the target may be gone on with."""
