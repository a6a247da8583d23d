"""Hints sent to workers through the broker. They may be lost, doubled or late, and the broker may be away: the database
says what is to be done, every task reads it there, and beat repeats what matters.
"""

import logging
from functools import partial
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def send_hint(name: str, *args: str, queue: str = "default", expires: float | None = None) -> None:
    """Sends the task `name` with ids as arguments; never raises and never waits for a broker that is away.

    After `expires` seconds in the queue the hint is dropped, because beat has done the work by then.
    """
    try:
        current_app.send_task(name, args=args, queue=queue, expires=expires, retry=False)
    except (OperationalError, OSError) as error:
        log.warning("%s not sent: %s", name, error)


def hint_on_commit(name: str, *args: Any, **options: Any) -> None:
    """`send_hint` once the running transaction has committed; ids may be given as they are."""
    transaction.on_commit(partial(send_hint, name, *map(str, args), **options))
