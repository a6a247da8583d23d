"""Exports of organizations, their deletions, and the register of erased people."""

from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core.entities import Entity
from apps.departures.querysets import (
    OrganizationDeletionQuerySet,
    OrganizationExportQuerySet,
    PersonErasureQuerySet,
)

REASON_CHARACTERS = 1000


class ExportState(models.TextChoices):
    WAITING = "waiting", _("Waiting")  # for a worker
    RUNNING = "running", _("Being written")
    READY = "ready", _("Ready")  # may be downloaded until it expires
    FAILED = "failed", _("Failed")  # the reason is stored
    EXPIRED = "expired", _("Expired")  # the file was removed


EXPORT_COLORS = {
    ExportState.WAITING: "azure",
    ExportState.RUNNING: "blue",
    ExportState.READY: "green",
    ExportState.FAILED: "red",
    ExportState.EXPIRED: "secondary",
}
EXPORT_FAILURES = {
    "no_right": _("The person who asked for it is no longer an administrator."),
    "interrupted": _("It was interrupted too often; ask for another one."),
    "broken": _("Something went wrong; ask for another one."),
}


class OrganizationExport(Entity):
    """Everything that an organization has said and done, as one ZIP in the object store."""

    organization = models.ForeignKey(
        "organizations.Organization", on_delete=models.CASCADE, related_name="exports", verbose_name=_("organization")
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("asked for by"),
    )
    state = models.CharField(_("state"), max_length=10, choices=ExportState.choices, default=ExportState.WAITING)
    # Of the worker that writes it: a later one takes over by a higher number when this one falls silent.
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=0)
    heartbeat_at = models.DateTimeField(_("last sign of life"), null=True)
    # The list at hand, how many of all are done, and lines written so far.
    part = models.CharField(_("part"), max_length=80, blank=True)
    parts_done = models.PositiveSmallIntegerField(_("parts done"), default=0)
    part_count = models.PositiveSmallIntegerField(_("parts"), default=0)
    row_count = models.PositiveBigIntegerField(_("lines"), default=0)
    byte_count = models.PositiveBigIntegerField(_("size"), default=0)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    failure = models.CharField(_("why it failed"), max_length=20, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    expires_at = models.DateTimeField(_("kept until"), null=True)

    objects = OrganizationExportQuerySet.as_manager()

    class Meta:
        verbose_name = _("export of an organization")
        verbose_name_plural = _("exports of organizations")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization"],
                condition=models.Q(state__in=["waiting", "running"]),
                name="organization_export_one_live",
                violation_error_message=_("An export of this organization is being written already."),
            ),
            models.CheckConstraint(
                condition=~models.Q(state="ready") | models.Q(expires_at__isnull=False),
                name="organization_export_ready_expires",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "-id"], name="organization_export_list"),
            models.Index(fields=["expires_at"], condition=models.Q(state="ready"), name="organization_export_sweep"),
        ]

    def __str__(self) -> str:
        return f"{self.organization} · {self.created_at:%Y-%m-%d %H:%M} UTC"

    @property
    def key(self) -> str:
        """Where the file of this attempt lies in the store."""
        return f"exports/{self.organization_id}/{self.pk}-{self.attempt}.zip"

    @property
    def is_live(self) -> bool:
        return self.state in (ExportState.WAITING, ExportState.RUNNING)

    @property
    def is_there(self) -> bool:
        """Whether it can be downloaded now; beat removes it a little after its end."""
        return self.state == ExportState.READY and self.expires_at is not None and self.expires_at > timezone.now()

    @property
    def state_color(self) -> str:
        return EXPORT_COLORS[ExportState(self.state)]

    @property
    def state_live(self) -> bool:
        return self.is_live

    @property
    def failure_text(self) -> Any:
        return EXPORT_FAILURES.get(self.failure, "")


class DeletionState(models.TextChoices):
    SCHEDULED = "scheduled", _("Scheduled")  # the grace runs; everything is still there
    CANCELLED = "cancelled", _("Cancelled")  # within the grace; nothing was lost
    ENDING = "ending", _("Being deleted")  # the grace is over; passes of beat go on until nothing is left
    DONE = "done", _("Deleted")


DELETION_COLORS = {
    DeletionState.SCHEDULED: "orange",
    DeletionState.CANCELLED: "secondary",
    DeletionState.ENDING: "red",
    DeletionState.DONE: "secondary",
}


class OrganizationDeletion(Entity):
    """One decision to delete an organization. The row outlives the organization, without a word about anybody."""

    # Plain: what it names is gone in the end.
    organization_id = models.UUIDField(_("organization"))
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("scheduled by"),
    )
    # Emptied with the deletion.
    reason = models.TextField(_("reason"), blank=True, validators=[MaxLengthValidator(REASON_CHARACTERS)])
    state = models.CharField(_("state"), max_length=10, choices=DeletionState.choices, default=DeletionState.SCHEDULED)
    due_at = models.DateTimeField(_("due"))
    begun_at = models.DateTimeField(_("begun"), null=True)
    ended_at = models.DateTimeField(_("cancelled or finished"), null=True)
    # What the passes have taken away so far: {"datasets.Item": 1200, "objects": 40}.
    removed = models.JSONField(_("removed"), default=dict, blank=True)

    objects = OrganizationDeletionQuerySet.as_manager()

    class Meta:
        verbose_name = _("deletion of an organization")
        verbose_name_plural = _("deletions of organizations")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization_id"],
                condition=models.Q(state__in=["scheduled", "ending"]),
                name="organization_deletion_one_open",
                violation_error_message=_("The deletion of this organization is scheduled already."),
            )
        ]
        indexes = [
            models.Index(fields=["organization_id", "-id"], name="organization_deletion_list"),
            models.Index(
                fields=["due_at"],
                condition=models.Q(state__in=["scheduled", "ending"]),
                name="organization_deletion_due",
            ),
        ]

    def __str__(self) -> str:
        return str(self.organization_id)

    @property
    def state_color(self) -> str:
        return DELETION_COLORS[DeletionState(self.state)]

    @property
    def state_live(self) -> bool:
        return self.state == DeletionState.ENDING


class PersonErasure(Entity):
    """That an account was deleted, when and why: an id, and nothing about the person."""

    person_id = models.UUIDField(_("person"))
    erased_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("erased by")
    )
    # "" where people deleted their own account.
    reason = models.TextField(_("reason"), blank=True, validators=[MaxLengthValidator(REASON_CHARACTERS)])

    objects = PersonErasureQuerySet.as_manager()

    class Meta:
        verbose_name = _("erasure of a person")
        verbose_name_plural = _("erasures of people")
        ordering: ClassVar[list[str]] = ["-id"]

    def __str__(self) -> str:
        return str(self.person_id)
