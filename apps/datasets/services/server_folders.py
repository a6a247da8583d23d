"""Which folders of the server may be taken in, and what lies in them."""

from typing import Any

from django.utils.translation import gettext as _

from apps.core import auditing, policy
from apps.core.errors import Invalid
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.datasets import actions
from apps.datasets.models import ServerFolder
from apps.datasets.services.refusals import domain_errors
from apps.datasets.sources import SourceError, checked_root, entries_of, failure_words
from apps.datasets.sources.folder import Listing
from apps.organizations.models import Organization


@operation("datasets.server_folder_allow", permission="datasets.add_serverfolder", on="organization")
def server_folder_allow(*, actor: Actor, organization: Organization, name: str, path: str) -> ServerFolder:
    """Lets the organization's engineers take files from a folder of the server."""
    folder = ServerFolder(organization=organization, name=name, path=_checked(path))
    folder.full_clean(validate_constraints=False)
    folder.save()
    auditing.record(actor, actions.SERVER_FOLDER_ALLOWED, folder, after={"name": folder.name, "path": folder.path})
    return folder


@operation("datasets.server_folder_change", permission="datasets.change_serverfolder", on="folder")
def server_folder_change(*, actor: Actor, folder: ServerFolder, name: str, path: str) -> ServerFolder:
    """Gives it another name or path; imports that begin later follow."""
    folder = ServerFolder.objects.select_for_update().get(pk=folder.pk)
    checked = ServerFolder(organization_id=folder.organization_id, name=name, path=_checked(path))
    checked.full_clean(validate_constraints=False)
    changes = folder.change(name=checked.name, path=checked.path)
    auditing.record(actor, actions.SERVER_FOLDER_CHANGED, folder, changes=changes)
    return folder


@operation("datasets.server_folder_forbid", permission="datasets.delete_serverfolder", on="folder", hides=True)
def server_folder_forbid(*, actor: Actor, folder: ServerFolder) -> None:
    """Withdraws it; imports that have not fetched everything yet fail. The files themselves stay where they are."""
    folder = ServerFolder.objects.select_for_update().get(pk=folder.pk)
    changes = {"name": (folder.name, None), "path": (folder.path, None)}
    auditing.record(actor, actions.SERVER_FOLDER_FORBIDDEN, folder, changes=changes)
    folder.delete()


@domain_errors()
def folder_entries(*, actor: Actor, folder: ServerFolder, path: str = "") -> Listing:
    """What lies in the folder, or in one below it."""
    policy.require(actor, "datasets.view_serverfolder", folder)
    try:
        return entries_of(folder.path, path)
    except SourceError as error:
        raise source_refusal(error) from error


def source_refusal(error: SourceError, **fields: Any) -> Invalid:
    sentence, hint = failure_words({"code": error.code, "params": error.params})
    return Invalid(sentence, code=error.code, hint=hint, params=error.params, **fields)


def _checked(path: str) -> str:
    try:
        return checked_root(path)
    except SourceError as error:
        raise Invalid(
            _("This folder cannot be allowed."),
            code=error.code,
            hint=_("Name an absolute path without links, outside of the system's and the portal's own folders."),
            fields={"path": [failure_words({"code": error.code})[0]]},
        ) from error
