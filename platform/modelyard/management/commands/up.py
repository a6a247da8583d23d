"""`manage.py up`: the whole portal in one command."""

import argparse
import sys
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.core.identity.context_processors import FOLDER
from modelyard.embedded import EmbeddedError
from modelyard.embedded.paths import make_home
from modelyard.supervisor.address import AddressInUseError
from modelyard.supervisor.portal import AlreadyRunningError, Options, Portal, StartFailedError


class Command(BaseCommand):
    help = "Starts database, broker, web, workers, scheduler and MLflow, keeps them up, and stops them on Ctrl-C."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
        parser.add_argument("--port", type=int, default=0, help="port; 0 takes the last one, 8000 or any free one")
        parser.add_argument("--no-mlflow", action="store_true", help="do not start MLflow's server")
        parser.add_argument("--quiet", action="store_true", help="print the URL and problems only")

    def handle(self, *, host: str, port: int, no_mlflow: bool, quiet: bool, **options: Any) -> None:
        began = time.monotonic()

        def say(part: str, text: str) -> None:
            if not quiet:
                self.stdout.write(f"  {self.style.MIGRATE_LABEL(f'{part:<10}')}{text}")
                self.stdout.flush()

        portal = Portal(settings.HOME, Options(host, port, with_mlflow=not no_mlflow), say)
        say("home", str(settings.HOME))
        if settings.EMAIL_BACKEND == FOLDER:
            # Their links sign people up; those who may pass through the home, as root's database must, read none.
            make_home(settings.HOME)
            folder = settings.EMAIL_FILE_PATH
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)
        try:
            portal.start()
            self.stdout.write(self.style.SUCCESS(f"Modelyard is ready at {portal.url}/"))
            say("", f"in {time.monotonic() - began:.1f} s; logs in {portal.logs}; Ctrl-C stops everything")
            if settings.EMAIL_BACKEND == FOLDER:
                say("mail", f"no EMAIL_HOST: mails, with the links of sign-up, are kept in {settings.EMAIL_FILE_PATH}")
            self.stdout.flush()
            portal.start_mlflow()
            portal.watch()
        except KeyboardInterrupt:
            pass
        except (AddressInUseError, AlreadyRunningError, EmbeddedError, StartFailedError) as error:
            raise CommandError(str(error)) from error
        finally:
            if portal.children:
                say("stopping", "please wait")
            portal.stop()
        say("stopped", "nothing is left running")
        sys.stdout.flush()
