"""Proof of an address: its mailed link, in the hands of the person whose password the account has.

A link proves a mailbox and no more. Who signs up with somebody else's address has a link mailed there; if opening it
were enough, the owner of the mailbox would open that account to them. So elsewhere than in the browser that signed up,
which keeps a mark, the password is asked for as well. Who did not give it chooses their own, and the one that the
account had opens nothing any more.
"""

from allauth.account.models import EmailAddress, get_emailconfirmation_model
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.services import lockout
from apps.core.errors import Invalid
from apps.organizations.services import passwords

# In the session: digests of what the browser signed up with, the newest last.
MARKS = "signed_up"
MARKS_KEPT = 5


def mark(request: HttpRequest, encoded: str) -> None:
    """Notes that this browser signed up: by the encoded password, salt and all, which no other sign-up has."""
    request.session[MARKS] = [*request.session.get(MARKS, []), _digest(encoded)][-MARKS_KEPT:]


def address_of(key: str) -> EmailAddress | None:
    """The address that a mailed key proves; None for a key that is unknown, used or too old."""
    confirmation = get_emailconfirmation_model().from_key(key)
    return confirmation.email_address if confirmation is not None else None


def is_known_here(request: HttpRequest, address: EmailAddress) -> bool:
    """Whether this browser signed the account up, or is signed in to it."""
    return request.user.pk == address.user_id or _digest(address.user.password) in request.session.get(MARKS, [])


def is_first(address: EmailAddress) -> bool:
    """Whether it is the account's own address and nothing of the account is proven yet: it is the mailbox's then.
    A further address is proven for an account that has an owner."""
    proven = EmailAddress.objects.filter(user_id=address.user_id, verified=True)
    return address.email == address.user.email and not proven.exists()


def verify_email(
    *, request: HttpRequest, key: str, password: str = "", new_password: str = "", by_page: bool = False
) -> User:
    """Marks the address of a mailed key as verified, and returns whose it is.

    Asks for the account's password, or for a new one, which ends every session and token; not `by_page` in the browser
    that signed up. Raises `Invalid` (`key_invalid` for an unknown, used or expired key), or `TooManyRequests`.
    """
    confirmation = get_emailconfirmation_model().from_key(key)
    if confirmation is None or not confirmation.email_address.can_set_verified():
        raise _stale()
    address = confirmation.email_address
    user: User = address.user
    if new_password:
        _choose(request, address, new_password)
    elif not (by_page and is_known_here(request, address)):
        _check(request, address, password)
    if confirmation.confirm(request) is None:
        raise _stale()
    return user


def _choose(request: HttpRequest, address: EmailAddress, password: str) -> None:
    if not is_first(address):
        message = _("This account has an owner: give its password, or sign in first.")
        raise Invalid(message, code="password_needed", fields={"new_password": [message]})
    passwords.set_by_link(request=request, user=address.user, password=password, field="new_password")
    # Its tokens have ended meanwhile.
    address.user.refresh_from_db()


def _check(request: HttpRequest, address: EmailAddress, password: str) -> None:
    """Guessing is paused as at sign-in."""
    ip = request.META.get("REMOTE_ADDR")
    lockout.attempt(address.user.email, ip)
    if not address.user.check_password(password):
        hint = _("If you did not set it, choose a new one.") if is_first(address) else ""
        message = _("This is not the account's password.")
        raise Invalid(message, code="password_wrong", hint=hint, fields={"password": [message]})
    lockout.forget(address.user.email, ip)


def _digest(encoded: str) -> str:
    return salted_hmac(MARKS, encoded, algorithm="sha256").hexdigest()


def _stale() -> Invalid:
    return Invalid(_("The link is not valid any more."), code="key_invalid", hint=_("Sign in to get a new one."))
