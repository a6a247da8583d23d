"""Sends messages to channel groups from synchronous code.

The channel layer is asynchronous and keeps a connection per event loop; one loop in a thread of its own serves the
whole process, so that a publish costs a queue entry, not a connection.
"""

import asyncio
import logging
import os
import threading
from typing import Any
from uuid import UUID

from channels.layers import get_channel_layer

log = logging.getLogger(__name__)

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_loop_pid = 0


def group_name(kind: str, identifier: UUID | str) -> str:
    """Name of an object's group, such as `job.019a…`."""
    return f"{kind}.{identifier}"


def publish(group: str, message: dict[str, Any]) -> None:
    """Sends `message` (its `type` names the consumer's handler) to the group's sockets; failures are logged only."""
    asyncio.run_coroutine_threadsafe(_send(group, message), _running_loop())


async def _send(group: str, message: dict[str, Any]) -> None:
    layer = get_channel_layer()
    try:
        await asyncio.wait_for(layer.group_send(group, message), timeout=5)
    except Exception as error:  # noqa: BLE001 - sockets catch up by `events?after=`; a lost hint is no loss
        log.warning("hint to %s not sent: %s", group, error)


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop, _loop_pid
    with _lock:
        # A forked worker inherits the variable but not the thread.
        if _loop is None or _loop_pid != os.getpid():
            _loop = asyncio.new_event_loop()
            _loop_pid = os.getpid()
            threading.Thread(target=_loop.run_forever, name="realtime", daemon=True).start()
        return _loop
