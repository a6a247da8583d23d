"""Organizations that demand a second factor, and what those without one are told."""

from uuid import UUID

from django.utils.translation import gettext as _

from apps.core.errors import Forbidden
from apps.core.identity.actor import Actor


def refuse_without_factor(actor: Actor, organization_id: UUID | None) -> None:
    """Raises `Forbidden` (`mfa_setup_required`) where the organization is closed to the actor for that reason."""
    if organization_id in actor.locked:
        raise Forbidden(
            _("This organization requires a second factor, and you have none."),
            code="mfa_setup_required",
            hint=_("Sign in to the portal and set one up."),
        )
