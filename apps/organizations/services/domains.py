"""Domains by which people join an organization at once: when one is taken, and whom it lets in."""

from collections.abc import Iterable

from allauth.account.models import EmailAddress
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core.errors import Invalid
from apps.core.identity import Actor, Role
from apps.organizations.domains import domain_of, is_public, normal
from apps.organizations.models import JoinPolicy, Membership, Organization


def domains_taken(actor: Actor, organization: Organization, given: Iterable[str]) -> list[str]:
    """The domains as they are kept, for an organization that is locked.

    One that it does not have yet needs a proof: an administrator of the organization with a verified address in it, or
    a platform administrator who says so. Public mail domains are nobody's. Raises `Invalid`, naming each that is wrong.
    """
    known = set(organization.join_domains)
    proven = known | (set() if actor.is_platform else _proven(organization))
    found: set[str] = set()
    errors: list[str] = []
    for text in given:
        domain = normal(text)
        if not domain:
            errors.append(_("%(text)s is not a domain.") % {"text": text.strip()[:100] or "–"})
        elif is_public(domain):
            errors.append(_("Everybody can have an address at %(domain)s.") % {"domain": domain})
        elif not actor.is_platform and domain not in proven:
            errors.append(_("No administrator here has a verified address at %(domain)s.") % {"domain": domain})
        found.add(domain)
    if errors:
        hint = _("Name domains of your own, in which an administrator of the organization has a verified address.")
        raise Invalid(_("The input is not valid."), code="domain_refused", hint=hint, fields={"join_domains": errors})
    return sorted(found)


def require_domain(policy: str, domains: list[str]) -> None:
    """Raises `Invalid` when people are to join by domains and there is none."""
    if policy == JoinPolicy.DOMAIN and not domains:
        raise Invalid(_("The input is not valid."), fields={"join_domains": [_("Name at least one domain.")]})


def domain_by_which(organization: Organization, user: User) -> str:
    """The domain that lets the person in at once; "" where nothing does. Unverified addresses say nothing."""
    if organization.join_policy != JoinPolicy.DOMAIN:
        return ""
    addresses = EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    own = {domain_of(address) for address in addresses}
    return next((domain for domain in organization.join_domains if domain in own), "")


def _proven(organization: Organization) -> set[str]:
    """Domains in which an active administrator of the organization has a verified address."""
    admins = Membership.objects.active().filter(organization=organization, role=Role.ADMIN).values("user_id")
    addresses = EmailAddress.objects.filter(user_id__in=admins, verified=True).values_list("email", flat=True)
    return {domain_of(address) for address in addresses}
