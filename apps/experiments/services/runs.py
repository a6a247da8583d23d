"""Writes on runs, by machines: the caller has checked that it may (a training's own operation, an attempt's token).

Each runs in the caller's transaction, if there is one, and puts what MLflow must learn into the outbox.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.errors import Conflict, Invalid
from apps.core.operations import ingest
from apps.experiments.models import ENDED, Experiment, Run, RunStatus
from apps.experiments.services.announcing import announce

START = "experiments.run_start"
METRICS = "experiments.run_metrics"
ARTIFACT = "experiments.run_artifact"
STATUS = "experiments.run_status"

# While a run goes on, MLflow learns of new points at most this often; the run's end sends what is left.
METRICS_EVERY = timedelta(seconds=5)


@ingest("experiments.run_start")
def run_start(
    *,
    experiment: Experiment,
    name: str,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    started_at: datetime | None = None,
) -> Run:
    """A new run that goes on. `params` may be nested; MLflow gets them flat, as `optimizer.lr`."""
    experiment = _open_experiment(experiment.pk)
    run = Run(
        organization_id=experiment.organization_id,
        project_id=experiment.project_id,
        experiment=experiment,
        name=name[:200],
        params=dict(params or {}),
        tags={key: str(value) for key, value in (tags or {}).items()},
        started_at=started_at or timezone.now(),
    )
    run.save()
    announce(run, START)
    return run


@ingest("experiments.run_log_metrics")
def run_log_metrics(*, run_id: UUID) -> None:
    """Says that the run has new points, which the mirror then reads from the registered source.

    For every batch of points: one statement, and a message for the mirror at most every `METRICS_EVERY`.
    """
    now = timezone.now()
    due = Run.objects.filter(
        Q(points_announced_at__isnull=True) | Q(points_announced_at__lte=now - METRICS_EVERY), pk=run_id
    )
    if due.update(points_announced_at=now):
        announce(_locked(run_id), METRICS)


@ingest("experiments.run_log_artifact")
def run_log_artifact(*, run_id: UUID, key: str, name: str) -> None:
    """Mirrors the stored object `key` as the run's artifact `name`, a relative path such as `weights/best.pt`.

    The object must stay in storage until it has been mirrored. An artifact of the same name is replaced.
    """
    if not name.strip("/") or ".." in name.split("/"):
        raise Invalid(_("An artifact's name is a relative path."), fields={"name": [_("Not a relative path.")]})
    announce(_locked(run_id), ARTIFACT, key=key, name=name)


@ingest("experiments.run_end")
def run_end(*, run_id: UUID, status: RunStatus, ended_at: datetime | None = None) -> Run:
    """Ends the run. Ending it again only corrects how; `run_reopen` makes it go on."""
    if status not in ENDED:
        raise Invalid(_("The input is not valid."), fields={"status": [_("A run cannot end as running.")]})
    run = _locked(run_id)
    if run.change(status=RunStatus(status), ended_at=ended_at or run.ended_at or timezone.now()):
        announce(run, STATUS)
    return run


@ingest("experiments.run_reopen")
def run_reopen(*, run_id: UUID) -> Run:
    """The work behind an ended run goes on (a resumed training): the same run takes more points."""
    _open_experiment(Run.objects.values_list("experiment_id", flat=True).get(pk=run_id))
    run = _locked(run_id)
    if run.change(status=RunStatus.RUNNING, ended_at=None):
        announce(run, STATUS)
    return run


def _open_experiment(experiment_id: UUID) -> Experiment:
    """The experiment, locked so that it does not go to the trash meanwhile."""
    experiment = Experiment.objects.select_for_update().get(pk=experiment_id)
    if experiment.deleted_at is not None:
        raise Conflict(_("The experiment is in the trash."), code="experiment_trashed")
    return experiment


def _locked(run_id: UUID) -> Run:
    return Run.objects.select_for_update().get(pk=run_id)
