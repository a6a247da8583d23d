"""Celery tasks of datasets: ids only, idempotent; what is long is guarded by a lock of the database."""

from celery import shared_task

from apps.core.broker import send_hint
from apps.datasets import services
from apps.datasets.selectors.versions import HEAD
from apps.datasets.services.decoding import decode_images
from apps.datasets.services.exporting import export_run
from apps.datasets.services.integrity import check_due as begin_due_checks
from apps.datasets.services.integrity import check_run, head_hash
from apps.datasets.services.likeness import compare_images
from apps.datasets.services.messages import QUEUE
from apps.datasets.services.statistics import statistics_count
from apps.datasets.services.sweeping import sweep_archives


@shared_task(name="datasets.fetch", ignore_result=True)
def fetch(upload_id: str) -> None:
    """Brings the files of an import."""
    services.upload_fetch(upload_id)


@shared_task(name="datasets.read", ignore_result=True)
def read(upload_id: str) -> None:
    """Analyses an upload."""
    services.upload_read(upload_id)


@shared_task(name="datasets.store", ignore_result=True)
def store(upload_id: str) -> None:
    """Publishes an upload."""
    services.upload_store(upload_id)


@shared_task(name="datasets.decode", ignore_result=True)
def decode(dataset_id: str) -> int:
    """Decodes pictures that are new in a dataset, finds those that look alike, and computes what it is compared with
    other datasets by."""
    head_hash(dataset_id=dataset_id)
    send_hint("datasets.count", dataset_id, HEAD, queue=QUEUE)
    broken = decode_images(dataset_id)
    compare_images(dataset_id)
    return broken


@shared_task(name="datasets.count", ignore_result=True)
def count(dataset_id: str, version: str) -> bool:
    """Counts the statistics of a version."""
    return statistics_count(dataset_id, version)


@shared_task(name="datasets.check", ignore_result=True)
def check(check_id: str) -> None:
    """Reads every file of a dataset."""
    check_run(check_id)


@shared_task(name="datasets.check_due", ignore_result=True)
def check_due() -> int:
    """One pass of the schedule of checks."""
    return begin_due_checks()


@shared_task(name="datasets.export", ignore_result=True)
def export(export_id: str) -> None:
    """Writes an export."""
    export_run(export_id)


@shared_task(name="datasets.exports_sweep", ignore_result=True)
def exports_sweep() -> int:
    """Removes archives that were kept long enough, or that no export names."""
    return sweep_archives()


@shared_task(name="datasets.sweep", ignore_result=True)
def sweep() -> dict[str, int]:
    """One pass of tidying up."""
    return services.sweep()
