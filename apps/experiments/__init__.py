"""Experiments of a project and their runs, mirrored to MLflow (docs/architecture/mlflow.md)."""
