"""How images are divided."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.entities import Entity
from apps.datasets.models.choices import Split, SplitLevel, SplitMethod
from apps.datasets.models.contents import Item
from apps.datasets.models.datasets import Dataset


class SplitPlan(Entity):
    """How images are divided. Immutable; a plan is a rule, or rows, so re-splitting rewrites nothing else."""

    dataset = models.ForeignKey(
        Dataset, on_delete=models.CASCADE, related_name="split_plans", verbose_name=_("dataset")
    )
    level = models.CharField(_("level"), max_length=10, choices=SplitLevel.choices)
    method = models.CharField(_("method"), max_length=10, choices=SplitMethod.choices)
    seed = models.PositiveIntegerField(_("seed"), default=0)
    # {"train": 0.8, "val": 0.2, "test": 0.0}; {} unless automatic.
    ratios = models.JSONField(_("ratios"), default=dict, blank=True)
    # What of a path names its group, for a grouped plan; "" is the folder.
    pattern = models.CharField(_("pattern"), max_length=200, blank=True, default="")
    # The plan from which images were moved by hand; its rows say where to. The base has none itself.
    base = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("moved from")
    )
    moved_count = models.PositiveIntegerField(_("images moved by hand"), default=0, db_default=0)
    # Of method, seed, ratios, pattern and rows; the level is no part of it.
    digest = models.CharField(_("digest"), max_length=64)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )

    class Meta:
        verbose_name = _("split plan")
        verbose_name_plural = _("split plans")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["dataset", "level", "digest"], name="split_plan_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.get_method_display()} ({self.get_level_display()})"


class SplitGroup(models.Model):
    """The split of one group in a grouped plan."""

    id = models.BigAutoField(primary_key=True)
    plan = models.ForeignKey(
        SplitPlan, on_delete=models.CASCADE, related_name="groups", db_index=False, verbose_name=_("split plan")
    )
    key = models.CharField(_("group"), max_length=1024)
    split = models.CharField(_("split"), max_length=5, choices=Split.choices)

    class Meta:
        verbose_name = _("split group")
        verbose_name_plural = _("split groups")
        constraints = [models.UniqueConstraint(fields=["plan", "key"], name="split_group_unique")]

    def __str__(self) -> str:
        return self.key


class SplitRow(models.Model):
    """The split of one item in a plan made by hand or stratified, or of one that was moved by hand."""

    id = models.BigAutoField(primary_key=True)
    plan = models.ForeignKey(
        SplitPlan, on_delete=models.CASCADE, related_name="rows", db_index=False, verbose_name=_("split plan")
    )
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="+", verbose_name=_("item"))
    split = models.CharField(_("split"), max_length=5, choices=Split.choices)

    class Meta:
        verbose_name = _("split row")
        verbose_name_plural = _("split rows")
        constraints = [models.UniqueConstraint(fields=["plan", "item"], name="split_row_unique")]

    def __str__(self) -> str:
        return self.split
