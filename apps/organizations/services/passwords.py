"""Passwords forgotten, reset and changed by programs; the portal's pages are allauth's.

Both use allauth's forms, and end what the old password had opened by the same signals (`receivers.password_changed`).
"""

from allauth.account import signals
from allauth.account.adapter import get_adapter
from allauth.account.forms import ChangePasswordForm, ResetPasswordForm, ResetPasswordKeyForm, UserTokenForm
from allauth.account.internal.flows.password_reset import finalize_password_reset
from django import forms
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.services import lockout, mailbox
from apps.core import outbox
from apps.core.errors import Invalid
from apps.core.identity import Actor, Via, require_own_proof
from apps.core.operations import refuse_keys

FORGOTTEN = "organizations.password_forgotten"


def forgot(*, request: HttpRequest, email: str) -> None:
    """Has a link mailed, or to an unknown address that there is no account."""
    mailbox.ask(topic=FORGOTTEN, request=request, email=email.strip().lower())


@outbox.handler(FORGOTTEN)
def deliver(payload: dict[str, str]) -> None:
    with mailbox.asked(FORGOTTEN, payload) as asked:
        form = ResetPasswordForm({"email": asked.email})
        if form.is_valid():
            form.save(asked.request)


def reset(*, request: HttpRequest, key: str, password: str) -> None:
    """Sets the password of the person to whom the key was mailed. Raises `Invalid`."""
    uid, _dash, rest = key.partition("-")
    token = UserTokenForm({"uidb36": uid, "key": rest})
    if not token.is_valid():
        raise Invalid(_("The link is not valid any more."), code="key_invalid", hint=_("Ask for a new link."))
    set_by_link(request=request, user=token.reset_user, password=password)


def set_by_link(*, request: HttpRequest, user: User, password: str, field: str = "password") -> None:
    """Sets the password of a person who opened a mailed link; every session and token ends. Raises `Invalid`."""
    form = ResetPasswordKeyForm({"password1": password}, user=user)
    form.fields.pop("password2", None)
    _refuse_errors(form, {"password1": field})
    form.save()
    finalize_password_reset(request, user)


def change(*, request: HttpRequest, actor: Actor, user: User, old_password: str, password: str) -> None:
    """Sets another password for a person who knows the old one; of their sessions the one that asks stays. Guessing it is
    paused as at sign-in. No key does it: whoever holds one could try passwords, and lock its owner out."""
    refuse_keys(actor)
    require_own_proof(actor)
    ip = request.META.get("REMOTE_ADDR")
    lockout.attempt(user.email, ip)
    form = ChangePasswordForm(user=user, data={"oldpassword": old_password, "password1": password})
    form.fields.pop("password2", None)
    _refuse_errors(form, {"oldpassword": "old_password", "password1": "password"})
    lockout.forget(user.email, ip)
    form.save()
    if actor.via == Via.SESSION:
        update_session_auth_hash(request, user)
    get_adapter(request).send_notification_mail("account/email/password_changed", user)
    signals.password_changed.send(sender=type(user), request=request, user=user)


def _refuse_errors(form: forms.Form, names: dict[str, str]) -> None:
    if not form.is_valid():
        fields = {names.get(name, name): [str(text) for text in texts] for name, texts in form.errors.items()}
        raise Invalid(_("The input is not valid."), fields=fields)
