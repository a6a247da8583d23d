"""A step of the node's Celery worker: registers the node, then reports every few seconds."""

import logging
import os
import threading
from typing import Any

from celery import bootsteps
from django.conf import settings
from django.db import connection

from apps.resources import services
from apps.resources.telemetry import Telemetry

log = logging.getLogger(__name__)

REPORT_SECONDS = 5.0
# Every sixth report becomes a point of the node's history.
KEEP_EVERY = 6


class NodeReporter(bootsteps.StartStopStep):
    """Runs in a thread of its own, so that a busy or reconnecting worker still reports."""

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def include_if(self, parent: Any) -> bool:
        """Only a node's own worker reports for the node; the supervisor marks it with this variable."""
        return os.environ.get("MODELYARD_NODE_WORKER") == "1"

    def start(self, parent: Any) -> None:
        self._thread = threading.Thread(target=self._run, name="node-reporter", daemon=True)
        self._thread.start()

    def stop(self, parent: Any) -> None:
        self._stop.set()

    def terminate(self, parent: Any) -> None:
        self._stop.set()

    def _run(self) -> None:
        telemetry = Telemetry(settings.HOME)
        registered, count = False, 0
        while not self._stop.is_set():
            try:
                if not registered:
                    services.node_register(name=settings.NODE_NAME, **telemetry.capacity())
                    registered = True
                services.node_report(name=settings.NODE_NAME, usage=telemetry.sample(), keep=count % KEEP_EVERY == 0)
                count += 1
            except Exception as error:  # noqa: BLE001 - a node whose reporter has died would look dead for ever
                log.warning("node report not stored: %s: %s", type(error).__name__, error)
                connection.close()
            self._stop.wait(REPORT_SECONDS if registered else 1.0)
        connection.close()
