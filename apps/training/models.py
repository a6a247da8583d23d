"""Training jobs and checkpoints. State, progress and attempts are the job's."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.core.entities import Entity
from apps.shares.models import GroupShare, UserShare
from apps.training.querysets import CheckpointQuerySet, TrainingJobQuerySet


class TrainingJob(models.Model):
    """What a job of the kind "training" does; it shares the job's id."""

    job = models.OneToOneField(
        "jobs.Job", on_delete=models.CASCADE, primary_key=True, related_name="training", verbose_name=_("job")
    )
    trainer = models.CharField(_("trainer"), max_length=63)
    task = models.CharField(_("task"), max_length=40)
    model = models.CharField(_("model"), max_length=120, blank=True)
    config = models.JSONField(_("settings"), default=dict)
    seed = models.PositiveIntegerField(_("seed"), default=0)
    dataset = models.ForeignKey(
        "datasets.Dataset",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="training_jobs",
        verbose_name=_("dataset"),
    )
    # What it is to learn from; NULL: the dataset as it is when the training starts. Copies of the training keep it.
    dataset_version = models.ForeignKey(
        "datasets.Snapshot",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="wanted_by",
        verbose_name=_("dataset version"),
    )
    # Its own split, before the dataset's: what `apps.datasets.services.checked_split` returns; {} for none.
    split = models.JSONField(_("split"), default=dict, blank=True)
    # Made when the training starts; what it saw can be named for ever after.
    snapshot = models.ForeignKey(
        "datasets.Snapshot",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="training_jobs",
        verbose_name=_("snapshot"),
    )
    start_from = models.ForeignKey(
        "training.Checkpoint",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="continued_by",
        verbose_name=_("start from"),
    )
    run = models.OneToOneField(
        "experiments.Run",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="training_job",
        verbose_name=_("run"),
    )

    objects = TrainingJobQuerySet.as_manager()

    class Meta:
        verbose_name = _("training job")
        verbose_name_plural = _("training jobs")
        ordering: ClassVar[list[str]] = ["-job_id"]
        # Levels of a share beside Django's own view and change.
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("use_trainingjob", "Can use training job"),
            ("manage_trainingjob", "Can manage training job"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(dataset_version=None) | Q(dataset__isnull=False, split={}), name="training_version_fits"
            ),
            models.CheckConstraint(
                condition=Q(dataset_version=None) | Q(snapshot=None) | Q(snapshot=F("dataset_version")),
                name="training_learnt_from_its_version",
            ),
        ]

    def __str__(self) -> str:
        return self.job.name

    def get_absolute_url(self) -> str:
        return reverse("training:monitor", args=[self.pk])

    @property
    def organization_id(self) -> Any:
        return self.job.organization_id

    @property
    def project_id(self) -> Any:
        return self.job.project_id


class TrainingSchedule(models.Model):
    """When beat starts copies of a training, as the person who said so; the times stand in a row of beat.

    When the training goes, this goes with it, and the row of beat at its next time.
    """

    training = models.OneToOneField(
        TrainingJob,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="schedule",
        verbose_name=_("training job"),
    )
    beat = models.OneToOneField(
        "django_celery_beat.PeriodicTask", on_delete=models.CASCADE, related_name="+", verbose_name=_("row of beat")
    )
    cron = models.CharField(_("times"), max_length=100)
    time_zone = models.CharField(_("time zone"), max_length=60)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("person")
    )
    last_at = models.DateTimeField(_("last time"), null=True)
    last_training = models.ForeignKey(
        TrainingJob, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("last training")
    )
    # Why the last time started none, in the person's language: {"code", "text", "hint"}; {} when it did.
    refusal = models.JSONField(_("refusal"), default=dict)

    class Meta:
        verbose_name = _("schedule of a training")
        verbose_name_plural = _("schedules of trainings")

    def __str__(self) -> str:
        return f"{self.cron} ({self.time_zone})"


class TrainingJobUserShare(UserShare):
    content_object = models.ForeignKey(
        TrainingJob, on_delete=models.CASCADE, related_name="user_shares", verbose_name=_("training job")
    )

    class Meta:
        verbose_name = _("share of a training with a person")
        verbose_name_plural = _("shares of trainings with people")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "content_object"],
                name="training_user_share_unique",
                violation_error_message=_("It is shared with this person already."),
            )
        ]


class TrainingJobGroupShare(GroupShare):
    content_object = models.ForeignKey(
        TrainingJob, on_delete=models.CASCADE, related_name="group_shares", verbose_name=_("training job")
    )

    class Meta:
        verbose_name = _("share of a training with a project")
        verbose_name_plural = _("shares of trainings with projects")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["group", "content_object"],
                name="training_group_share_unique",
                violation_error_message=_("It is shared with this project already."),
            )
        ]


class CheckpointKind(models.TextChoices):
    BEST = "best", _("Best")
    LAST = "last", _("Last")
    RESUME = "resume", _("To resume from")


class Checkpoint(Entity):
    """A model's weights: from a job, or imported. The bytes are a blob of the organization."""

    organization = models.ForeignKey(
        "organizations.Organization", on_delete=models.CASCADE, related_name="+", verbose_name=_("organization")
    )
    # None: imported from elsewhere.
    job = models.ForeignKey(
        "jobs.Job", on_delete=models.CASCADE, null=True, related_name="checkpoints", verbose_name=_("job")
    )
    attempt_no = models.PositiveIntegerField(_("attempt"), default=0)
    kind = models.CharField(_("kind"), max_length=10, choices=CheckpointKind.choices)
    trainer = models.CharField(_("trainer"), max_length=63)
    task = models.CharField(_("task"), max_length=40)
    name = models.CharField(_("name"), max_length=300)
    step = models.BigIntegerField(_("step"), null=True)
    epoch = models.FloatField(_("epoch"), null=True)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    size = models.BigIntegerField(_("size"))
    metrics = models.JSONField(_("metrics"), default=dict)

    objects = CheckpointQuerySet.as_manager()

    class Meta:
        verbose_name = _("checkpoint")
        verbose_name_plural = _("checkpoints")
        ordering: ClassVar[list[str]] = ["-id"]
        indexes = [models.Index(fields=["job", "kind", "-id"], name="checkpoint_of_job")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.name}"
