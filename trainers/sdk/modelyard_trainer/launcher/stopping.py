"""Stop orders: who asked first, and when the patience ends."""

import threading
import time

PLATFORM_GRACE = 120.0


class StopOrders:
    """Gathers orders to stop; the first gives the reason, the earliest end of a grace counts. Threads may share it."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._ends: dict[tuple[str, float], float] = {}
        self._lock = threading.Lock()

    def ask(self, reason: str, grace_seconds: float) -> None:
        """An order to stop. The portal repeats its orders in every answer: the same one again changes nothing."""
        with self._lock:
            self._ends.setdefault((reason, grace_seconds), time.monotonic() + grace_seconds)
            if self.reason is None:
                self.reason = reason

    @property
    def seconds_left(self) -> float:
        """Seconds until the grace is over, infinite while nobody asked."""
        with self._lock:
            return min(self._ends.values(), default=float("inf")) - time.monotonic()

    @property
    def over(self) -> bool:
        """Whether the grace is over."""
        return self.seconds_left <= 0
