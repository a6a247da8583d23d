"""`manage.py datumaro_build`: installs what reads further formats of datasets ahead of the first that needs it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from modelyard_trainer.environments import BuildError

from apps.datasets import foreign


class Command(BaseCommand):
    help = "Builds the environment that reads further formats of datasets (half a gigabyte); does nothing when it is there."
    requires_system_checks: list[str] = []

    def handle(self, **options: Any) -> None:
        try:
            built = foreign.build(lambda fraction, message: self.stdout.write(f"{100 * fraction:3.0f} % {message}"))
        except BuildError as error:
            raise CommandError(f"{error}\n{error.output}".rstrip()) from error
        self.stdout.write(str(built.python))
