"""Putting messages in, and delivering what waits."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from apps.core.broker import hint_on_commit
from apps.core.outbox.models import OutboxMessage

log = logging.getLogger(__name__)

Handler = Callable[[dict[str, Any]], None]
_handlers: dict[str, Handler] = {}

# A message that is being delivered is out of others' reach for this long.
CLAIM = timedelta(seconds=120)


def handler(topic: str) -> Callable[[Handler], Handler]:
    """Registers the function that delivers messages of a topic. It must be idempotent; raising means "again later"."""

    def declare(function: Handler) -> Handler:
        if topic in _handlers:
            raise ValueError(f"The topic {topic} has a handler already.")
        _handlers[topic] = function
        return function

    return declare


def put(topic: str, payload: dict[str, Any], *, group: str = "") -> None:
    """Writes a message in the running transaction and hints a worker once it has committed."""
    OutboxMessage.objects.create(topic=topic, payload=payload, group=group)
    hint_on_commit("core.outbox_deliver", expires=30)


def deliver_waiting(limit: int = 200) -> int:
    """Delivers up to `limit` messages that are due; returns how many succeeded. Safe to run in parallel."""
    delivered = 0
    for _number in range(limit):
        message = _claim()
        if message is None:
            break
        try:
            _handlers[message.topic](message.payload)
        except Exception as error:  # noqa: BLE001 - a handler may fail in any way; the message stays
            _postpone(message, error)
        else:
            OutboxMessage.objects.filter(pk=message.pk).update(delivered_at=timezone.now(), last_error="")
            delivered += 1
    return delivered


def sweep(older_than: timedelta = timedelta(days=14)) -> int:
    """Removes messages delivered long ago."""
    return OutboxMessage.objects.filter(delivered_at__lt=timezone.now() - older_than).delete()[0]


def _claim() -> OutboxMessage | None:
    now = timezone.now()
    earlier = OutboxMessage.objects.filter(delivered_at__isnull=True, group=OuterRef("group"), pk__lt=OuterRef("pk"))
    with transaction.atomic():
        message = (
            OutboxMessage.objects.select_for_update(skip_locked=True)
            .filter(delivered_at__isnull=True, available_at__lte=now, topic__in=list(_handlers))
            .exclude(Exists(earlier), group__gt="")
            .order_by("available_at", "pk")
            .first()
        )
        if message is not None:
            message.available_at = now + CLAIM
            message.attempts += 1
            message.save(update_fields=["available_at", "attempts"])
    return message


def _postpone(message: OutboxMessage, error: Exception) -> None:
    pause = timedelta(seconds=min(2 ** min(message.attempts, 12), settings.OUTBOX_LONGEST_PAUSE_SECONDS))
    log.warning("outbox %s #%s failed, next try in %s: %s", message.topic, message.pk, pause, error)
    OutboxMessage.objects.filter(pk=message.pk).update(
        available_at=timezone.now() + pause, last_error=f"{type(error).__name__}: {error}"[:2000]
    )
