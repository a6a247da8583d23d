"""How the job system runs an inference."""

import re

from django.utils.translation import gettext as _

from apps.core.errors import Conflict, NotFound
from apps.evaluation.models import InferenceInput, InferenceJob
from apps.jobs.kinds import InputFile, JobKind, Plan
from apps.jobs.models import Attempt, Job
from apps.jobs.states import JobState
from apps.trainers.catalogue import trainer as trainer_named
from apps.training.models import TrainingJob

START_TARGET = "inputs/start.ckpt"
FOLDER = "inputs/files"
UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
# The end of a name tells more than its beginning: it has the extension.
TARGET_NAME_LENGTH = 80


def plan(job: Job, attempt: Attempt) -> Plan:
    """The checkpoint and the pictures. Raises `Conflict` when the trainer is gone or does not predict any more."""
    inference = InferenceJob.objects.select_related("checkpoint").get(pk=job.pk)
    checkpoint = inference.checkpoint
    _require_prediction(inference.trainer)
    pictures = list(InferenceInput.objects.filter(job=inference).order_by("no"))
    model = TrainingJob.objects.filter(pk=checkpoint.job_id).values_list("model", flat=True).first()
    spec = {
        "mode": "predict",
        "task": inference.task,
        "model": model or "",
        "config": inference.config,
        "seed": 0,
        "start_from": {"path": START_TARGET, "sha256": checkpoint.sha256},
        "inputs": [
            {"name": picture.name, "path": target_of(picture), "sha256": picture.sha256} for picture in pictures
        ],
    }
    files = [InputFile(picture.sha256, picture.size, target_of(picture)) for picture in pictures]
    return Plan(inference.trainer, spec, [InputFile(checkpoint.sha256, checkpoint.size, START_TARGET), *files])


def target_of(picture: InferenceInput) -> str:
    """Where a picture lies in the attempt's folder: its number, and what of its name is safe there."""
    safe = UNSAFE.sub("_", picture.name)[-TARGET_NAME_LENGTH:]
    return f"{FOLDER}/{picture.no}-{safe}"


def may_read_blob(job: Job, sha256: str) -> bool:
    """The checkpoint and the job's own pictures."""
    own = InferenceJob.objects.filter(pk=job.pk)
    return own.filter(checkpoint__sha256=sha256).exists() or own.filter(inputs__sha256=sha256).exists()


def on_end(job: Job, attempt: Attempt | None) -> None:
    """Keeps the summary of the trainer's result."""
    if attempt is None or job.state != JobState.SUCCEEDED:
        return
    summary = attempt.outcome.get("result", {}).get("summary")
    InferenceJob.objects.filter(pk=job.pk).update(result=summary if isinstance(summary, dict) else {})


def _require_prediction(name: str) -> None:
    try:
        modes = trainer_named(name).descriptor.modes
    except NotFound as error:
        raise Conflict(_("The trainer is not installed any more."), code="trainer_gone") from error
    if "predict" not in modes:
        raise Conflict(_("This trainer cannot predict."), code="mode_not_honoured")


INFERENCE = JobKind(name="inference", plan=plan, may_read_blob=may_read_blob, on_end=on_end)
