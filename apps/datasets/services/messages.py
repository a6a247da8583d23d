"""Hints sent to workers after commit. They may be lost, doubled or late: the tasks read the rows, `sweep` repeats."""

import logging
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)
QUEUE = "io"


def send(name: str, identifier: Any) -> None:
    """Sends a task at once."""
    try:
        current_app.send_task(name, args=[str(identifier)], queue=QUEUE, retry=False)
    except (OperationalError, OSError) as error:
        log.warning("%s not sent: %s", name, error)


def send_on_commit(name: str, identifier: Any) -> None:
    transaction.on_commit(lambda: send(name, identifier))
