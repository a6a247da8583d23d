"""Series and points. A job can have millions of points: they have no id of their own and no admin page."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _


class Scope(models.TextChoices):
    BATCH = "batch", _("Batch")
    EPOCH = "epoch", _("Epoch")
    SYSTEM = "system", _("System")


class Series(models.Model):
    """One named number of a job. Last and best values are kept here, so that lists never read points."""

    job = models.ForeignKey(
        "jobs.Job", on_delete=models.CASCADE, related_name="series", db_index=False, verbose_name=_("job")
    )
    name = models.CharField(_("name"), max_length=120)
    scope = models.CharField(_("scope"), max_length=10, choices=Scope.choices)
    count = models.BigIntegerField(_("points"), default=0)
    last_step = models.BigIntegerField(_("last step"), null=True)
    last_value = models.FloatField(_("last"), null=True)
    min_value = models.FloatField(_("lowest"), null=True)
    max_value = models.FloatField(_("highest"), null=True)

    class Meta:
        verbose_name = _("series")
        verbose_name_plural = _("series")
        ordering: ClassVar[list[str]] = ["name"]
        constraints = [models.UniqueConstraint(fields=["job", "name"], name="series_name_unique")]

    def __str__(self) -> str:
        return self.name


class Point(models.Model):
    """A value at a step of an attempt. A step repeated within an attempt: the last one wins."""

    pk = models.CompositePrimaryKey("series_id", "attempt_no", "step")
    # Points are written in the transaction that finds or makes their series, with the job locked: a constraint that
    # looks every point's series up again would take longer than the points themselves.
    series = models.ForeignKey(
        Series,
        on_delete=models.CASCADE,
        related_name="points",
        db_index=False,
        db_constraint=False,
        verbose_name=_("series"),
    )
    attempt_no = models.IntegerField(_("attempt"))
    step = models.BigIntegerField(_("step"))
    epoch = models.FloatField(_("epoch"), null=True)
    time = models.FloatField(
        _("time")
    )  # Unix seconds: half the bytes and none of the parsing of a timestamp in charts
    value = models.FloatField(_("value"))

    class Meta:
        verbose_name = _("point")
        verbose_name_plural = _("points")

    def __str__(self) -> str:
        return f"{self.step}: {self.value}"


class Rollup(models.Model):
    """A run of points of one attempt, kept as its lowest and its highest: what a chart of a whole training reads.

    `lowest` and `highest` are `[value, step, epoch or None, Unix time]`. `apps.metrics.services.roll_up` writes them.
    """

    # Points of one rollup, and of the shortest series that gets any.
    SIZE: ClassVar[int] = 64
    LEAST: ClassVar[int] = 1024

    pk = models.CompositePrimaryKey("series_id", "attempt_no", "first_step")
    series = models.ForeignKey(
        Series,
        on_delete=models.CASCADE,
        related_name="rollups",
        db_index=False,
        db_constraint=False,
        verbose_name=_("series"),
    )
    attempt_no = models.IntegerField(_("attempt"))
    first_step = models.BigIntegerField(_("first step"))
    last_step = models.BigIntegerField(_("last step"))
    lowest = ArrayField(models.FloatField(null=True), size=4, verbose_name=_("lowest"))
    highest = ArrayField(models.FloatField(null=True), size=4, verbose_name=_("highest"))

    class Meta:
        verbose_name = _("rollup")
        verbose_name_plural = _("rollups")

    def __str__(self) -> str:
        return f"{self.first_step}–{self.last_step}"
