"""Hints sent to workers. They may be lost, doubled or late: every pass reads the database."""

import logging
from typing import Any

from celery import current_app
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def _send(name: str, *args: Any, queue: str = "default", expires: float = 30) -> None:
    try:
        current_app.send_task(name, args=args, queue=queue, expires=expires, retry=False)
    except (OperationalError, OSError) as error:
        # The broker is away; beat and the reconciler repeat what matters.
        log.warning("%s not sent: %s", name, error)


def dispatch() -> None:
    _send("jobs.dispatch", expires=10)


def launch(attempt_id: Any, queue: str) -> None:
    _send("jobs.launch", str(attempt_id), queue=queue, expires=60)


def probe(attempt_id: Any, queue: str) -> None:
    _send("jobs.probe", str(attempt_id), queue=queue, expires=10)
