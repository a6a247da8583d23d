"""Portals with other stores than the folder in the home."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws

from apps.core.storage import registry

KEYS = {"access_key": "test-access", "secret_key": "test-secret-key"}


@contextmanager
def configured(settings: Any, datasets: dict[str, Any], results: dict[str, Any] | None = None) -> Iterator[None]:
    """The portal with these options for its stores."""
    first = {**settings.STORAGE, **datasets}
    settings.STORAGE = first
    settings.RESULTS_STORAGE = None if results is None else {**first, **results}
    registry.forget()
    try:
        yield
    finally:
        registry.forget()


@contextmanager
def apart(kind: str, settings: Any, folder: Path) -> Iterator[None]:
    """Datasets and results in two `folders` below the given one, or in two `buckets`."""
    if kind == "folders":
        with configured(settings, {"local_root": folder / "datasets"}, {"local_root": folder / "results"}):
            yield
        return
    with mock_aws():
        for bucket in ("datasets", "results"):
            boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=bucket)
        with configured(settings, {**KEYS, "bucket": "datasets"}, {"bucket": "results"}):
            yield
