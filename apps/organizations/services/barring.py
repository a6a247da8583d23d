"""People who come back to an organization only when somebody there lets them in: no domain and no provider does it."""

from uuid import UUID

from allauth.account.models import EmailAddress
from django.db.models import Q
from django.utils.crypto import salted_hmac

from apps.accounts.models import User
from apps.core.identity import Actor
from apps.organizations.models import Barring, Membership, MembershipState


def bar(actor: Actor, membership: Membership) -> None:
    """Remembers somebody whom another took out, or who leaves while suspended; to leave otherwise bars nobody."""
    was_taken_out = actor.user_id not in {None, membership.user_id}
    if not was_taken_out and membership.state != MembershipState.SUSPENDED:
        return
    organization_id, user = membership.organization_id, membership.user
    for address in _digests(organization_id, user):
        Barring.objects.update_or_create(
            organization_id=organization_id, address=address, defaults={"user_id": user.pk}
        )


def is_barred(organization_id: UUID, user: User) -> bool:
    return Barring.objects.filter(_about(organization_id, user), organization_id=organization_id).exists()


def let_in(membership: Membership) -> None:
    """Somebody has; from now on it is the person's own to go and to come."""
    organization_id = membership.organization_id
    Barring.objects.filter(_about(organization_id, membership.user), organization_id=organization_id).delete()


def _about(organization_id: UUID, user: User) -> Q:
    return Q(user=user) | Q(address__in=_digests(organization_id, user))


def _digests(organization_id: UUID, user: User) -> set[str]:
    """Of the person's proven addresses and the one that they sign in with; another for each organization."""
    proven = EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    salt = f"organizations.barring:{organization_id}"
    return {salted_hmac(salt, email.lower(), algorithm="sha256").hexdigest() for email in {user.email, *proven}}
