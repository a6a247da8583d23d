"""Why a sign-in by a provider was refused: stored as a code, worded for the reader."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.core.errors import Forbidden
from apps.core.outbound import CODES

AGAIN = _("Try again. If it happens again, tell an administrator of your organization.")
SETTINGS = _("An administrator of your organization has to look at its single sign-on.")
PASSWORD = _("Sign in with your password instead.")
LATER = _("Try again in a few minutes.")
ADMINISTRATOR = _("Ask an administrator of your organization.")

#: Code → what happened, and what to do about it. The first ones are those of requests that failed (`outbound`).
REASONS: dict[str, tuple[Any, Any]] = {
    "url_refused": (_("The provider names an address that this portal does not call."), SETTINGS),
    "host_unknown": (_("The provider's host name is not known."), SETTINGS),
    "address_private": (
        _("The provider's address lies in a private network that this portal may not call."),
        _("Those who run the portal can allow it (OUTBOUND_PRIVATE_ORIGINS)."),
    ),
    "unreachable": (_("The provider cannot be reached."), LATER),
    "tls_failed": (_("The provider's certificate is not trusted."), SETTINGS),
    "too_slow": (_("The provider did not answer in time."), LATER),
    "too_large": (_("The provider's answer is too long."), SETTINGS),
    "redirected": (_("The provider answered with a redirect, which is not followed."), SETTINGS),
    "answer_unreadable": (_("The provider's answer cannot be read."), SETTINGS),
    "provider_failed": (_("The provider answered with an error."), LATER),
    "issuer_wrong": (_("The provider calls itself by another name than the one that was set up."), SETTINGS),
    "client_refused": (_("The provider does not accept the client id or its secret."), SETTINGS),
    "code_refused": (_("The provider does not know this sign-in any more."), AGAIN),
    "token_missing": (_("The provider sent no ID token."), SETTINGS),
    "token_invalid": (_("The provider's ID token is not valid."), AGAIN),
    "signature_wrong": (_("The ID token is not signed by the provider."), AGAIN),
    "token_expired": (_("The ID token has expired."), AGAIN),
    "audience_wrong": (_("The ID token was made for somebody else than this portal."), AGAIN),
    "nonce_wrong": (_("The ID token belongs to another sign-in than this one."), AGAIN),
    "subject_missing": (_("The provider does not say who signed in."), SETTINGS),
    "state_unknown": (_("This sign-in was not begun in this browser, or too long ago."), AGAIN),
    "cancelled": (_("The sign-in was cancelled at the provider."), ""),
    "provider_refused": (_("The provider refused the sign-in."), ADMINISTRATOR),
    "address_missing": (_("The provider did not send an e-mail address."), SETTINGS),
    "address_unverified": (_("The provider does not vouch for your e-mail address."), ADMINISTRATOR),
    "domain_foreign": (_("Your e-mail address is in none of the organization's domains."), ADMINISTRATOR),
    "account_exists": (_("There is an account with this address that is not joined to this sign-in."), PASSWORD),
    "account_closed": (_("This account cannot sign in."), ADMINISTRATOR),
    "password_only": (_("This account signs in with its password only."), PASSWORD),
    "membership_suspended": (_("Your membership is suspended."), ADMINISTRATOR),
    "no_seat": (_("The organization has no seat left."), ADMINISTRATOR),
    "organization_closing": (_("The organization waits for its deletion and takes nobody in."), ADMINISTRATOR),
    "switched_off": (_("Single sign-on of this organization is switched off."), PASSWORD),
}
assert REASONS.keys() >= set(CODES)


class Refused(Forbidden):
    """A sign-in that did not come about; `code` is one of `REASONS`."""

    def __init__(self, code: str) -> None:
        text, hint = REASONS[code]
        super().__init__(text, code=code, hint=hint)
