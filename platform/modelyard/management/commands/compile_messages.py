"""`manage.py compile_messages`: what `up` does by itself, for images and tests."""

from typing import Any

from django.core.management.base import BaseCommand

from modelyard.supervisor import preparation


class Command(BaseCommand):
    help = "Compiles the catalogues in locale/ that changed. Needs no gettext program."
    requires_system_checks: list[str] = []

    def handle(self, **options: Any) -> None:
        self.stdout.write(f"{preparation.compile_messages()} catalogues compiled")
