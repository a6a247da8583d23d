"""Bytes on their way into a store: nobody has looked at them yet, and they have no name that a row could give."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from apps.core.storage.base import Storage, Stored
from apps.core.storage.keys import incoming_key


@contextmanager
def received(store: Storage, stream: BinaryIO) -> Iterator[tuple[str, Stored]]:
    """The stream under a fresh key, and what was measured. The block looks at it and moves it; if it fails, the bytes go.

    What a killed process leaves under `incoming/` is told, and removed, by `storage_fsck`.
    """
    key = incoming_key()
    try:
        yield key, store.put(key, stream)
    except BaseException:
        store.delete(key)
        raise
