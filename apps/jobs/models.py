"""Jobs, their attempts, and what attempts send: events, log chunks, files."""

from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from apps.core.entities import PLAIN, Entity
from apps.jobs.querysets import AttemptQuerySet, JobQuerySet
from apps.jobs.reasons import worded
from apps.jobs.states import COLORS, TERMINAL, AttemptState, JobState


class Job(Entity):
    """One piece of work. What it does is in the row that shares its id (`TrainingJob`, `InferenceJob`, …)."""

    kind = models.CharField(_("kind"), max_length=30)
    organization = models.ForeignKey(
        "organizations.Organization", on_delete=models.CASCADE, related_name="jobs", verbose_name=_("organization")
    )
    project = models.ForeignKey(
        "projects.Project", on_delete=models.CASCADE, related_name="jobs", verbose_name=_("project")
    )
    name = models.CharField(_("name"), max_length=120, validators=[PLAIN])
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("created by")
    )
    state = models.CharField(_("state"), max_length=20, choices=JobState.choices, default=JobState.DRAFT)
    reason_code = models.CharField(_("reason"), max_length=60, blank=True)
    reason_params = models.JSONField(_("facts of the reason"), default=dict, blank=True)
    priority = models.SmallIntegerField(
        _("priority"), default=0, validators=[MinValueValidator(-10), MaxValueValidator(10)]
    )
    resource_group = models.ForeignKey(
        "resources.ResourceGroup", on_delete=models.PROTECT, related_name="jobs", verbose_name=_("resource group")
    )
    cpus = models.PositiveSmallIntegerField(_("CPUs"), default=1, validators=[MinValueValidator(1)])
    memory_mb = models.PositiveIntegerField(_("memory in MB"), default=1024, validators=[MinValueValidator(128)])
    gpus = models.PositiveSmallIntegerField(_("GPUs"), default=0)
    not_before = models.DateTimeField(_("start not before"), null=True, blank=True)
    retry_of = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="retries", verbose_name=_("retry of")
    )
    # Who asked to stop, and why; the launcher learns it with its next call.
    stop_reason = models.CharField(_("reason of the stop"), max_length=30, blank=True)
    stop_requested_at = models.DateTimeField(_("stop asked for"), null=True, blank=True)
    stop_grace_seconds = models.PositiveIntegerField(_("seconds to stop in"), default=120)
    restarts = models.PositiveSmallIntegerField(_("restarts"), default=0)
    attempt_no = models.PositiveIntegerField(_("attempt"), default=0)
    # The one cursor that clients know; raised in the transaction that stores the events.
    event_seq = models.BigIntegerField(_("last event"), default=0)
    log_bytes = models.BigIntegerField(_("size of the log"), default=0)
    stage = models.CharField(_("stage"), max_length=30, blank=True)
    progress = models.FloatField(_("progress"), null=True, blank=True)
    # {"current", "total", "unit", "message", "began", "began_fraction", "rate"}; times in Unix seconds.
    progress_detail = models.JSONField(_("progress in detail"), default=dict, blank=True)
    queued_at = models.DateTimeField(_("queued"), null=True, blank=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering: ClassVar[list[str]] = ["-id"]
        indexes = [
            models.Index(fields=["organization", "-id"], name="job_of_organization"),
            models.Index(fields=["project", "-id"], name="job_of_project"),
            models.Index(fields=["-priority", "queued_at"], condition=models.Q(state="queued"), name="job_queue"),
            models.Index(
                fields=["state"],
                condition=models.Q(state__in=["starting", "running", "unreachable", "stopping"]),
                name="job_active",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(finished_at__isnull=True) | models.Q(state__in=sorted(TERMINAL)),
                name="job_finished_is_terminal",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL

    @property
    def state_color(self) -> str:
        return COLORS[JobState(self.state)]

    @property
    def reason(self) -> dict[str, str] | None:
        return worded(self.reason_code, self.reason_params)


class Attempt(Entity):
    """One try to run a job: a node, slots, a lease, and the token that fences its writes."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="attempts", verbose_name=_("job"))
    no = models.PositiveIntegerField(_("number"))
    state = models.CharField(_("state"), max_length=20, choices=AttemptState.choices, default=AttemptState.CLAIMED)
    node = models.ForeignKey(
        "resources.Node", on_delete=models.PROTECT, related_name="attempts", verbose_name=_("node")
    )
    # Digest of the token; empty until the node has made one.
    token_hash = models.CharField(_("digest of the token"), max_length=64, blank=True)
    nonce = models.CharField(_("launcher"), max_length=64, blank=True)
    claimed_at = models.DateTimeField(_("claimed"))
    launch_sent_at = models.DateTimeField(_("launch sent"), null=True)
    hello_at = models.DateTimeField(_("launcher's first call"), null=True)
    lease_until = models.DateTimeField(_("lease until"))
    # When nobody answered any more; None while the lease holds.
    unreachable_since = models.DateTimeField(_("unreachable since"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    exit_code = models.IntegerField(_("exit code"), null=True)
    exit_signal = models.IntegerField(_("signal"), null=True)
    end_reason = models.CharField(_("reason"), max_length=60, blank=True)
    # Step at which this attempt went on; charts cut earlier attempts there. None: from the beginning.
    resumed_step = models.BigIntegerField(_("resumed at step"), null=True)
    # Highest stored number of each stream.
    trainer_acked = models.BigIntegerField(_("events of the trainer"), default=0)
    launcher_acked = models.BigIntegerField(_("events of the launcher"), default=0)
    log_bytes = models.BigIntegerField(_("size of the log"), default=0)
    # The result and the failure that the trainer reported.
    outcome = models.JSONField(_("outcome"), default=dict, blank=True)

    objects = AttemptQuerySet.as_manager()

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering: ClassVar[list[str]] = ["job", "no"]
        constraints = [
            models.UniqueConstraint(fields=["job", "no"], name="attempt_number_unique"),
            models.UniqueConstraint(
                fields=["job"], condition=models.Q(state__in=["claimed", "live"]), name="attempt_one_open"
            ),
        ]
        indexes = [
            models.Index(
                fields=["lease_until"], condition=models.Q(state__in=["claimed", "live"]), name="attempt_lease"
            )
        ]

    def __str__(self) -> str:
        return f"{self.job_id} #{self.no}"


class SlotClaim(models.Model):
    """What an attempt holds of a node; freed when the node is known to run nothing of it any more."""

    attempt = models.OneToOneField(
        Attempt, on_delete=models.CASCADE, primary_key=True, related_name="claim", verbose_name=_("attempt")
    )
    node = models.ForeignKey("resources.Node", on_delete=models.PROTECT, related_name="claims", verbose_name=_("node"))
    cpus = models.PositiveSmallIntegerField(_("CPUs"))
    memory_mb = models.PositiveIntegerField(_("memory in MB"))
    gpu_indexes: Any = models.JSONField(_("GPUs"), default=list)

    class Meta:
        verbose_name = _("slot claim")
        verbose_name_plural = _("slot claims")

    def __str__(self) -> str:
        return f"{self.attempt_id}: {self.cpus} CPU"


class JobEvent(models.Model):
    """One line of a journal, or one of the portal's own events about the job."""

    job = models.ForeignKey(
        Job, on_delete=models.CASCADE, related_name="events", db_index=False, verbose_name=_("job")
    )
    seq = models.BigIntegerField(_("number"))
    attempt_no = models.PositiveIntegerField(_("attempt"))
    stream = models.CharField(_("stream"), max_length=10)  # trainer, launcher or portal
    stream_seq = models.BigIntegerField(_("number in the stream"))
    type = models.CharField(_("type"), max_length=20)
    data = models.JSONField(_("data"))
    time = models.DateTimeField(_("time"))

    class Meta:
        verbose_name = _("job event")
        verbose_name_plural = _("job events")
        constraints = [
            models.UniqueConstraint(fields=["job", "seq"], name="job_event_seq_unique"),
            models.UniqueConstraint(
                fields=["job", "attempt_no", "stream", "stream_seq"], name="job_event_stream_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} #{self.seq}"


class LogChunk(models.Model):
    """Where a piece of a job's log lies in storage."""

    job = models.ForeignKey(
        Job, on_delete=models.CASCADE, related_name="log_chunks", db_index=False, verbose_name=_("job")
    )
    attempt_no = models.PositiveIntegerField(_("attempt"))
    offset = models.BigIntegerField(_("offset"))
    size = models.PositiveIntegerField(_("size"))
    key = models.CharField(_("key"), max_length=255)

    class Meta:
        verbose_name = _("log chunk")
        verbose_name_plural = _("log chunks")
        constraints = [models.UniqueConstraint(fields=["job", "offset"], name="log_chunk_unique")]

    def __str__(self) -> str:
        return f"{self.offset}+{self.size}"


class AttemptFile(models.Model):
    """A checkpoint or artifact that a launcher has uploaded; its bytes are a blob of the organization."""

    attempt = models.ForeignKey(
        Attempt, on_delete=models.CASCADE, related_name="files", db_index=False, verbose_name=_("attempt")
    )
    kind = models.CharField(_("kind"), max_length=20)  # checkpoint or artifact
    name = models.CharField(_("name"), max_length=300)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    size = models.BigIntegerField(_("size"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("uploaded file")
        verbose_name_plural = _("uploaded files")
        constraints = [
            models.UniqueConstraint(fields=["attempt", "kind", "name", "sha256"], name="attempt_file_unique")
        ]

    def __str__(self) -> str:
        return self.name


class JobArtifact(Entity):
    """A picture, table or report that a job made, as its pages show it. The last of a name in an attempt counts."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="artifacts", verbose_name=_("job"))
    attempt_no = models.PositiveIntegerField(_("attempt"))
    name = models.CharField(_("name"), max_length=300)
    # A text by language code; empty: the name stands for it.
    titles = models.JSONField(_("title"), default=dict, blank=True)
    kind = models.CharField(_("kind"), max_length=20)
    media_type = models.CharField(_("media type"), max_length=100)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    size = models.BigIntegerField(_("size"))
    data = models.JSONField(_("data"), null=True)

    class Meta:
        verbose_name = _("artifact")
        verbose_name_plural = _("artifacts")
        ordering: ClassVar[list[str]] = ["name"]
        constraints = [models.UniqueConstraint(fields=["job", "name"], name="job_artifact_unique")]

    def __str__(self) -> str:
        return self.title or self.name

    @property
    def title(self) -> str:
        """The title in the reader's language, "" when the trainer gave none."""
        return self.titles.get((get_language() or "en")[:2]) or self.titles.get("en", "")


class ReconcilerPass(models.Model):
    """When the reconciler last ran; after an outage of its own it waits one full lease before it judges."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    last_at = models.DateTimeField(_("last pass"))
    judge_from = models.DateTimeField(_("judges from"))

    class Meta:
        verbose_name = _("reconciler pass")
        verbose_name_plural = _("reconciler passes")

    def __str__(self) -> str:
        return f"{self.last_at:%H:%M:%S}"
