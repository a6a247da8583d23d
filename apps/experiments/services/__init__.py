"""Writes on experiments and runs. What MLflow must learn of leaves by the outbox, in the same transaction."""

from apps.experiments.services.experiments import (
    experiment_change,
    experiment_create,
    experiment_for,
    experiment_purge,
    experiment_restore,
    experiment_trash,
)
from apps.experiments.services.runs import run_end, run_log_artifact, run_log_metrics, run_reopen, run_start

__all__ = [
    "experiment_change",
    "experiment_create",
    "experiment_for",
    "experiment_purge",
    "experiment_restore",
    "experiment_trash",
    "run_end",
    "run_log_artifact",
    "run_log_metrics",
    "run_reopen",
    "run_start",
]
