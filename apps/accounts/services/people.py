"""Writes on people."""

from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from apps.accounts import actions
from apps.accounts.models import User
from apps.accounts.services.sessions import end_everything
from apps.core import auditing, time_zones
from apps.core.auditing import Personal
from apps.core.errors import Conflict, Forbidden, Invalid, refuse_unknown
from apps.core.errors.inputs import invalid_of
from apps.core.identity import Actor, require_own_proof
from apps.core.operations import operation

PROFILE_FIELDS = ("name", "language", "time_zone", "theme")


@operation("accounts.user_create")
def user_create(
    *,
    actor: Actor,
    email: str,
    password: str,
    name: str | None = None,
    is_staff: bool = False,
    is_superuser: bool = False,
    language: str = "en",
) -> User:
    """A person whose address counts as verified. For commands and platform administrators only."""
    if not actor.is_platform:
        raise Forbidden(_("Only platform administrators create people."))
    email = email.strip().lower()
    if User.objects.filter(email=email).exists():
        raise Conflict(_("This address is taken."), code="email_taken")
    extra: dict[str, Any] = {"name": name} if name else {}
    user = User(email=email, is_staff=is_staff, is_superuser=is_superuser, language=language, **extra)
    try:
        validate_password(password, user)
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        raise invalid_of(error, "password") from error
    user.set_password(password)
    user_store(user)
    auditing.record(
        actor, actions.USER_CREATED, user, name=Personal(user.name, user.pk), after={"email": Personal(email, user.pk)}
    )
    return user


def user_store(user: User) -> None:
    """Part of operations: a new person whose address is proven."""
    user.save()
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)


def reader_language() -> str:
    """The language in which the request at hand is answered: that of the profile it makes."""
    language = get_language() or settings.LANGUAGE_CODE
    return language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


@operation("accounts.user_deactivate")
def user_deactivate(*, actor: Actor, user: User) -> User:
    """Disables an account: it signs in nowhere, and every session, token and key of it ends. Memberships stay."""
    _require_platform(actor)
    if user.pk == actor.user_id:
        raise Conflict(_("You cannot disable your own account."), code="own_account")
    require_another_platform_admin(user)
    user = User.objects.select_for_update().get(pk=user.pk)
    if not user.is_active:
        raise Conflict(_("This account is disabled already."), code="not_active")
    changes = user.change(is_active=False)
    end_everything(user)
    auditing.record(actor, actions.USER_DEACTIVATED, user, name=Personal(user.name, user.pk), changes=changes)
    return user


@operation("accounts.user_reactivate")
def user_reactivate(*, actor: Actor, user: User) -> User:
    """Lets a disabled account sign in again; what had ended stays ended."""
    _require_platform(actor)
    user = User.objects.select_for_update().get(pk=user.pk)
    if user.is_active:
        raise Conflict(_("This account is not disabled."), code="not_disabled")
    changes = user.change(is_active=True)
    auditing.record(actor, actions.USER_REACTIVATED, user, name=Personal(user.name, user.pk), changes=changes)
    return user


def require_another_platform_admin(user: User) -> None:
    """Part of operations that end an account: raises `Conflict` for the last platform administrator. All of them are
    locked, in one order: of two who end each other at once, one comes first, and the other is the last."""
    if not user.is_superuser:
        return
    admins = User.objects.filter(is_superuser=True).order_by("pk").select_for_update(no_key=True)
    if not [admin for admin in admins if admin.is_active and admin.pk != user.pk]:
        raise Conflict(_("Somebody has to run the platform."), code="last_platform_admin")


def _require_platform(actor: Actor) -> None:
    if not actor.is_platform:
        raise Forbidden(_("Only platform administrators disable and enable accounts."))


@operation("accounts.profile_update", permission="accounts.change_user", on="user")
def profile_update(*, actor: Actor, user: User, **fields: Any) -> User:
    """Changes one's own name (by no word of an organization's provider), language, time zone or theme."""
    refuse_unknown(fields, PROFILE_FIELDS)
    if "time_zone" in fields and fields["time_zone"] not in time_zones.names():
        raise Invalid(_("The input is not valid."), fields={"time_zone": [_("There is no such time zone.")]})
    user = User.objects.select_for_update().get(pk=user.pk)
    changes = user.change(**fields)
    if "name" in changes:
        # Every organization of theirs knows them by it.
        require_own_proof(actor)
    try:
        user.clean_fields(exclude=["password", "email"])
    except ValidationError as error:
        raise invalid_of(error) from error
    personal = {
        key: tuple(Personal(value, user.pk) if key == "name" else value for value in pair)
        for key, pair in changes.items()
    }
    auditing.record(
        actor,
        actions.PROFILE_CHANGED,
        user,
        organization_id=actor.organization_id,
        name=Personal(user.name, user.pk),
        changes=personal,  # type: ignore[arg-type]
    )
    return user
