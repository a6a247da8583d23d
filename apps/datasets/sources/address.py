"""One file, most often an archive, at a web address."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from apps.core import outbound
from apps.datasets.archives import PathRules
from apps.datasets.defects import BadInput
from apps.datasets.sources.base import Found, OnBytes

NAMELESS = "download"


class AddressSource:
    at_once = 1

    def __init__(self, url: str) -> None:
        self.url = url

    def found(self) -> Iterator[Found]:
        # The journal on the disk keeps the mark, and the address may hold a key.
        yield Found(name_in(self.url), None, hashlib.sha256(self.url.encode()).hexdigest(), self.url)

    def fetch(self, found: Found, target: Path, *, most_bytes: int, on_bytes: OnBytes) -> int:
        return outbound.download(found.at, target, most_bytes=most_bytes, on_bytes=on_bytes)


def name_in(url: str) -> str:
    """The last part of the address's path, where a file may be called so."""
    name = unquote(urlsplit(url).path).rpartition("/")[2]
    try:
        return PathRules().accept_file(name) or NAMELESS
    except BadInput:
        return NAMELESS
