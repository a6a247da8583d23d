"""What is done with many selected rows at once."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.contrib import messages
from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from apps.core import auditing
from apps.core.auditing import register_action
from apps.core.errors import DomainError
from apps.core.identity import Actor
from apps.core.identity.requests import PortalRequest
from apps.core.operations import operation

SELECTION_DELETED = register_action(
    "selection.deleted", _("Deleted together"), _("%(actor)s deleted %(count)s objects at once: %(objects)s.")
)


@operation("core.selected_delete")
def selected_delete(*, actor: Actor, objects: Sequence[Model], delete: Callable[[Any], None]) -> None:
    """Deletes rows of one organization, each by its own operation, which asks the policy; one refusal undoes all."""
    mentions = [auditing.Mention.of(row) for row in objects]
    organization_id = getattr(objects[0], "organization_id", None)
    for row in objects:
        delete(row)
    params = {"count": len(mentions)}
    auditing.record(actor, SELECTION_DELETED, None, organization_id=organization_id, params=params, about=mentions)


def each_row(request: PortalRequest, rows: Iterable[Any], act: Callable[[Any], object], done: Any) -> None:
    """An action of the admin on each row by itself: what is refused is said and holds up no other.

    `done` is the message of a success, in which `%(name)s` is the row.
    """
    for row in rows:
        try:
            act(row)
        except DomainError as error:
            messages.error(request, f"{row}: {error.message} {error.hint}".strip())
        else:
            messages.success(request, done % {"name": row})
