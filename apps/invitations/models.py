"""Invitations: an address, what it is invited to, and what became of it."""

from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxLengthValidator, RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core.entities import Entity
from apps.invitations.querysets import InvitationQuerySet

MESSAGE_CHARACTERS = 1000
# Line breaks are allowed; other control characters have no business in a mail.
MESSAGE = RegexValidator(r"^[^\x00-\x09\x0b-\x0c\x0e-\x1f]*$", _("Control characters are not allowed."))


class InvitationState(models.TextChoices):
    PENDING = "pending", _("Waiting for an answer")  # the only state in which the link works
    ACCEPTED = "accepted", _("Accepted")
    DECLINED = "declined", _("Declined")
    EXPIRED = "expired", _("Expired")  # nobody answered in time; sending it again makes it pending
    CANCELLED = "cancelled", _("Withdrawn")  # by somebody who may invite


STATE_COLORS = {
    InvitationState.PENDING: "blue",
    InvitationState.ACCEPTED: "green",
    InvitationState.DECLINED: "orange",
    InvitationState.EXPIRED: "secondary",
    InvitationState.CANCELLED: "secondary",
}


class Invitation(Entity):
    """One address invited to one target with one role. The link's token is known to the mail alone."""

    organization = models.ForeignKey(
        "organizations.Organization",
        on_delete=models.CASCADE,
        related_name="invitations",
        verbose_name=_("organization"),
    )
    # A registered target (apps.invitations.targets) and its plain id: what people are invited to stands above this app.
    target_type = models.CharField(_("invited to"), max_length=20)
    target_id = models.UUIDField(_("invited to"))
    email = models.EmailField(_("e-mail address"), max_length=254)
    role = models.CharField(_("role"), max_length=20)
    message = models.TextField(_("message"), blank=True, validators=[MaxLengthValidator(MESSAGE_CHARACTERS), MESSAGE])
    state = models.CharField(
        _("state"), max_length=20, choices=InvitationState.choices, default=InvitationState.PENDING
    )
    # Digest of the newest mail's token; None until it is sent. An older mail's link is dead.
    token_hash = models.CharField(_("digest of the link"), max_length=64, unique=True, null=True, editable=False)
    # How often it was sent; a message in the outbox names its number and is dropped when a newer one exists.
    sendings = models.PositiveIntegerField(_("times sent"), default=1, editable=False)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("invited by")
    )
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("accepted by")
    )
    expires_at = models.DateTimeField(_("valid until"))
    sent_at = models.DateTimeField(_("mail sent"), null=True, editable=False)
    answered_at = models.DateTimeField(_("answered"), null=True, editable=False)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                "target_type",
                "target_id",
                condition=models.Q(state="pending"),
                name="invitation_one_pending",
                violation_error_message=_("This address has an invitation that waits for an answer."),
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=InvitationState.values), name="invitation_state_known"
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "-id"], name="invitation_of_organization"),
            models.Index(fields=["target_id", "-id"], name="invitation_of_target"),
            models.Index(fields=["expires_at"], condition=models.Q(state="pending"), name="invitation_waiting"),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def is_open(self) -> bool:
        """Whether its link can be answered now; beat notes the end a little later."""
        return self.state == InvitationState.PENDING and self.expires_at > timezone.now()

    @property
    def shown_state(self) -> InvitationState:
        """The state as people should read it at this moment."""
        overdue = self.state == InvitationState.PENDING and not self.is_open
        return InvitationState.EXPIRED if overdue else InvitationState(self.state)

    @property
    def state_color(self) -> str:
        return STATE_COLORS[self.shown_state]

    @property
    def state_label(self) -> str:
        return str(self.shown_state.label)
