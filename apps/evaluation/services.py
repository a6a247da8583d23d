"""Writes on inference jobs: pictures are checked and stored first, then the job is made and queued."""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.core.files.base import File
from django.utils.translation import gettext as _

from apps.core import auditing, policy
from apps.core.errors import Conflict, Invalid, NotFound, TooLarge
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.core.storage import results
from apps.core.storage.keys import blob_key
from apps.core.storage.locks import blobs_shared
from apps.core.storage.receiving import received
from apps.datasets.defects import ERROR, Defect, describe
from apps.datasets.images import MEDIA_TYPES, ImageFacts, ImageLimits, inspect
from apps.evaluation import actions
from apps.evaluation.models import InferenceInput, InferenceJob
from apps.evaluation.selectors import TRIABLE, checkpoints_of, predicting_trainer
from apps.jobs.models import Job
from apps.jobs.services.lifecycle import job_submit
from apps.projects.models import Project
from apps.trainers.catalogue import Trainer
from apps.training.models import Checkpoint, TrainingJob

MAX_FILES = 64
MAX_FILE_BYTES = 32 << 20
MAX_TOTAL_BYTES = 256 << 20
# A person waits for the answer: before every training, and small enough to fit beside one.
PRIORITY = 10
CPUS = 1
MEMORY_MB = 2048
TOO_BIG = frozenset({"image.too_big", "image.pixels"})


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture whose bytes are a blob of the organization. Width and height are of the upright picture."""

    name: str
    sha256: str
    size: int
    media_type: str
    width: int
    height: int


def inference_start(
    *,
    actor: Actor,
    checkpoint: Checkpoint,
    files: Sequence["File[bytes]"],
    config: dict[str, Any] | None = None,
    name: str = "",
    or_newer: bool = False,
) -> InferenceJob:
    """Lets the checkpoint look at the pictures: 1 to 64 files of at most 32 MiB, 256 MiB in all.

    With `or_newer` the training's next checkpoint of the kind stands in for one that was replaced meanwhile.
    Everything that can be refused is refused before a byte is stored. Raises `Invalid` or `TooLarge` naming each file
    that is no sound picture, `Conflict` when the trainer cannot predict.
    """
    project = _project_of(actor, checkpoint)
    policy.require(actor, "evaluation.add_inferencejob", project)
    trainer = _checked_trainer(checkpoint)
    settings = trainer.checked("predict", checkpoint.task, config or {})
    facts = _checked_pictures(files)
    with blobs_shared(project.organization_id):
        pictures = [_stored(project, file, found) for file, found in zip(files, facts, strict=True)]
        return inference_create(
            actor=actor,
            project=project,
            checkpoint=checkpoint,
            pictures=pictures,
            config=settings,
            name=name,
            or_newer=or_newer,
        )


@operation("evaluation.inference_create", permission="evaluation.add_inferencejob", on="project")
def inference_create(
    *,
    actor: Actor,
    project: Project,
    checkpoint: Checkpoint,
    pictures: Sequence[Picture],
    config: dict[str, Any],
    name: str = "",
    or_newer: bool = False,
) -> InferenceJob:
    """The job for pictures that are stored already, put into the queue."""
    # Locked: a training that goes on replaces its checkpoints.
    locked = Checkpoint.objects.select_for_update(of=("self",)).select_related("job__resource_group")
    found = locked.filter(pk=checkpoint.pk, job__project=project).first()
    if found is None and or_newer:
        newer = locked.filter(job=checkpoint.job, kind=checkpoint.kind, job__project=project)
        found = newer.order_by("-pk").first()
    if found is None:
        raise NotFound()
    assert found.job is not None, "the condition names its project"
    trainer = _checked_trainer(found)
    job = Job(
        kind="inference",
        organization_id=project.organization_id,
        project=project,
        name=name.strip()[:120] or _named_after(pictures),
        created_by=actor.user,
        resource_group=found.job.resource_group,
        priority=PRIORITY,
        cpus=CPUS,
        memory_mb=min(trainer.descriptor.memory_mb, MEMORY_MB),
    )
    job.full_clean(exclude=["created_by"])
    job.save()
    inference = InferenceJob(job=job, checkpoint=found, trainer=found.trainer, task=found.task, config=config)
    inference.save(force_insert=True)
    InferenceInput.objects.bulk_create(
        InferenceInput(job=inference, no=no, **asdict(picture)) for no, picture in enumerate(pictures)
    )
    job_submit(actor=actor, job=job)
    params = {"checkpoint": str(found.pk), "pictures": len(pictures)}
    auditing.record(actor, actions.CREATED, inference, params=params)
    return inference


def checkpoint_of_training(actor: Actor, training: TrainingJob) -> Checkpoint:
    """The training's best checkpoint, else its last. Raises `Conflict` when there is none yet."""
    found = checkpoints_of(actor, training.pk)
    if not found:
        raise Conflict(
            _("This training has left no checkpoint yet."),
            code="no_checkpoint",
            hint=_("Wait for the first one, or choose another training."),
        )
    return found[0]


def _project_of(actor: Actor, checkpoint: Checkpoint) -> Project:
    policy.require(actor, "training.view_checkpoint", checkpoint)
    if checkpoint.job is None:
        raise NotFound()
    return checkpoint.job.project


def _checked_trainer(checkpoint: Checkpoint) -> Trainer:
    if checkpoint.kind not in TRIABLE:
        raise Invalid(
            _("A checkpoint to resume from cannot be tried."),
            code="checkpoint_kind",
            hint=_("Choose the best or the last checkpoint."),
        )
    trainer = predicting_trainer(checkpoint.trainer)
    if trainer is None:
        raise Conflict(
            _("The trainer “%(trainer)s” is not installed or cannot predict.") % {"trainer": checkpoint.trainer},
            code="mode_not_honoured",
        )
    return trainer


def _checked_pictures(files: Sequence["File[bytes]"]) -> list[ImageFacts]:
    """Facts of each picture, by its header; pixels are decoded by the trainer, in its own process."""
    if not files:
        message = _("Give at least one picture.")
        raise Invalid(message, code="no_files", fields={"files": [message]})
    if len(files) > MAX_FILES:
        message = _("At most %(count)s pictures at once.") % {"count": MAX_FILES}
        raise Invalid(message, code="too_many_files", fields={"files": [message]}, params={"limit": MAX_FILES})
    if sum(file.size for file in files) > MAX_TOTAL_BYTES:
        message = _("The pictures have more than %(limit)s MiB together.") % {"limit": MAX_TOTAL_BYTES >> 20}
        raise TooLarge(message, code="files_too_large", fields={"files": [message]})
    limits = ImageLimits(file_bytes=MAX_FILE_BYTES)
    facts, refusals = [], []
    for no, file in enumerate(files):
        found, defects = inspect(_source(file), name=_name_of(file, no), limits=limits)
        if found is not None:
            facts.append(found)
        refusals += [defect for defect in defects if defect.severity == ERROR]
    if refusals:
        raise _refused(refusals)
    return facts


def _refused(refusals: list[Defect]) -> Invalid | TooLarge:
    """One error that names every file; its code is that of the first."""
    worded = [(defect, *describe(defect, in_set=False)) for defect in refusals]
    first, sentence, hint = worded[0]
    kind = TooLarge if first.code in TOO_BIG else Invalid
    return kind(
        f"{first.path}: {sentence}",
        code=first.code,
        hint=hint,
        fields={"files": [f"{defect.path}: {text}" for defect, text, _hint in worded]},
        params={"path": first.path, **first.params},
    )


def _stored(project: Project, file: "File[bytes]", facts: ImageFacts) -> Picture:
    """Puts the bytes where jobs find them; the same picture is kept once."""
    digest, size = hashlib.sha256(), 0
    for chunk in file.chunks():
        digest.update(chunk)
        size += len(chunk)
    sha256 = digest.hexdigest()
    key = blob_key(project.organization_id, sha256)
    if results().size(key) != size:
        file.seek(0)
        with received(results(), cast(BinaryIO, file)) as (incoming, stored):
            if stored.sha256 != sha256:
                raise OSError(f"{file.name} changed while it was read")
            results().move(incoming, key)
    return Picture(_name_of(file, 0), sha256, size, MEDIA_TYPES[facts.format], facts.width, facts.height)


def _source(file: "File[bytes]") -> bytes | Path:
    """A large upload lies in a temporary file; a small one is in memory."""
    if (path := getattr(file, "temporary_file_path", None)) is not None:
        return Path(path())
    file.seek(0)
    return file.read()


def _name_of(file: "File[bytes]", no: int) -> str:
    """The file's own name without folders and characters that cannot be shown."""
    name = unicodedata.normalize("NFC", (file.name or "").replace("\\", "/").rsplit("/", 1)[-1])
    name = "".join(character for character in name if character.isprintable()).strip()
    return name[-255:] or f"picture-{no + 1}"


def _named_after(pictures: Sequence[Picture]) -> str:
    """A job's name may not hold `<` and `>`; a picture's may."""
    name = pictures[0].name.translate({ord("<"): "(", ord(">"): ")"})
    rest = f" +{len(pictures) - 1}" if len(pictures) > 1 else ""
    return name[: 120 - len(rest)] + rest


@operation("evaluation.predictions_download", permission="evaluation.view_inferencejob", on="inference")
def predictions_download(*, actor: Actor, inference: InferenceJob, sha256: str) -> None:
    """Notes that the file of predictions leaves the portal."""
    auditing.record(actor, actions.PREDICTIONS_DOWNLOADED, inference, params={"sha256": sha256})
