"""`manage.py createsuperuser`: an administrator of the platform, who can sign in at once.

Stands in for Django's command, which knows neither verified addresses nor the audit log.
"""

import argparse
import getpass
import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from apps.accounts.services import user_create
from apps.core.errors import DomainError
from apps.core.identity import Actor


class Command(BaseCommand):
    help = (
        "Creates an administrator of the platform, who may enter the admin. Asks for the address and the password; "
        "with --noinput they come from --email and DJANGO_SUPERUSER_PASSWORD. The portal, or its database, must run."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--email", default=os.environ.get("DJANGO_SUPERUSER_EMAIL", ""), help="address to sign in with"
        )
        parser.add_argument("--noinput", "--no-input", action="store_false", dest="interactive", help="ask nothing")

    def handle(self, *, email: str, interactive: bool, **options: Any) -> None:
        password = os.environ.get("DJANGO_SUPERUSER_PASSWORD", "")
        if interactive:
            email = email or input("E-mail address: ")
            password = password or self._asked()
        if not email or not password:
            raise CommandError("Give --email and DJANGO_SUPERUSER_PASSWORD, or leave --noinput out.")
        try:
            user = user_create(
                actor=Actor.system("createsuperuser"), email=email, password=password, is_staff=True, is_superuser=True
            )
        except DomainError as error:
            texts = [str(text) for found in error.fields.values() for text in found]
            raise CommandError(" ".join(texts) or str(error.message)) from error
        except OperationalError as error:
            raise CommandError(f"The database does not answer: start the portal first (make up). {error}") from error
        self.stdout.write(self.style.SUCCESS(f"{user.email} may sign in, and enter /admin/."))

    def _asked(self) -> str:
        password = getpass.getpass("Password: ")
        if getpass.getpass("Password (again): ") != password:
            raise CommandError("The two passwords are not the same.")
        return password
