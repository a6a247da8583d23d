from typing import Any

import factory
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.usersessions.models import UserSession
from factory.django import DjangoModelFactory

from apps.accounts.models import RefreshToken, User
from apps.core.testing import Cast, sample

PASSWORD = "correct horse battery"


class UserFactory(DjangoModelFactory):
    """A person whose address is verified and whose password is `PASSWORD`."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda number: f"person{number}@example.com")
    name = factory.Sequence(lambda number: f"person-{number}")
    language = "en"

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **kwargs: Any) -> User:
        return model_class.objects.create_user(kwargs.pop("email"), kwargs.pop("password", PASSWORD), **kwargs)

    @factory.post_generation
    def address(user: User, create: bool, verified: Any, **kwargs: Any) -> None:
        EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=verified is not False)


@sample("accounts.User", "accounts.user")
def user(cast: Cast) -> User:
    return cast.owner.user


@sample("accounts.RefreshToken")
def refresh_token(cast: Cast) -> RefreshToken:
    """A program in which the owner is signed in."""
    assert cast.owner.token
    return RefreshToken.objects.get(user=cast.owner.user)


@sample("guarded-user")
def guarded_user(cast: Cast) -> User:
    """Somebody with an authenticator app and recovery codes."""
    found = UserFactory()
    TOTP.activate(found, generate_totp_secret())
    RecoveryCodes.activate(found)
    return found


@sample("account/second-factor/webauthn/keys")
def key(cast: Cast) -> Authenticator:
    """A security key of the owner's; nothing signs in with it."""
    data = {"name": f"key {cast.canary}", "credential": {}}
    return Authenticator.objects.create(user=cast.owner.user, type=Authenticator.Type.WEBAUTHN, data=data)


@sample("sessions", "profile/sessions")
def session(cast: Cast) -> UserSession:
    """A browser in which the owner is signed in."""
    assert cast.owner.portal.get("/profile/").status_code == 200
    return UserSession.objects.get(user=cast.owner.user)
