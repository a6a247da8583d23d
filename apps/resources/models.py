"""Resource groups, nodes and what nodes report."""

from datetime import timedelta
from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.core.entities import Entity
from apps.resources.querysets import NodeQuerySet, ResourceGroupQuerySet

# A node that has not reported for this long gets no new work.
SILENT_AFTER = timedelta(seconds=20)


class ResourceGroup(Entity):
    """A set of nodes with one way of starting work on them."""

    # None: every organization of this installation may use the group.
    organization = models.ForeignKey(
        "organizations.Organization",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="resource_groups",
        verbose_name=_("organization"),
        help_text=_("Empty: every organization may use the group."),
    )
    name = models.CharField(_("name"), max_length=80)
    description = models.TextField(_("description"), max_length=2000, blank=True)
    executor = models.CharField(
        _("how work is started"),
        max_length=20,
        choices=[("subprocess", _("Process on the node"))],
        default="subprocess",
    )
    is_default = models.BooleanField(_("used when none is chosen"), default=False)
    max_jobs_at_once = models.PositiveIntegerField(
        _("most jobs at once"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("On all its machines together. Empty: as many as there are slots for."),
    )

    objects = ResourceGroupQuerySet.as_manager()

    class Meta:
        verbose_name = _("resource group")
        verbose_name_plural = _("resource groups")
        ordering: ClassVar[list[str]] = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"],
                nulls_distinct=False,
                name="resource_group_name_unique",
                violation_error_message=_("There is a resource group of this name."),
            ),
            models.UniqueConstraint(
                fields=["is_default"],
                condition=models.Q(is_default=True),
                name="resource_group_one_default",
                violation_error_message=_("There is a default resource group already."),
            ),
        ]

    def __str__(self) -> str:
        # The one that comes with the installation has an English name in the database.
        return self.name if self.organization_id else gettext(self.name)

    def get_absolute_url(self) -> str:
        return reverse("resources:detail", args=[self.pk])


class NodeState(models.TextChoices):
    READY = "ready", _("Ready")  # takes work
    DRAINING = "draining", _("Draining")  # finishes what it has, takes nothing new
    OFFLINE = "offline", _("Offline")  # has not reported


class Node(Entity):
    """One machine and what it has to give."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    group = models.ForeignKey(ResourceGroup, on_delete=models.PROTECT, related_name="nodes", verbose_name=_("group"))
    state = models.CharField(_("state"), max_length=20, choices=NodeState.choices, default=NodeState.OFFLINE)
    cpus = models.PositiveIntegerField(_("CPU slots"), default=1, validators=[MinValueValidator(1)])
    memory_mb = models.PositiveIntegerField(_("memory in MB"), default=1024)
    # [{"index": 0, "name": "…", "memory_mb": 81559}]
    gpus = models.JSONField(_("accelerators"), default=list, blank=True)
    boot_id = models.CharField(_("boot"), max_length=40, blank=True)
    last_seen_at = models.DateTimeField(_("last report"), null=True)
    # The newest sample, so that lists need no second table.
    usage = models.JSONField(_("usage"), default=dict, blank=True)

    objects = NodeQuerySet.as_manager()

    class Meta:
        verbose_name = _("node")
        verbose_name_plural = _("nodes")
        ordering: ClassVar[list[str]] = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def takes_work(self) -> bool:
        fresh = self.last_seen_at is not None and self.last_seen_at > timezone.now() - SILENT_AFTER
        return self.state == NodeState.READY and fresh

    @property
    def state_color(self) -> str:
        return {NodeState.READY: "green", NodeState.DRAINING: "yellow"}.get(NodeState(self.state), "secondary")

    def queue(self, gpus: int) -> str:
        """The Celery queue of this node for work of this class."""
        return f"{'gpu' if gpus else 'cpu'}.{self.name}"


class NodeSample(models.Model):
    """What a node used at one moment."""

    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="samples", verbose_name=_("node"))
    time = models.DateTimeField(_("time"), default=timezone.now)
    cpu_percent = models.FloatField(_("CPU, percent"))
    memory_used_mb = models.PositiveIntegerField(_("memory used in MB"))
    disk_used_percent = models.FloatField(_("disk, percent"))
    # [{"index": 0, "percent": 93, "memory_mb": 71234, "celsius": 61}]
    gpus: Any = models.JSONField(_("GPUs"), default=list)

    class Meta:
        verbose_name = _("node sample")
        verbose_name_plural = _("node samples")
        indexes = [models.Index(fields=["node", "-time"], name="node_sample_time")]

    def __str__(self) -> str:
        return f"{self.node_id} {self.time:%H:%M:%S}"
