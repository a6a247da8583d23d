"""How the job system runs a training."""

import time
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from django.db.models import ProtectedError

from apps.core.storage.keys import blob_key
from apps.datasets.selectors import manifest_lines, snapshot_has_blob
from apps.experiments.models import RunStatus
from apps.experiments.services import runs
from apps.jobs.kinds import InputFile, JobKind, Plan
from apps.jobs.models import Attempt, AttemptFile, Job, JobEvent
from apps.jobs.states import JobState
from apps.training.models import Checkpoint, CheckpointKind, TrainingJob

RESUME_TARGET = "inputs/resume.ckpt"
START_TARGET = "inputs/start.ckpt"
# `resume` checkpoints kept of a job; older ones cannot be needed any more.
KEPT_RESUME = 2
MAX_STEP = 2**53

# Events of files of which the run in MLflow learns, beside points.
FILES = {"artifact", "checkpoint"}

RUN_STATUS = {JobState.SUCCEEDED: RunStatus.FINISHED, JobState.STOPPED: RunStatus.KILLED}


def plan(job: Job, attempt: Attempt) -> Plan:
    """What this attempt trains, and where it goes on."""
    training = TrainingJob.objects.select_related("start_from").get(pk=job.pk)
    resume = Checkpoint.objects.newest_resume(job.pk)
    files: list[InputFile] = []
    spec: dict[str, Any] = {"mode": "train", "task": training.task, "model": training.model}
    spec |= {"config": training.config, "seed": training.seed}
    if resume is not None:
        files.append(InputFile(resume.sha256, resume.size, RESUME_TARGET))
        spec["resume_from"] = {
            "path": RESUME_TARGET,
            "sha256": resume.sha256,
            "step": resume.step,
            "epoch": resume.epoch,
        }
    elif training.start_from is not None:
        start = training.start_from
        files.append(InputFile(start.sha256, start.size, START_TARGET))
        spec["start_from"] = {"path": START_TARGET, "sha256": start.sha256}
    return Plan(
        trainer=training.trainer,
        spec=spec,
        files=files,
        has_dataset=training.snapshot_id is not None,
        resumed_step=resume.step if resume else None,
    )


def dataset_lines(job: Job) -> Iterator[str]:
    training = TrainingJob.objects.select_related("snapshot__dataset", "snapshot__split_plan").get(pk=job.pk)
    assert training.snapshot is not None, "asked for where the plan has a data set"
    return manifest_lines(training.snapshot)


def may_read_blob(job: Job, sha256: str) -> bool:
    """Images of the snapshot, and the checkpoints that the plan names."""
    training = TrainingJob.objects.select_related("snapshot", "start_from").get(pk=job.pk)
    if training.start_from is not None and training.start_from.sha256 == sha256:
        return True
    if Checkpoint.objects.filter(job=job, kind=CheckpointKind.RESUME, sha256=sha256).exists():
        return True
    return training.snapshot is not None and snapshot_has_blob(training.snapshot, sha256)


def on_events(job: Job, attempt: Attempt, events: list[JobEvent]) -> None:
    """Keeps the newest checkpoint of each kind; a superseded one never arrived."""
    newest = {}
    for event in events:
        if event.type == "checkpoint" and not (event.data.get("superseded") or event.data.get("missing")):
            newest[str(event.data.get("kind"))] = event.data
    if newest:
        training = TrainingJob.objects.get(pk=job.pk)
        for kind, data in newest.items():
            if kind in CheckpointKind.values:
                _keep(job, attempt, training, kind, data)
    types = {event.type for event in events}
    has_points = "metrics" in types and _announces.are_due(job.pk)
    if has_points or types & FILES:
        run_id = TrainingJob.objects.values_list("run_id", flat=True).get(pk=job.pk)
        if run_id is not None:
            _mirror(job, attempt, run_id, events, has_points=has_points)


class _Announces:
    """When this process last had the points of a job announced: batches that come sooner cost no statement for it."""

    MOST = 1000

    def __init__(self) -> None:
        self._next: dict[UUID, float] = {}

    def are_due(self, job_id: UUID) -> bool:
        now = time.monotonic()
        if self._next.get(job_id, 0.0) > now:
            return False
        if len(self._next) >= self.MOST:
            self._next = {job: moment for job, moment in self._next.items() if moment > now}
        self._next[job_id] = now + runs.METRICS_EVERY.total_seconds()
        return True


_announces = _Announces()


def _mirror(job: Job, attempt: Attempt, run_id: UUID, events: list[JobEvent], *, has_points: bool) -> None:
    """The run in MLflow learns of points, pictures and the weights that people use: of files that arrived."""
    if has_points:
        runs.run_log_metrics(run_id=run_id)
    for event in events:
        data = event.data
        if data.get("superseded") or data.get("missing") or event.type not in FILES:
            continue
        if event.type == "checkpoint" and data.get("kind") == CheckpointKind.RESUME:
            continue
        folder = "checkpoints" if event.type == "checkpoint" else "artifacts"
        name = PurePosixPath(str(data.get("name", ""))).name
        # The digest becomes part of a path: only that of a file that was verified may.
        arrived = AttemptFile.objects.filter(attempt=attempt, kind=event.type, sha256=str(data.get("sha256", "")))
        if name not in ("", "..") and (file := arrived.first()) is not None:
            key = blob_key(job.organization_id, file.sha256)
            runs.run_log_artifact(run_id=run_id, key=key, name=f"{folder}/{name}")


def _keep(job: Job, attempt: Attempt, training: TrainingJob, kind: str, data: dict[str, object]) -> None:
    sha256, name = str(data.get("sha256", "")), str(data.get("name", ""))[:300]
    file = AttemptFile.objects.filter(attempt=attempt, kind="checkpoint", sha256=sha256).first()
    if file is None:
        return
    step, epoch = data.get("step"), data.get("epoch")
    metrics = data.get("metrics")
    Checkpoint.objects.create(
        organization_id=job.organization_id,
        job=job,
        attempt_no=attempt.no,
        kind=kind,
        trainer=training.trainer,
        task=training.task,
        name=name or kind,
        step=step if isinstance(step, int) and 0 <= step < MAX_STEP else None,
        epoch=float(epoch) if isinstance(epoch, int | float) and 0 <= epoch < MAX_STEP else None,
        sha256=sha256,
        size=file.size,
        metrics=metrics if isinstance(metrics, dict) else {},
    )
    kept = KEPT_RESUME if kind == CheckpointKind.RESUME else 1
    old = Checkpoint.objects.filter(job=job, kind=kind).order_by("-pk").values_list("pk", flat=True)[kept:]
    for checkpoint in Checkpoint.objects.filter(pk__in=list(old)):
        try:
            checkpoint.delete()
        except ProtectedError:
            # Another training started from it, or it predicts: it stays.
            continue


def on_end(job: Job, attempt: Attempt | None) -> None:
    """The run in the experiment ends with the job; one that waits in the queue again goes on."""
    run_id = TrainingJob.objects.values_list("run_id", flat=True).get(pk=job.pk)
    if run_id is not None and job.is_terminal:
        runs.run_end(run_id=run_id, status=RUN_STATUS.get(JobState(job.state), RunStatus.FAILED))


def on_resume(job: Job) -> None:
    """The same run takes more points. Raises `Conflict` when its experiment is in the trash."""
    run_id = TrainingJob.objects.values_list("run_id", flat=True).get(pk=job.pk)
    if run_id is not None:
        runs.run_reopen(run_id=run_id)


TRAINING = JobKind(
    name="training",
    plan=plan,
    dataset_lines=dataset_lines,
    may_read_blob=may_read_blob,
    on_events=on_events,
    on_end=on_end,
    on_resume=on_resume,
    needs_checkpoint=True,
)
