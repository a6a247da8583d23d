"""How an organization's people are signed in by its own provider."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core import ciphers
from apps.core.entities import Entity
from apps.core.identity import Role
from apps.organizations.models import Organization
from apps.singlesignon.querysets import ConnectionQuerySet

#: Roles that a person can get by signing in. What stands above a member is given by people.
GRANTED = (Role.ENGINEER_II, Role.ENGINEER_I, Role.GUEST)
GRANTED_ROLES = [(role.value, role.label) for role in GRANTED]
SHORT_NAME = RegexValidator(
    r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$", _("Use small letters, digits and hyphens between them.")
)
DOMAIN = RegexValidator(
    r"^(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$",
    _("This is not a domain, such as example.com."),
)


class Admission(models.TextChoices):
    """What the first sign-in of a person makes of them."""

    APPROVAL = "approval", _("They wait until an administrator or manager approves")
    MEMBER = "member", _("They are members at once")


class Connection(Entity):
    """An organization's provider, and what it may do here."""

    organization = models.OneToOneField(
        Organization, on_delete=models.CASCADE, related_name="single_sign_on", verbose_name=_("organization")
    )
    short_name = models.CharField(_("short name"), max_length=40, validators=[SHORT_NAME])
    issuer = models.CharField(_("issuer"), max_length=500)
    client_id = models.CharField(_("client id"), max_length=255)
    # Ciphertext (`apps.core.ciphers`); read by `secret`, shown by nothing.
    client_secret = models.TextField(_("client secret"), editable=False)
    role = models.CharField(
        _("role of new people"),
        max_length=20,
        choices=GRANTED_ROLES,
        default=Role.ENGINEER_I,
    )
    admission = models.CharField(_("new people"), max_length=20, choices=Admission.choices, default=Admission.APPROVAL)
    is_enabled = models.BooleanField(_("switched on"), default=False)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        verbose_name = _("single sign-on")
        verbose_name_plural = _("single sign-on")
        constraints = [
            models.UniqueConstraint(
                fields=["short_name"],
                name="connection_short_name_unique",
                violation_error_message=_("Another organization has this short name."),
            ),
            models.CheckConstraint(
                condition=Q(role__in=[role.value for role in GRANTED]),
                name="connection_role_below_manager",
                violation_error_message=_("Nobody becomes a manager or administrator by signing in."),
            ),
        ]

    def __str__(self) -> str:
        return self.short_name

    @property
    def secret(self) -> str:
        return ciphers.decrypt(self.client_secret, f"single-sign-on:{self.pk}")

    def seal(self, secret: str) -> str:
        """The ciphertext of a secret, for this row alone."""
        return ciphers.encrypt(secret, f"single-sign-on:{self.pk}")

    @property
    def provider_id(self) -> str:
        """What allauth knows the provider by, in accounts and in sessions."""
        return str(self.pk)


class Domain(models.Model):
    """A domain of e-mail addresses for which a connection answers."""

    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, related_name="domains", verbose_name=_("single sign-on")
    )
    name = models.CharField(_("domain"), max_length=253, validators=[DOMAIN])

    class Meta:
        verbose_name = _("domain")
        verbose_name_plural = _("domains")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["name"],
                name="connection_domain_unique",
                violation_error_message=_("Another organization signs in with this domain."),
            )
        ]

    def __str__(self) -> str:
        return self.name
