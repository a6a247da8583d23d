"""Delivering the outbox's messages about experiments and runs to MLflow. Runs in workers, outside transactions.

Every handler works from the rows, finds in MLflow what an earlier try has made, and may be repeated. MLflow being away
raises, so that the outbox tries again; a refusal is noted on the row and the message is done.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db.models import F
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from apps.core.errors import Unavailable
from apps.core.outbox import handler
from apps.core.storage import results
from apps.experiments import thinning
from apps.experiments.client import MlflowMetric, MlflowRefused, mlflow
from apps.experiments.models import Experiment, MirrorState, Run
from apps.experiments.points import MetricPoint, points_since
from apps.experiments.services import experiments, runs

EXPERIMENT_TAG = "modelyard.experiment_id"
RUN_TAG = "modelyard.run_id"
ERASE = "experiments.erase"


@handler(experiments.TOPIC)
def mirror_experiment(payload: dict[str, Any]) -> None:
    """Gives the experiment's twin its name and description, and puts it into or out of MLflow's trash."""
    experiment = Experiment.objects.select_related("project").filter(pk=payload["id"]).first()
    if experiment is None:
        return
    with _delivering(experiment, payload["number"]):
        if experiment.deleted_at is None:
            _link_experiment(experiment)
        elif experiment.runs.waiting_for_mirror().exists():
            # MLflow takes nothing for runs in its trash.
            raise Unavailable(_("Runs of this experiment are still on their way."))
        else:
            twin = mlflow().experiment_by_tag(EXPERIMENT_TAG, str(experiment.pk))
            if twin is not None and not twin.is_deleted:
                mlflow().experiment_delete(twin.id)


@handler(ERASE)
def mirror_erasure(payload: dict[str, Any]) -> None:
    """Takes name, description and organization off the twin of an experiment that is gone, and puts it into MLflow's trash.

    Idempotent: what is in the trash already gets its name taken too.
    """
    client = mlflow()
    twin = client.experiment_by_tag(EXPERIMENT_TAG, payload["id"])
    if twin is None:
        return
    if twin.is_deleted:
        # MLflow renames nothing in its trash.
        client.experiment_restore(twin.id)
    client.experiment_rename(twin.id, f"erased · {payload['id']}")
    for tag in ("mlflow.note.content", "modelyard.project_id", "modelyard.organization_id"):
        client.experiment_set_tag(twin.id, tag, "")
    client.experiment_delete(twin.id)


@handler(runs.START)
def mirror_run_start(payload: dict[str, Any]) -> None:
    with _run_of(payload) as run:
        if run is not None:
            _link_run(run)


@handler(runs.METRICS)
def mirror_run_metrics(payload: dict[str, Any]) -> None:
    with _run_of(payload) as run:
        if run is not None:
            _link_run(run)
            _send_points(run)


@handler(runs.ARTIFACT)
def mirror_run_artifact(payload: dict[str, Any]) -> None:
    with _run_of(payload) as run:
        if run is None:
            return
        _link_run(run)
        size = results().size(payload["key"])
        if size is None:
            raise MlflowRefused(_("The artifact %(name)s is not in storage any more.") % {"name": payload["name"]})
        chunks = results().open(payload["key"])
        mlflow().artifact_put(run.mlflow_artifact_uri, payload["name"], chunks, size)


@handler(runs.STATUS)
def mirror_run_status(payload: dict[str, Any]) -> None:
    """Sends what is left of the points before the run ends in MLflow."""
    with _run_of(payload) as run:
        if run is None:
            return
        _link_run(run)
        _send_points(run)
        if run.ended_at is not None:
            _top_up(run)
        ended = _milliseconds(run.ended_at) if run.ended_at else None
        mlflow().run_update(run.mlflow_run_id, run.status.upper(), ended)


@contextmanager
def _run_of(payload: Mapping[str, Any]) -> Iterator[Run | None]:
    """The message's run; None when it is gone. What goes wrong is noted on it."""
    run = Run.objects.select_related("experiment__project").filter(pk=payload["id"]).first()
    if run is None:
        yield None
        return
    with _delivering(run, payload["number"]):
        try:
            yield run
        except MlflowRefused as error:
            if not error.is_missing:
                raise
            # MLflow's database was replaced: begin anew with the next try.
            _forget(run)
            raise Unavailable(_("MLflow has lost this run; it is made anew.")) from error


@contextmanager
def _delivering(row: Experiment | Run, number: int) -> Iterator[None]:
    """Notes on the row how the delivery of its message `number` went."""
    mine = type(row).objects.filter(pk=row.pk)
    try:
        yield
    except MlflowRefused as error:
        mine.update(mirror_state=MirrorState.FAILING, mirror_error=str(error.message))
    except Exception as error:
        mine.exclude(mirror_state=MirrorState.FAILING).update(mirror_error=f"{error}"[:2000])
        raise
    mine.update(mirror_done=Greatest(F("mirror_done"), number))
    delivered = mine.exclude(mirror_state=MirrorState.FAILING)
    delivered.update(mirror_error="")
    delivered.filter(mirror_done__gte=F("mirror_wanted")).update(mirror_state=MirrorState.SYNCED)


def _link_experiment(experiment: Experiment) -> None:
    """Finds or makes the experiment's twin, and makes it look as the experiment does."""
    client, name = mlflow(), _experiment_name(experiment)
    found = client.experiment_by_tag(EXPERIMENT_TAG, str(experiment.pk))
    if found is None:
        tags = {
            EXPERIMENT_TAG: str(experiment.pk),
            "modelyard.project_id": str(experiment.project_id),
            "modelyard.organization_id": str(experiment.organization_id),
        }
        try:
            experiment_id = client.experiment_create(name, tags)
        except MlflowRefused as error:
            if not error.is_duplicate:
                raise
            # Another delivery of ours was faster: the name holds the experiment's id.
            experiment_id = client.experiment_by_name(name).id
    else:
        experiment_id = found.id
        if found.is_deleted:
            client.experiment_restore(experiment_id)
        if found.name != name:
            client.experiment_rename(experiment_id, name)
    client.experiment_set_tag(experiment_id, "mlflow.note.content", experiment.description)
    experiment.mlflow_experiment_id = experiment_id
    Experiment.objects.filter(pk=experiment.pk).update(mlflow_experiment_id=experiment_id)


def _link_run(run: Run) -> None:
    """Finds or makes the run's twin, with its parameters and tags, unless that is done."""
    if run.mlflow_run_id:
        return
    client = mlflow()
    if not run.experiment.mlflow_experiment_id:
        _link_experiment(run.experiment)
    experiment_id = run.experiment.mlflow_experiment_id
    twin = client.run_by_tag(experiment_id, RUN_TAG, str(run.pk))
    if twin is None:
        twin = client.run_create(experiment_id, run.name, _milliseconds(run.started_at), {RUN_TAG: str(run.pk)})
    refusal = None
    try:
        client.log_batch(twin.id, params=flat_params(run.params), tags=run.tags)
    except MlflowRefused as error:
        if error.is_missing:
            raise
        refusal = error
    # Linked though a parameter may have been refused: the rest of the run still has its twin.
    run.mlflow_run_id, run.mlflow_artifact_uri = twin.id, twin.artifact_uri
    Run.objects.filter(pk=run.pk).update(mlflow_run_id=twin.id, mlflow_artifact_uri=twin.artifact_uri)
    if refusal is not None:
        raise refusal


def _send_points(run: Run) -> None:
    """Sends the points after the run's cursor, page by page; the cursor moves once MLflow has them."""
    more = True
    while more:
        page = points_since(run.pk, run.points_cursor)
        series = thinning.load(run.points_series)
        chosen = [point for point in page.points if not point.thin or series[point.name].take_live()]
        mlflow().log_batch(run.mlflow_run_id, metrics=[_metric(point) for point in chosen])
        # A source that does not move on would be read for ever.
        more = page.more and page.cursor != run.points_cursor
        run.points_cursor, run.points_series = page.cursor, thinning.store(series)
        Run.objects.filter(pk=run.pk).update(points_cursor=run.points_cursor, points_series=run.points_series)


def _top_up(run: Run) -> None:
    """Reads the run's batch series once more and sends an even share of the points that were passed over."""
    series = thinning.load(run.points_series)
    top_ups = {name: thinning.TopUp(counts) for name, counts in series.items()}
    if not any(top_up.is_needed for top_up in top_ups.values()):
        return
    cursor, more = None, True
    while more:
        page = points_since(run.pk, cursor)
        chosen = [
            point for point in page.points if point.thin and point.name in top_ups and top_ups[point.name].take()
        ]
        mlflow().log_batch(run.mlflow_run_id, metrics=[_metric(point) for point in chosen])
        more = page.more and page.cursor != cursor
        cursor = page.cursor
    run.points_series = thinning.store({name: top_up.close() for name, top_up in top_ups.items()})
    Run.objects.filter(pk=run.pk).update(points_series=run.points_series)


def _forget(run: Run) -> None:
    """Unlinks run and experiment from twins that are gone, so that both are made anew, with all points."""
    Run.objects.filter(pk=run.pk).update(
        mlflow_run_id="", mlflow_artifact_uri="", points_cursor=None, points_series={}
    )
    Experiment.objects.filter(pk=run.experiment_id).update(mlflow_experiment_id="")


def _experiment_name(experiment: Experiment) -> str:
    """A name that people recognise, unique by the random end of the id, within MLflow's 256 characters."""
    return f"{experiment.project.name} / {experiment.name} · {experiment.pk.hex[-8:]}"


def flat_params(params: Mapping[str, Any]) -> dict[str, str]:
    """Nested parameters as MLflow keeps them: `{"optimizer": {"lr": 0.1}}` → `{"optimizer.lr": "0.1"}`.

    Text stays as it is, everything else is written as JSON.
    """
    flat: dict[str, str] = {}
    stack: list[tuple[str, Any]] = [(str(key), value) for key, value in reversed(list(params.items()))]
    while stack:
        name, value = stack.pop()
        if isinstance(value, Mapping) and value:
            stack.extend((f"{name}.{key}", inner) for key, inner in reversed(list(value.items())))
        else:
            flat[name] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return flat


def _metric(point: MetricPoint) -> MlflowMetric:
    return MlflowMetric(point.name, point.value, round(point.time * 1000), point.step)


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
