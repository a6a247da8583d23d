"""What workers are told of jobs. Each message only says that there is something to do."""

from uuid import UUID

from apps.core.broker import send_hint


def dispatch() -> None:
    send_hint("jobs.dispatch", expires=10)


def launch(attempt_id: UUID, queue: str) -> None:
    send_hint("jobs.launch", str(attempt_id), queue=queue, expires=60)


def sweep(queue: str) -> None:
    send_hint("jobs.sweep_node", queue=queue, expires=3600)


def probe(attempt_id: UUID, queue: str) -> None:
    send_hint("jobs.probe", str(attempt_id), queue=queue, expires=10)
