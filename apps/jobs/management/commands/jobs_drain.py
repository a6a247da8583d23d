"""`manage.py jobs_drain`: called by `up` on its way down."""

import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from apps.jobs.services.drain import drain, remaining

POLL_SECONDS = 0.25


class Command(BaseCommand):
    help = "Asks this node's jobs to write a checkpoint and stop; they go on when the node starts again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--node", default=settings.NODE_NAME, help="name of the node")
        parser.add_argument("--timeout", type=float, default=150, help="seconds to wait for the jobs to end")

    def handle(self, *args: Any, **options: Any) -> None:
        deadline = time.monotonic() + options["timeout"]
        grace = max(1, min(settings.JOBS["grace_seconds"], int(options["timeout"])))
        asked = drain(options["node"], grace)
        if asked:
            self.stdout.write(f"asked {asked} job(s) to write a checkpoint and stop")
        while (left := remaining(options["node"])) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        self.stdout.write("all jobs have stopped" if not left else f"{left} job(s) still run and go on by themselves")
