"""What was counted over all images of a version, kept so that nobody waits for it twice."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.datasets.models.versions import Revision


class VersionStatistics(models.Model):
    """The figures of one revision under one split plan; neither changes, and so they do not."""

    id = models.BigAutoField(primary_key=True)
    revision = models.ForeignKey(
        Revision, on_delete=models.CASCADE, related_name="statistics", db_index=False, verbose_name=_("revision")
    )
    split_digest = models.CharField(_("digest of the split"), max_length=64)
    # As `apps.datasets.selectors.statistics.figures_of` returns them.
    figures = models.JSONField(_("figures"))
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("statistics of a version")
        verbose_name_plural = _("statistics of versions")
        constraints = [models.UniqueConstraint(fields=["revision", "split_digest"], name="version_statistics_unique")]

    def __str__(self) -> str:
        return f"{self.revision_id}: {self.split_digest[:12]}"
