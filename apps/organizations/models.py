"""Organizations and memberships."""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from apps.core.entities import PLAIN, Entity
from apps.core.identity import Role
from apps.organizations.querysets import MembershipQuerySet, OrganizationQuerySet


class JoinPolicy(models.TextChoices):
    """What lets a person who signs up with the company's name in."""

    APPROVAL = "approval", _("An administrator or manager approves")
    DOMAIN = "domain", _("At once with an address of its domains, else with approval")
    INVITATION = "invitation", _("By invitation only")


# Roles that people may be given who join at once; others are granted by somebody.
JOIN_ROLES = (Role.GUEST, Role.ENGINEER_I)


class Closure(models.TextChoices):
    """Whether an organization is on its way out."""

    OPEN = "", _("Open")
    CLOSING = "closing", _("Waiting for its deletion")  # looked at, changed no more; the deletion can be cancelled
    ENDING = "ending", _("Being deleted")  # nobody belongs to it any more


class Organization(Entity):
    """A company's division: the border that no data crosses."""

    company = models.CharField(_("company"), max_length=120, validators=[PLAIN])
    division = models.CharField(_("division"), max_length=120, blank=True, validators=[PLAIN])
    join_policy = models.CharField(
        _("joining"), max_length=20, choices=JoinPolicy.choices, default=JoinPolicy.APPROVAL
    )
    # With the policy `domain`: who has a verified address in one of these joins at once, with this role. They are kept
    # as `apps.organizations.domains.normal` writes them, and taken only with a proof (services.domains).
    join_domains = ArrayField(
        models.CharField(max_length=253), verbose_name=_("domains"), size=20, default=list, blank=True
    )
    join_role = models.CharField(
        _("role at joining"),
        max_length=20,
        choices=[(role.value, role.label) for role in JOIN_ROLES],
        default=Role.GUEST,
    )
    # Members without a second factor reach nothing of it until they set one up.
    require_mfa = models.BooleanField(_("second factor demanded"), default=False)
    # Whether managers may make datasets public, for readers of other organizations. Off: none of them is.
    allows_public = models.BooleanField(_("public datasets allowed"), default=False)
    # What it may use; None is no limit. Platform administrators say so (apps.organizations.services.quotas).
    max_users = models.PositiveIntegerField(
        _("most members"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    max_storage_gb = models.FloatField(
        _("most storage (GB)"), null=True, blank=True, validators=[MinValueValidator(0), MaxValueValidator(1e9)]
    )
    max_gpu_hours_per_month = models.FloatField(
        _("most GPU hours a month"), null=True, blank=True, validators=[MinValueValidator(0), MaxValueValidator(1e9)]
    )
    max_jobs_at_once = models.PositiveIntegerField(
        _("most jobs at once"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    # None: the platform's own limit, which every organization has (RATE_ORGANIZATION).
    max_calls_per_minute = models.PositiveIntegerField(
        _("most API calls a minute"), null=True, blank=True, validators=[MinValueValidator(1)]
    )

    # Written by the services of `departures` alone.
    closure = models.CharField(
        _("deletion"), max_length=10, choices=Closure.choices, default=Closure.OPEN, blank=True, editable=False
    )

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        verbose_name = _("organization")
        verbose_name_plural = _("organizations")
        ordering: ClassVar[list[str]] = ["company", "division"]
        constraints = [
            models.UniqueConstraint(
                Lower("company"),
                Lower("division"),
                name="organization_unique",
                violation_error_message=_("This organization exists already."),
            ),
            models.CheckConstraint(
                condition=~models.Q(join_policy=JoinPolicy.DOMAIN, join_domains=[]),
                name="organization_domain_named",
                violation_error_message=_("Name at least one domain."),
            ),
            models.CheckConstraint(
                condition=models.Q(join_role__in=[role.value for role in JOIN_ROLES]),
                name="organization_join_role",
                violation_error_message=_("People who join at once become guests or engineers I."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.company} · {self.division}" if self.division else self.company


class MembershipState(models.TextChoices):
    PENDING = "pending", _("Waiting for approval")  # asked to join; no right at all
    ACTIVE = "active", _("Active")
    SUSPENDED = "suspended", _("Suspended")  # kept, without any right


class Membership(Entity):
    """One person in one organization with one role."""

    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("organization")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("person")
    )
    role = models.CharField(_("role"), max_length=20, choices=Role.choices, default=Role.GUEST)
    state = models.CharField(
        _("state"), max_length=20, choices=MembershipState.choices, default=MembershipState.PENDING
    )

    objects = MembershipQuerySet.as_manager()

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "user"],
                name="membership_unique",
                violation_error_message=_("This person is a member already."),
            )
        ]
        indexes = [
            models.Index(fields=["user", "state"], name="membership_of_user"),
            # A page of many members, and those of them who wait.
            models.Index(fields=["organization", "-id"], name="membership_page"),
            models.Index(
                fields=["organization", "id"], condition=models.Q(state="pending"), name="membership_waiting"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()}"


class Barring(models.Model):
    """A person whom somebody took out of an organization, or who left it while suspended: nothing but somebody there lets
    them in again. It goes when somebody does, and outlives the account: a new one of the same address is theirs too."""

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="barrings", verbose_name=_("organization")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("person")
    )
    # Keyed by the installation's secret and by the organization: it tells nobody the address.
    address = models.CharField(_("digest of the address"), max_length=64)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("barring")
        verbose_name_plural = _("barrings")
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["organization", "address"], name="barring_unique")
        ]

    def __str__(self) -> str:
        return f"{self.organization} · {self.user or self.address[:8]}"
