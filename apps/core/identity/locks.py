"""What is closed to a person for how they signed in: organizations that demand a second factor, and, to those for whom
their organization vouches, what reaches beyond it."""

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


def require_own_proof(actor: Actor) -> None:
    """Raises `Forbidden` for a sign-in by an organization's provider: its word is good for this organization, as long as
    it is given. It ends no account, and makes nothing that outlasts it."""
    if actor.vouched is not None:
        raise Forbidden(
            _("You are signed in by your organization. To change this, sign out and sign in with your password."),
            code="signed_in_by_organization",
            hint=_("“Forgot your password?” mails you a link if you have none."),
        )
