"""A set on its way into an archive: no file for each label, and no picture is read before the archive asks for it."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from apps.datasets.formats.writing import NEW_FILE, SetFolder, WritableItem

CHUNK = 1 << 20


class Piece(NamedTuple):
    """One file of the set. `offset` is where it stands among the texts, None for what lies in a store."""

    path: str
    size: int
    sha256: str
    offset: int | None


class SetPack(SetFolder):
    """Takes what a writer writes: texts behind one another in one file, pictures by their digests, all in the order in
    which they came. Documents that grow (COCO) are files of their own until `finish`."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.files = self.name_bytes = self.content_bytes = 0
        self._texts = os.open(f"{self.root}/texts", NEW_FILE & ~os.O_WRONLY | os.O_RDWR, 0o600)
        self._end = 0
        self._listing = open(f"{self.root}/pieces.jsonl", "x+", encoding="ascii")  # noqa: SIM115 (closed by `close`)
        self._documents: list[str] = []

    def locate(self, path: str) -> str:
        self._documents.append(path)
        return self._document(len(self._documents))

    def copy(self, item: WritableItem, path: str) -> None:
        self.refer(path, item.size, item.sha256)

    def write(self, path: str, text: str) -> None:
        self.add(path, (text.encode(),))

    def refer(self, path: str, size: int, sha256: str) -> None:
        """A file of the set that lies in a store."""
        self._note(Piece(path, size, sha256, None))

    def add(self, path: str, chunks: Iterable[bytes]) -> None:
        """A file of the set by its bytes."""
        begin, digest = self._end, hashlib.sha256()
        for chunk in chunks:
            digest.update(chunk)
            rest = chunk
            while rest:
                rest = rest[os.write(self._texts, rest) :]
            self._end += len(chunk)
        self._note(Piece(path, self._end - begin, digest.hexdigest(), begin))

    def finish(self) -> None:
        """Takes the documents in, which the writer has closed."""
        for number, path in enumerate(self._documents, 1):
            with open(self._document(number), "rb") as source:
                self.add(path, iter(lambda: source.read(CHUNK), b""))
            os.unlink(self._document(number))
        self._documents.clear()

    def pieces(self) -> Iterator[Piece]:
        """All that came so far; may be asked for any number of times."""
        self._listing.flush()
        with open(self._listing.name, encoding="ascii") as listing:
            for line in listing:
                yield Piece(*json.loads(line))

    def read(self, offset: int, size: int) -> Iterator[bytes]:
        """Bytes of the texts. Safe in any thread."""
        while size:
            chunk = os.pread(self._texts, min(size, CHUNK), offset)
            if not chunk:
                raise EOFError("the texts end before their piece")
            yield chunk
            offset += len(chunk)
            size -= len(chunk)

    def close(self) -> None:
        os.close(self._texts)
        self._listing.close()

    def _document(self, number: int) -> str:
        return f"{self.root}/document-{number}"

    def _note(self, piece: Piece) -> None:
        self._listing.write(json.dumps(piece) + "\n")
        self.files += 1
        self.name_bytes += len(piece.path.encode())
        self.content_bytes += piece.size
