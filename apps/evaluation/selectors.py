"""Reads: what a model said about each picture, whichever way its trainer wrote it down; checkpoints to try."""

import json
from typing import Any, TypeGuard

from apps.core.errors import NotFound
from apps.core.identity import Actor
from apps.core.policy import PermittedQuerySet
from apps.core.storage import ObjectNotFound, results
from apps.core.storage.keys import blob_key
from apps.datasets.models import Dataset
from apps.evaluation.models import InferenceInput, InferenceJob
from apps.jobs.models import JobArtifact
from apps.trainers.catalogue import Trainer
from apps.trainers.catalogue import trainer as trainer_named
from apps.training.models import Checkpoint, CheckpointKind, TrainingJob

TRIABLE = (CheckpointKind.BEST, CheckpointKind.LAST)
# A page that lists every checkpoint of a large organization helps nobody; older ones are found by their training.
CHOICES = 200
RECENT = 8
# Predictions are parsed in the web process, at many times their size: 64 pictures with 900 boxes each have about 8 MB.
# Larger files are handed out as they are.
MAX_PREDICTIONS_BYTES = 8 << 20
# JSON's integers may be too large to become floats.
MAX_NUMBER = 1e300


def input_url(inference_id: Any, no: int) -> str:
    return f"/api/v1/inference-jobs/{inference_id}/inputs/{no}/content"


def dataset_to_sample(actor: Actor, checkpoint: Checkpoint) -> Dataset | None:
    """What the checkpoint was trained on, when the actor may see it: its validation pictures can be tried."""
    used = TrainingJob.objects.filter(pk=checkpoint.job_id).values("dataset_id")
    return Dataset.objects.visible(actor).filter(pk__in=used).first()


def recent_of(actor: Actor, checkpoint: Checkpoint) -> list[InferenceJob]:
    """The last inferences with checkpoints of the same training."""
    rows = InferenceJob.objects.visible(actor).filter(checkpoint__job=checkpoint.job)
    return list(rows.with_job().order_by("-pk")[:RECENT])


def checkpoints_for_choice(actor: Actor) -> PermittedQuerySet[Checkpoint]:
    """Weights of the chosen organization that can be tried, newest first."""
    rows = Checkpoint.objects.visible(actor).filter(organization=actor.organization_id, kind__in=TRIABLE)
    return rows.select_related("job__project").order_by("-pk")[:CHOICES]


def checkpoints_of(actor: Actor, job_id: Any) -> list[Checkpoint]:
    """What a training has left to try, the best first."""
    rows = Checkpoint.objects.visible(actor).filter(job_id=job_id, kind__in=TRIABLE).order_by("-pk")
    return sorted(rows, key=lambda found: found.kind != CheckpointKind.BEST)


def predicting_trainer(name: str) -> Trainer | None:
    """The trainer when it is installed and predicts."""
    try:
        found = trainer_named(name)
    except NotFound:
        return None
    return found if "predict" in found.descriptor.modes else None


def result_of(inference: InferenceJob) -> dict[str, Any] | None:
    """`{"predictions", "classes", "summary", "file"}`, None until the job has succeeded.

    A prediction is `{"no", "name", "width", "height", "milliseconds", "boxes", "scores"}`; a box is `{"bbox": [x, y,
    width, height] in pixels of the upright picture, "class", "label", "score"}`. `scores` are those of whole pictures,
    surest first. What the trainer wrote is checked entry by entry, as nothing keeps it from writing anything. `file` is
    the size of a file of predictions that is too large to be read here; the predictions have no boxes then.
    """
    if inference.result is None:
        return None
    summary = dict(inference.result)
    written, large = summary.pop("predictions", None), None
    if not isinstance(written, list):
        file = predictions_file(inference)
        large = file.size if file is not None and file.size > MAX_PREDICTIONS_BYTES else None
        written = _from_file(inference, file) if file is not None and large is None else []
    entries = [entry for entry in reversed(written) if isinstance(entry, dict) and isinstance(entry.get("name"), str)]
    by_name = {entry["name"]: entry for entry in entries}
    predictions = []
    for position, picture in enumerate(inference.inputs.all()):
        entry = written[position] if position < len(written) else None
        if not isinstance(entry, dict) or entry.get("name") != picture.name:
            entry = by_name.get(picture.name, {})
        predictions.append(_prediction(picture, entry))
    return {"predictions": predictions, "classes": _classes(predictions), "summary": summary, "file": large}


def predictions_file(inference: InferenceJob) -> JobArtifact | None:
    """Predictions that are too many for the result, or that the trainer keeps in a file only: JSON or JSON lines."""
    return JobArtifact.objects.filter(job_id=inference.pk, kind="predictions").order_by("name").first()


def _from_file(inference: InferenceJob, found: JobArtifact) -> list[Any]:
    try:
        text = results().read(blob_key(inference.organization_id, found.sha256)).decode()
        if found.name.endswith(".jsonl"):
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        document = json.loads(text)
    except (ObjectNotFound, ValueError, RecursionError):
        return []
    written = document.get("predictions") if isinstance(document, dict) else document
    return written if isinstance(written, list) else []


def _prediction(picture: InferenceInput, entry: dict[str, Any]) -> dict[str, Any]:
    boxes, scores = entry.get("boxes"), entry.get("probabilities")
    milliseconds: Any = entry.get("milliseconds")
    chances = scores.items() if isinstance(scores, dict) else ()
    shown = [{"label": str(label)[:120], "score": float(score)} for label, score in chances if _is_number(score)]
    return {
        "no": picture.no,
        "name": picture.name,
        "width": picture.width,
        "height": picture.height,
        "milliseconds": float(milliseconds) if _is_number(milliseconds) else None,
        "boxes": [found for box in boxes if (found := _box(box))] if isinstance(boxes, list) else [],
        "scores": sorted(shown, key=lambda chance: -chance["score"]),
    }


def _box(box: Any) -> dict[str, Any] | None:
    if not isinstance(box, dict):
        return None
    corners: Any = box.get("bbox")
    number, score, label = box.get("class"), box.get("score"), box.get("label")
    if not isinstance(corners, list) or len(corners) != 4 or not all(map(_is_number, corners)):
        return None
    if not isinstance(number, int) or not _is_number(number) or not _is_number(score):
        return None
    return {
        "bbox": [float(value) for value in corners],
        "class": number,
        "label": label[:120] if isinstance(label, str) else str(number),
        "score": float(score),
    }


def _classes(predictions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Classes that occur, by id."""
    names = {box["class"]: box["label"] for prediction in predictions for box in prediction["boxes"]}
    return [{"id": number, "name": names[number]} for number in sorted(names)]


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and -MAX_NUMBER < value < MAX_NUMBER
