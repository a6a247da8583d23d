"""Reads that pages and the apps above need."""

from django.db.models import Prefetch

from apps.core.identity import Actor
from apps.experiments.models import Experiment, Run
from apps.experiments.querysets import ExperimentQuerySet
from apps.projects.models import Project

RECENT_RUNS = 5


def experiments_with_recent_runs(actor: Actor, project: Project) -> ExperimentQuerySet:
    """The project's experiments, newest first, each with `run_count` and its latest runs in `recent_runs`."""
    # The large columns are for a run's own page.
    runs = Run.objects.visible(actor).defer("params", "tags", "points_cursor", "points_series")
    latest = runs.order_by("-id")[:RECENT_RUNS]
    rows = Experiment.objects.visible(actor).filter(project=project).with_counts().order_by("-id")
    return rows.prefetch_related(Prefetch("runs", queryset=latest, to_attr="recent_runs"))
