"""Whether the files in the store are still what came in."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.entities import Entity
from apps.datasets.models.choices import ACTIVE_CHECKS, CHECK_COLORS, CheckState
from apps.datasets.models.datasets import Dataset
from apps.datasets.querysets import IntegrityCheckQuerySet


class IntegrityCheck(Entity):
    """One reading of every file of a dataset, in all its revisions, against the digests."""

    dataset = models.ForeignKey(
        Dataset, on_delete=models.CASCADE, related_name="integrity_checks", verbose_name=_("dataset")
    )
    state = models.CharField(_("state"), max_length=10, choices=CheckState.choices, default=CheckState.WAITING)
    is_scheduled = models.BooleanField(_("scheduled"), default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    # The same content counts once.
    file_count = models.PositiveIntegerField(_("files"), default=0)
    done_count = models.PositiveIntegerField(_("files read"), default=0)
    byte_count = models.PositiveBigIntegerField(_("bytes read"), default=0)
    missing_count = models.PositiveIntegerField(_("missing"), default=0)
    changed_count = models.PositiveIntegerField(_("damaged"), default=0)
    # Damaged when the check began, and whole now.
    repaired_count = models.PositiveIntegerField(_("repaired"), default=0)
    # The last blob that was read: a worker that takes over goes on behind it.
    position = models.BigIntegerField(_("position"), default=0, editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = IntegrityCheckQuerySet.as_manager()

    class Meta:
        verbose_name = _("integrity check")
        verbose_name_plural = _("integrity checks")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["dataset"],
                condition=models.Q(state__in=[CheckState.WAITING, CheckState.RUNNING]),
                name="integrity_check_active_unique",
                violation_error_message=_("The dataset is being checked already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.dataset} · {self.created_at:%Y-%m-%d %H:%M} UTC"

    @property
    def organization_id(self) -> Any:
        return self.dataset.organization_id

    @property
    def project_id(self) -> Any:
        return self.dataset.project_id

    @property
    def state_color(self) -> str:
        bad = self.state == CheckState.DONE and (self.missing_count or self.changed_count)
        return "red" if bad else CHECK_COLORS[CheckState(self.state)]

    @property
    def state_live(self) -> bool:
        return self.state in ACTIVE_CHECKS
