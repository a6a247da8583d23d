"""People and the tokens that stand for them."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Value
from django.db.models.functions import Concat, Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.names import avatar_name
from apps.accounts.querysets import RefreshTokenQuerySet, UserQuerySet
from apps.core.entities import Entity
from apps.core.policy import answers

if TYPE_CHECKING:
    from apps.core.identity import Actor


# Kinds of allauth's authenticators that are one; recovery codes only stand in for them.
SECOND_FACTORS = ("totp", "webauthn")


def portal_time_zone() -> str:
    """The time zone that people have who have not chosen one: the portal's (`TIME_ZONE`)."""
    return settings.TIME_ZONE


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    """Creates users the way Django's own commands and allauth expect."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, email: str | None) -> "User":
        return self.get(email=(email or "").strip().lower())


class Theme(models.TextChoices):
    SYSTEM = "system", _("As the system")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


class User(Entity, AbstractBaseUser, PermissionsMixin):
    """A person, known by e-mail address. Rights come from memberships, never from Django's permission tables."""

    email = models.EmailField(_("e-mail address"), max_length=254, unique=True)
    name = models.CharField(
        _("name"),
        max_length=80,
        default=avatar_name,
        validators=[RegexValidator(r"^[^\x00-\x1f<>]+$", _("A name cannot contain control characters, < or >."))],
    )
    language = models.CharField(
        _("language"), max_length=5, choices=[("en", "English"), ("ko", "한국어")], default="en"
    )
    time_zone = models.CharField(_("time zone"), max_length=60, default=portal_time_zone)
    theme = models.CharField(_("theme"), max_length=10, choices=Theme.choices, default=Theme.SYSTEM)
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("may enter the admin"), default=False)
    # What a search of people looks through: folding the case of a hundred thousand names anew takes five times as long.
    search_text = models.GeneratedField(
        expression=Lower(Concat("name", Value("\n"), "email", output_field=models.TextField())),
        output_field=models.TextField(),
        db_persist=True,
        verbose_name=_("name and address, folded"),
    )
    # Raised when every token of the person must end: password change, deactivation, change of a role.
    token_generation = models.PositiveIntegerField(_("generation of tokens"), default=0, editable=False)
    # What sign-up asked for; acted on once the address is verified, then emptied.
    signup_company = models.CharField(_("company at sign-up"), max_length=120, blank=True, editable=False)
    signup_division = models.CharField(_("division at sign-up"), max_length=120, blank=True, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()

    # The actor of the request at hand; set by `Actor.of`, never stored.
    actor: "Actor"

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            models.UniqueConstraint(
                Lower("email"), name="user_email_unique", violation_error_message=_("This address is taken.")
            )
        ]
        indexes = [models.Index(fields=["id"], condition=models.Q(is_active=False), name="user_switched_off")]

    def __str__(self) -> str:
        return self.name

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Asks the policy. Superusers get no short cut here: they pass through it as platform administrators."""
        return answers.has_perm(self, perm, obj)

    def has_module_perms(self, app_label: str) -> bool:
        return answers.has_module_perms(self, app_label)


class RefreshToken(Entity):
    """One refresh token of a rotation family. Only its digest is stored; using one twice ends the family."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="refresh_tokens", verbose_name=_("person"))
    family = models.UUIDField(_("family"))
    digest = models.CharField(_("digest"), max_length=64, unique=True)
    # Plain id: organizations stand above accounts.
    organization_id = models.UUIDField(_("organization"), null=True)
    ip = models.GenericIPAddressField(_("address"), null=True)
    user_agent = models.CharField(_("program"), max_length=300, blank=True)
    expires_at = models.DateTimeField(_("expires"))
    used_at = models.DateTimeField(_("used"), null=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True)

    objects = RefreshTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("refresh token")
        verbose_name_plural = _("refresh tokens")
        indexes = [models.Index(fields=["family"], name="refresh_token_family")]

    def __str__(self) -> str:
        return str(self.family)

    def is_live(self, now: datetime | None = None) -> bool:
        return self.revoked_at is None and self.used_at is None and self.expires_at > (now or timezone.now())
