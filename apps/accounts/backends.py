"""Sign-in by e-mail address and password."""

from functools import cache
from typing import Any
from uuid import UUID

from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import BasePasswordHasher, check_password, get_hasher
from django.utils.crypto import get_random_string

from apps.accounts.models import User


class AccountBackend(AuthenticationBackend):
    """allauth's backend without Django's permission tables: rights are the policy's business alone."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return False

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return False

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        return set()

    def _authenticate_by_email(self, email: str, password: str) -> User | None:
        """The same statements and the same hashing for an address that nobody has: time does not tell who is here."""
        self._did_check_password = True
        pk, encoded = _known(email.strip().lower()) or (None, _nobodys(get_hasher()))
        if not check_password(password, encoded, lambda raw: _encode_anew(pk, raw)) or pk is None:
            return None
        user = User.objects.get(pk=pk)
        if self.user_can_authenticate(user):
            return user
        # allauth shows a page of its own to those who were disabled.
        self._stash_user(user)
        return None


def _known(email: str) -> tuple[UUID, str] | None:
    """Id and encoded password of the person who has proven the address, or whose own it is."""
    proven = EmailAddress.objects.filter(email=email, verified=True).values_list("user_id", "user__password").first()
    own = User.objects.filter(email=email).values_list("pk", "password").first()
    return proven or own


def _encode_anew(pk: UUID | None, password: str) -> None:
    """Encoded by an older hasher, or with fewer rounds than today's."""
    user = User.objects.get(pk=pk)
    user.set_password(password)
    user.save(update_fields=["password"])


@cache
def _nobodys(hasher: BasePasswordHasher) -> str:
    """What is hashed against for nobody: a password that no one knows."""
    return hasher.encode(get_random_string(40), hasher.salt())
