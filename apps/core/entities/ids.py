"""UUID version 7 (RFC 9562): time-ordered, so that new rows of an index lie side by side."""

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last = 0


def uuid7() -> uuid.UUID:
    """A new id: 48 bits of milliseconds, 12 of their fraction, 62 random. Strictly increasing within a process."""
    global _last
    nanoseconds = time.time_ns()
    # 12 bits divide a millisecond into 4,096 ticks of about 244 ns.
    stamp = (nanoseconds // 1_000_000 << 12) | ((nanoseconds % 1_000_000) * 4096 // 1_000_000)
    with _lock:
        stamp = max(stamp, _last + 1)
        _last = stamp
    random = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    value = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | random
    return uuid.UUID(int=value)
