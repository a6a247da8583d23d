"""Organizations and memberships."""

from typing import ClassVar

from django.conf import settings
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
    INVITATION = "invitation", _("By invitation only")


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
    # Members without a second factor reach nothing of it until they set one up.
    require_mfa = models.BooleanField(_("second factor demanded"), default=False)
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
            )
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
        indexes = [models.Index(fields=["user", "state"], name="membership_of_user")]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()}"
