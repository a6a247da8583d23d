"""Sign-in by e-mail address and password."""

from functools import cache, partial
from typing import Any, cast
from uuid import UUID

from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import BasePasswordHasher, check_password, get_hasher
from django.http import HttpRequest
from django.utils.crypto import get_random_string

from apps.accounts.models import User
from apps.accounts.services import verification


class AccountBackend(AuthenticationBackend):
    """allauth's backend without Django's permission tables: rights are the policy's business alone."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return False

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return False

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        return set()

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        """A person who has proven their address; every refusal leaves the same behind (`services.verification`)."""
        self._lacks_proof = False
        user = super().authenticate(request, **credentials)
        if user is None and request is not None and credentials.get("email"):
            verification.refused(request=request, email=credentials["email"], is_right=self._lacks_proof)
        return cast(User | None, user)

    def _authenticate_by_email(self, email: str, password: str) -> User | None:
        """The same statements and the same hashing for an address that nobody has, or that is not verified: neither
        the answer nor time tells who is here."""
        self._did_check_password = True
        pk, encoded, is_proven = _known(email.strip().lower()) or (None, _nobodys(get_hasher()), False)
        is_right = check_password(password, encoded, partial(_encode_anew, pk) if pk and is_proven else None)
        if pk is None or not is_proven or not is_right:
            self._lacks_proof = is_right
            return None
        user = User.objects.get(pk=pk)
        if self.user_can_authenticate(user):
            return user
        # allauth shows a page of its own to those who were disabled.
        self._stash_user(user)
        return None


def _known(email: str) -> tuple[UUID, str, bool] | None:
    """Id and encoded password of the person who has proven the address, or whose own it is; whether it is proven."""
    proven = EmailAddress.objects.filter(email=email, verified=True).values_list("user_id", "user__password").first()
    own = User.objects.filter(email=email).values_list("pk", "password").first()
    found = proven or own
    return (*found, proven is not None) if found else None


def _encode_anew(pk: UUID, password: str) -> None:
    """Encoded by an older hasher, or with fewer rounds than today's."""
    user = User.objects.get(pk=pk)
    user.set_password(password)
    user.save(update_fields=["password"])


@cache
def _nobodys(hasher: BasePasswordHasher) -> str:
    """What is hashed against for nobody: a password that no one knows."""
    return hasher.encode(get_random_string(40), hasher.salt())
