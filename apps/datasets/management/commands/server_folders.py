"""`manage.py server_folders`: which folders of the server an organization may import from."""

import argparse
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from apps.core.errors import DomainError
from apps.core.identity import Actor
from apps.datasets import services
from apps.datasets.models import ServerFolder
from apps.organizations.models import Organization

ACTOR = "command line"


class Command(BaseCommand):
    help = "Lists, allows and withdraws folders of the server that an organization's engineers may import from."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("list", help="every folder that is allowed")
        allow = acts.add_parser("allow", help="allow a folder")
        allow.add_argument("organization", help="company of the organization, or its id")
        allow.add_argument("name", help="what its people see")
        allow.add_argument("path", help="absolute path on the machines of the portal's workers")
        withdraw = acts.add_parser("withdraw", help="withdraw a folder")
        withdraw.add_argument("organization", help="company of the organization, or its id")
        withdraw.add_argument("name", help="name of the folder")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["act"] == "list":
            for folder in ServerFolder.objects.select_related("organization").order_by(
                "organization__company", "organization__division", "name"
            ):
                self.stdout.write(f"{folder.organization}\t{folder.name}\t{folder.path}")
            return
        organization = _organization(options["organization"])
        try:
            getattr(self, f"_{options['act']}")(organization, options)
        except DomainError as error:
            said = [error.message, *(text for texts in error.fields.values() for text in texts), error.hint]
            raise CommandError(" ".join(str(text) for text in said if text)) from error

    def _allow(self, organization: Organization, options: dict[str, Any]) -> None:
        services.server_folder_allow(
            actor=Actor.system(ACTOR), organization=organization, name=options["name"], path=options["path"]
        )
        self.stdout.write(f"{organization} may import from {options['path']}, called {options['name']}.")

    def _withdraw(self, organization: Organization, options: dict[str, Any]) -> None:
        folder = ServerFolder.objects.filter(organization=organization, name=options["name"]).first()
        if folder is None:
            raise CommandError(f"{organization} has no server folder {options['name']}.")
        services.server_folder_forbid(actor=Actor.system(ACTOR), folder=folder)
        self.stdout.write(f"{organization} may not import from {folder.path} any more.")


def _organization(text: str) -> Organization:
    """The organization of this id, or of this company when it has a single one."""
    try:
        return Organization.objects.get(pk=UUID(text))
    except (ValueError, Organization.DoesNotExist):
        found = list(Organization.objects.filter(company=text)[:2])
    if len(found) == 1:
        return found[0]
    raise CommandError(f"{'Several organizations are' if found else 'No organization is'} called {text}: give the id.")
