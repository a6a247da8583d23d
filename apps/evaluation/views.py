"""Portal pages of the quick test. The pictures and answers themselves travel over REST and the socket."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.core import policy
from apps.core.identity.requests import PortalRequest
from apps.core.portal import signed_in
from apps.datasets.images import MEDIA_TYPES
from apps.evaluation import selectors, services
from apps.trainers.catalogue import Trainer
from apps.trainers.forms import schema_fields
from apps.training.models import Checkpoint, CheckpointKind, TrainingJob

# Where a trainer knows these settings: weak boxes are asked for too, so that the threshold has something to move over.
START_WITH = {"conf": 0.05}


@signed_in
@require_GET
def quick_test(request: PortalRequest) -> HttpResponse:
    """Any checkpoint of the chosen organization that one may see."""
    choices = list(selectors.checkpoints_for_choice(request.actor))
    newest = [choice for choice in choices if choice.job_id == choices[0].job_id]
    chosen = sorted(newest, key=lambda choice: choice.kind != CheckpointKind.BEST)[:1]
    if wanted := request.GET.get("checkpoint", ""):
        rows = Checkpoint.objects.select_related("job__project")
        chosen = [rows.get_visible(request.actor, pk=wanted, job__isnull=False)]
    others = [choice for choice in chosen if choice not in choices]
    context = {**_panel(request, chosen), "checkpoints": [*others, *choices], "reloads": True}
    return render(request, "evaluation/_panel.html" if request.htmx else "evaluation/quick_test.html", context)


@signed_in
@require_GET
def training_quick_test(request: PortalRequest, pk: Any) -> HttpResponse:
    """The part of a training's page in which its checkpoints are tried."""
    training = TrainingJob.objects.with_job().get_visible(request.actor, pk=pk)
    checkpoints = selectors.checkpoints_of(request.actor, training.pk)
    context = {**_panel(request, checkpoints[:1]), "checkpoints": checkpoints, "training": training}
    return render(request, "evaluation/_panel.html", {**context, "wanted": request.GET.get("checkpoint", "")})


def _panel(request: PortalRequest, chosen: list[Checkpoint]) -> dict[str, Any]:
    """What evaluation/_panel.html is drawn with, but for the list of checkpoints; `chosen` holds one, or none."""
    checkpoint = chosen[0] if chosen else None
    if checkpoint is None or checkpoint.job is None:
        return {"checkpoint": None}
    actor = request.actor
    trainer = selectors.predicting_trainer(checkpoint.trainer)
    return {
        "checkpoint": checkpoint,
        "trainer": trainer,
        "may_add": policy.allows(actor, "evaluation.add_inferencejob", checkpoint.job.project),
        "fields": _fields(trainer, checkpoint.task) if trainer else [],
        "dataset": selectors.dataset_to_sample(actor, checkpoint),
        "recent": selectors.recent_of(actor, checkpoint),
        "limits": {
            "files": services.MAX_FILES,
            "file": services.MAX_FILE_BYTES,
            "total": services.MAX_TOTAL_BYTES,
        },
        "accept": ",".join(MEDIA_TYPES.values()),
    }


def _fields(trainer: Trainer, task: str) -> list[dict[str, Any]]:
    """The settings of the mode `predict` as fields of a form."""
    known = trainer.schema("predict")["properties"]
    values = {key: value for key, value in START_WITH.items() if key in known}
    return schema_fields(trainer, "predict", trainer.defaults("predict", task) | values, {})
