"""Experiments, runs, and how far each has been mirrored to MLflow."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from apps.core.entities import PLAIN, Entity, Trashable
from apps.experiments.querysets import ExperimentQuerySet, RunQuerySet


class MirrorState(models.TextChoices):
    PENDING = "pending", _("Waiting")  # something has not reached MLflow yet
    SYNCED = "synced", _("Mirrored")  # MLflow has everything
    FAILING = "failing", _("Incomplete")  # MLflow refused something for good; the rest goes on

    @property
    def color(self) -> str:
        return {"pending": "blue", "synced": "green", "failing": "orange"}[self.value]


class Mirrored(models.Model):
    """A row with a twin in MLflow. Each outbox message of the row has a number; `mirror_done` counts behind
    `mirror_wanted`, and the two are equal once everything was delivered or refused."""

    mirror_state = models.CharField(
        _("MLflow"), max_length=20, choices=MirrorState.choices, default=MirrorState.PENDING, editable=False
    )
    mirror_error = models.TextField(_("MLflow's last error"), blank=True, editable=False)
    mirror_wanted = models.PositiveBigIntegerField(_("messages sent to MLflow"), default=0, editable=False)
    mirror_done = models.PositiveBigIntegerField(_("messages that MLflow has"), default=0, editable=False)

    class Meta:
        abstract = True

    @property
    def mirror_color(self) -> str:
        return MirrorState(self.mirror_state).color


class Experiment(Entity, Trashable, Mirrored):
    """Runs of a project that belong together."""

    organization = models.ForeignKey(
        "organizations.Organization",
        on_delete=models.CASCADE,
        related_name="experiments",
        editable=False,
        verbose_name=_("organization"),
    )
    project = models.ForeignKey(
        "projects.Project", on_delete=models.CASCADE, related_name="experiments", verbose_name=_("project")
    )
    name = models.CharField(_("name"), max_length=120, validators=[PLAIN])
    description = models.TextField(_("description"), max_length=4000, blank=True)
    # Where runs go that name no experiment.
    is_default = models.BooleanField(_("default of its project"), default=False, editable=False)
    mlflow_experiment_id = models.CharField(_("MLflow experiment"), max_length=64, blank=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("created by"),
    )

    objects = ExperimentQuerySet.as_manager()

    class Meta:
        verbose_name = _("experiment")
        verbose_name_plural = _("experiments")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                "project",
                condition=models.Q(deleted_at__isnull=True),
                name="experiment_name_unique",
                violation_error_message=_("The project has an experiment of this name."),
            ),
            models.UniqueConstraint(
                fields=["project"],
                condition=models.Q(is_default=True, deleted_at__isnull=True),
                name="experiment_one_default",
                violation_error_message=_("The project has a default experiment already."),
            ),
        ]
        indexes = [
            models.Index(fields=["project", "-id"], name="experiment_of_project"),
            models.Index(
                fields=["deleted_at"], condition=models.Q(deleted_at__isnull=False), name="experiment_in_trash"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RunStatus(models.TextChoices):
    RUNNING = "running", _("Running")  # may still log
    FINISHED = "finished", _("Finished")  # the work ended as it should
    FAILED = "failed", _("Failed")  # the work, or the platform under it, gave up
    KILLED = "killed", _("Stopped")  # somebody ended it

    @property
    def color(self) -> str:
        return {"running": "blue", "finished": "green", "failed": "red", "killed": "secondary"}[self.value]


ENDED = (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED)


class Run(Entity, Mirrored):
    """One piece of work that logs parameters, metrics and artifacts. It needs no training job."""

    organization = models.ForeignKey(
        "organizations.Organization", on_delete=models.CASCADE, related_name="runs", verbose_name=_("organization")
    )
    project = models.ForeignKey(
        "projects.Project", on_delete=models.CASCADE, related_name="runs", verbose_name=_("project")
    )
    experiment = models.ForeignKey(
        Experiment, on_delete=models.CASCADE, related_name="runs", verbose_name=_("experiment")
    )
    name = models.CharField(_("name"), max_length=200)
    status = models.CharField(_("status"), max_length=20, choices=RunStatus.choices, default=RunStatus.RUNNING)
    started_at = models.DateTimeField(_("started"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    params = models.JSONField(_("parameters"), default=dict, blank=True)
    tags = models.JSONField(_("tags"), default=dict, blank=True)
    mlflow_run_id = models.CharField(_("MLflow run"), max_length=64, blank=True, editable=False)
    mlflow_artifact_uri = models.CharField(_("MLflow artifacts"), max_length=500, blank=True, editable=False)
    # How far the points source was read, in its own terms, and per batch series {name: [seen, sent, topped_up]}.
    points_cursor = models.JSONField(_("points mirrored up to"), null=True, editable=False)
    points_series = models.JSONField(_("series mirrored"), default=dict, editable=False)
    points_announced_at = models.DateTimeField(_("points announced"), null=True, editable=False)

    objects = RunQuerySet.as_manager()

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status="running", ended_at__isnull=True)
                | (~models.Q(status="running") & models.Q(ended_at__isnull=False)),
                name="run_end_matches_status",
                violation_error_message=_("A run has an end exactly when it is not running."),
            )
        ]
        indexes = [
            models.Index(fields=["experiment", "-id"], name="run_of_experiment"),
            models.Index(fields=["project", "-id"], name="run_of_project"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> str:
        return self.status

    @property
    def state_label(self) -> str:
        return str(RunStatus(self.status).label)

    @property
    def state_color(self) -> str:
        return RunStatus(self.status).color

    @property
    def state_live(self) -> bool:
        return self.status == RunStatus.RUNNING
