"""Reads for pages and REST: a training's charts with the trainer's own titles, its artifacts."""

import json
import re
from typing import Any

from django.db.models import F, Q
from django.utils.translation import gettext as _

from apps.core.errors import Invalid, NotFound
from apps.core.identity import Actor
from apps.core.policy import PermittedQuerySet
from apps.datasets.models import Dataset
from apps.datasets.selectors import UsageQuery, Use
from apps.jobs.models import JobArtifact
from apps.metrics.models import Series
from apps.metrics.selectors import AXES, chart, series_of
from apps.trainers.catalogue import Trainer, trainer
from apps.trainers.forms import title_of
from apps.training.models import Checkpoint, CheckpointKind, TrainingJob

CLASS = re.compile(r"/class \d+$")


def weights_for_choice(actor: Actor, trainer_name: str) -> PermittedQuerySet[Checkpoint]:
    """The weights of the chosen organization that a training with this trainer may start from, the newest first."""
    rows = Checkpoint.objects.permitted(actor, "training.use_checkpoint")
    rows = rows.filter(organization=actor.organization_id, trainer=trainer_name)
    return rows.exclude(kind=CheckpointKind.RESUME).select_related("job").order_by("-pk")


def charts(
    training: TrainingJob,
    *,
    names: list[str] | None = None,
    axis: str = "step",
    low: float | None = None,
    high: float | None = None,
    points: int = 1000,
) -> dict[str, Any]:
    """Every series' summary, and with `names` their points (docs/architecture/live-protocol.md)."""
    if axis not in AXES:
        message = _("One of: %(values)s.") % {"values": ", ".join(AXES)}
        raise Invalid(message, fields={"x": [message]})
    job = training.job
    event_seq = job.event_seq
    series = series_of(job)
    chosen = [item for item in series if names is not None and item.name in names]
    drawn = chart(job, chosen, axis=axis, low=low, high=high, points=points)
    styles, classes = _trainer(training), _classes(training, series)
    shown = []
    for item in series if names is None else chosen:
        found = _summary(item, styles, classes)
        if item.pk in drawn:
            found["points"], found["downsampled"] = drawn[item.pk]
        shown.append(found)
    return {"series": shown, "event_seq": event_seq}


def artifacts(training: TrainingJob) -> list[dict[str, Any]]:
    rows = JobArtifact.objects.filter(job=training.job).order_by("name")
    return [
        {
            "id": row.pk,
            "name": row.name,
            "title": row.title,
            "kind": row.kind,
            "media_type": row.media_type,
            "size": row.size,
            "data": row.data,
            "updated_at": row.updated_at,
            "url": f"/api/v1/training-jobs/{training.pk}/artifacts/{row.pk}/content",
        }
        for row in rows
    ]


def artifact(training: TrainingJob, pk: str) -> JobArtifact:
    """One artifact of the training, which the caller may see. Raises `NotFound`."""
    found = JobArtifact.objects.filter(pk=pk, job_id=training.pk).first()
    if found is None:
        raise NotFound()
    return found


def primary_metric(training: TrainingJob) -> str | None:
    """Name of the one number that stands for the training."""
    found = _trainer(training)
    return found.descriptor.primary_metric if found else None


def _trainer(training: TrainingJob) -> Trainer | None:
    try:
        return trainer(training.trainer)
    except NotFound:
        # Taken away since; the numbers are shown without its titles.
        return None


def _classes(training: TrainingJob, series: list[Series]) -> dict[str, str]:
    """Own names of the classes that a metric's name, which is ASCII, calls `class <id>`.

    A class that is itself called so goes by its own name.
    """
    if training.snapshot is None or not any(CLASS.search(item.name) for item in series):
        return {}
    rows = training.snapshot.revision.classes
    names = {f"class {row['id']}": str(row["name"]) for row in rows}
    return {**names, **{name: name for name in names.values()}}


def _summary(series: Series, found: Trainer | None, classes: dict[str, str] | None = None) -> dict[str, Any]:
    style = found.descriptor.metrics.get(series.name) if found else None
    prefix, _found, rest = series.name.partition("/")
    # `val/ap50/<class>`: one chart for the classes.
    middle, _found, leaf = rest.rpartition("/")
    goal = style.goal if style else None
    return {
        "name": series.name,
        "title": found.text(style.title) if found and style else (classes or {}).get(leaf, leaf) or prefix,
        "group": (style.group if style else None) or (prefix if series.scope == "system" else middle or series.name),
        "split": (style.split if style else None) or (prefix if prefix in {"train", "val"} else ""),
        "scope": series.scope,
        "goal": goal,
        "primary": bool(style and style.primary),
        "count": series.count,
        "last": series.last_value,
        "best": series.min_value if goal == "min" else series.max_value if goal == "max" else None,
    }


def list_rows(trainings: list[TrainingJob]) -> list[dict[str, Any]]:
    """Rows of the list with the number that stands for each; one query for all of them."""
    primary = {training.pk: primary_metric(training) for training in trainings}
    wanted = {name for name in primary.values() if name}
    values = {
        (series.job_id, series.name): series
        for series in Series.objects.filter(job_id__in=list(primary), name__in=wanted)
    }
    rows = []
    for training in trainings:
        series = values.get((training.pk, primary[training.pk] or ""))
        summary = _summary(series, _trainer(training)) if series is not None else None
        rows.append({"training": training, "job": training.job, "metric": summary})
    return rows


def settings_of(training: TrainingJob) -> list[dict[str, Any]]:
    """The settings with titles, and which of them differ from the defaults."""
    found = _trainer(training)
    properties = found.schema("train")["properties"] if found else {}
    defaults = found.defaults("train", training.task) if found else {}
    return [
        {
            "key": key,
            "title": title_of(key, properties.get(key, {})),
            "value": value,
            "changed": key in defaults and defaults[key] != value,
        }
        for key, value in sorted(
            training.config.items(), key=lambda item: properties.get(item[0], {}).get("x-order", 999)
        )
    ]


def figure_of(artifact: dict[str, Any]) -> dict[str, Any] | None:
    """What figures.js draws of an artifact's data (docs/guides/trainer-ultralytics.md): a curve, a matrix or a table.

    The data is the trainer's writing: what does not fit is left to the download.
    """
    data = artifact["data"]
    if not isinstance(data, dict):
        return None
    try:
        if data.get("chart") == "line":
            xs = data["x"]["values"]
            curves = [{"name": line["name"], "x": xs, "y": line["values"]} for line in data["series"]]
            labels = {"x": data["x"].get("label", ""), "y": data["y"].get("label", "")}
            curves = [{**curve, "mean": True} if curve["name"] == "mean" else curve for curve in curves]
            return {"kind": "curve", "values": json.dumps(curves), **labels, "title": artifact["title"]}
        if data.get("chart") == "matrix":
            # Drawn with what is true as rows; a trainer counts by what it predicted.
            turned = [list(row) for row in zip(*data["values"], strict=True)]
            names, values = json.dumps(data["columns"]["names"]), json.dumps(turned)
            return {"kind": "matrix", "classes": names, "values": values, "title": artifact["title"]}
        if isinstance(data.get("rows"), list) and data["rows"]:
            columns = data.get("columns") or list(data["rows"][0])
            rows = [[row.get(column) for column in columns] for row in data["rows"][:500]]
            return {"kind": "table", "columns": columns, "rows": rows, "title": artifact["title"]}
    except (KeyError, TypeError, AttributeError, ValueError):
        return None
    return None


def dataset_uses(actor: Actor) -> Any:
    """Every training on a dataset that the actor may see, as uses are counted."""
    rows = TrainingJob.objects.visible(actor).filter(dataset__isnull=False)
    return rows.annotate(used_at=F("job__created_at"))


def uses_of_dataset(actor: Actor, dataset: Dataset, query: UsageQuery) -> list[Use]:
    """The newest trainings on the dataset that the actor may see."""
    rows = TrainingJob.objects.visible(actor).filter(dataset=dataset).select_related("job").order_by("-job_id")
    if query.snapshots is not None:
        wanted = Q(snapshot__in=query.snapshots)
        if query.planned:
            wanted |= Q(snapshot=None, dataset_version__in=query.snapshots)
        rows = rows.filter(wanted)
    if query.before is not None:
        rows = rows.filter(job__created_at__lt=query.before)
    return [
        Use(
            id=training.pk,
            name=training.job.name,
            kind=str(TrainingJob._meta.verbose_name),
            state=training.job.get_state_display(),
            color=training.job.state_color,
            time=training.job.created_at,
            href=training.get_absolute_url(),
            snapshot_id=training.snapshot_id or training.dataset_version_id,
            planned=training.snapshot_id is None and training.dataset_version_id is not None,
        )
        for training in rows[: query.limit]
    ]
