"""Inference jobs and the pictures that they look at. State, progress and attempts are the job's."""

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.evaluation.querysets import InferenceJobQuerySet


class InferenceJob(models.Model):
    """What a job of the kind "inference" does; it shares the job's id."""

    job = models.OneToOneField(
        "jobs.Job", on_delete=models.CASCADE, primary_key=True, related_name="inference", verbose_name=_("job")
    )
    # What was tried stays, so that the answer can be traced and repeated.
    checkpoint = models.ForeignKey(
        "training.Checkpoint",
        on_delete=models.PROTECT,
        related_name="inference_jobs",
        verbose_name=_("checkpoint"),
    )
    trainer = models.CharField(_("trainer"), max_length=63)
    task = models.CharField(_("task"), max_length=40)
    config = models.JSONField(_("settings"), default=dict)
    # Summary of the trainer's result; None until the job has succeeded.
    result = models.JSONField(_("result"), null=True)

    objects = InferenceJobQuerySet.as_manager()

    class Meta:
        verbose_name = _("inference job")
        verbose_name_plural = _("inference jobs")
        ordering: ClassVar[list[str]] = ["-job_id"]

    def __str__(self) -> str:
        return self.job.name

    @property
    def organization_id(self) -> Any:
        return self.job.organization_id

    @property
    def project_id(self) -> Any:
        return self.job.project_id


class InferenceInput(models.Model):
    """One picture of an inference job; its bytes are a blob of the organization, exactly as they were sent."""

    job = models.ForeignKey(
        InferenceJob, on_delete=models.CASCADE, related_name="inputs", db_index=False, verbose_name=_("job")
    )
    no = models.PositiveSmallIntegerField(_("number"))
    name = models.CharField(_("name"), max_length=255)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    size = models.PositiveIntegerField(_("size"))
    media_type = models.CharField(_("media type"), max_length=40)
    # Of the upright picture, in pixels.
    width = models.PositiveIntegerField(_("width"))
    height = models.PositiveIntegerField(_("height"))

    class Meta:
        verbose_name = _("input picture")
        verbose_name_plural = _("input pictures")
        ordering: ClassVar[list[str]] = ["job", "no"]
        constraints = [models.UniqueConstraint(fields=["job", "no"], name="inference_input_number_unique")]

    def __str__(self) -> str:
        return self.name
