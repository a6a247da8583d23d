"""What workers are told of datasets: long work, on the queue for it. `sweep` repeats what was lost."""

from uuid import UUID

from apps.core.broker import hint_on_commit, send_hint

QUEUE = "io"


def send(name: str, identifier: UUID, *, expires: float | None = None) -> None:
    """Sends a task at once; it is dropped when it still waits after so many seconds."""
    send_hint(name, str(identifier), queue=QUEUE, expires=expires)


def sweep_exports_on_commit() -> None:
    """Has archives that no export names any more removed, ahead of the hourly pass."""
    hint_on_commit("datasets.exports_sweep", queue=QUEUE)


def send_on_commit(name: str, identifier: UUID) -> None:
    hint_on_commit(name, identifier, queue=QUEUE)
