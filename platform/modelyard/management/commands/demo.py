"""`manage.py demo`: starts the portal and walks the main job through it."""

import argparse
import signal
import subprocess
import sys
import time
from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.accounts.services import user_create
from apps.core.errors import Conflict
from apps.core.identity import Actor
from modelyard import embedded
from modelyard.demo import ApiError, Journey
from modelyard.demo.journey import EMAIL

READY_SECONDS = 120
STOP_SECONDS = 180
GOAL = 0.90
ADMIN_EMAIL = "admin@modelyard.example"


class Command(BaseCommand):
    help = "Starts everything, trains a small detector through the public API, and leaves the portal running."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--exit", action="store_true", help="stop when the training has ended")
        parser.add_argument("--port", type=int, default=0, help="port; 0 takes the last one, 8000 or any free one")

    def handle(self, *, port: int, **options: Any) -> None:
        portal = subprocess.Popen([sys.executable, "manage.py", "up", "--port", str(port)], cwd=settings.BASE_DIR)
        # Ctrl-C reaches the portal too: it stops in order, and this program waits for it.
        signal.signal(signal.SIGINT, lambda *_: portal.send_signal(signal.SIGINT))
        try:
            outcome = self._walk(portal)
            if not options["exit"]:
                self._invite()
                portal.wait()
        except ApiError as error:
            raise CommandError(str(error)) from error
        finally:
            self._stop(portal)
        if outcome.map50 < GOAL:
            raise CommandError(f"mAP50 {outcome.map50:.3f} is below {GOAL}")
        self.stdout.write(f"demo ok map50={outcome.map50:.3f} seconds={outcome.seconds:.0f}")

    def _walk(self, portal: "subprocess.Popen[bytes]") -> Any:
        url = self._wait_ready(portal)
        password = embedded.secret("DEMO_PASSWORD", settings.HOME)
        return Journey(url, password, settings.EMAIL_FILE_PATH, self._say).run()

    def _wait_ready(self, portal: "subprocess.Popen[bytes]") -> str:
        began, file = time.time(), settings.JOBS["portal_file"]
        while time.time() - began < READY_SECONDS:
            if portal.poll() is not None:
                raise CommandError("The portal did not start; see above.")
            if file.exists() and file.stat().st_mtime >= began - 1:
                url = file.read_text().strip()
                try:
                    if httpx.get(f"{url}/readyz", timeout=5).status_code == 200:
                        return url
                except httpx.HTTPError:
                    pass
            time.sleep(0.2)
        raise CommandError(f"The portal was not ready within {READY_SECONDS} s.")

    def _invite(self) -> None:
        url = settings.JOBS["portal_file"].read_text().strip()
        password = embedded.secret("DEMO_PASSWORD", settings.HOME)
        self.stdout.write(self.style.SUCCESS(f"\nOpen {url}/ and sign in:"))
        self.stdout.write(f"  e-mail    {EMAIL}\n  password  {password}")
        self.stdout.write(self.style.SUCCESS(f"\nor look after the installation at {url}/admin/:"))
        self.stdout.write(f"  e-mail    {ADMIN_EMAIL}\n  password  {administrator()}\n\nCtrl-C stops everything.")
        self.stdout.flush()

    def _say(self, step: str, text: str) -> None:
        self.stdout.write(f"  {self.style.MIGRATE_LABEL(f'{step:<12}')}{text}")
        self.stdout.flush()

    def _stop(self, portal: "subprocess.Popen[bytes]") -> None:
        if portal.poll() is None:
            portal.send_signal(signal.SIGINT)
            try:
                portal.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                portal.kill()


def administrator() -> str:
    """Password of the demo's administrator of the platform, who is created when there is none."""
    password = embedded.secret("DEMO_ADMIN_PASSWORD", settings.HOME)
    try:
        user_create(actor=Actor.system("demo"), email=ADMIN_EMAIL, password=password, is_staff=True, is_superuser=True)
    except Conflict:
        pass  # Known from before, with the password that the home keeps.
    return password
