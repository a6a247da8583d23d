from celery import shared_task

from apps.apikeys.services import idempotency, usage


@shared_task(name="apikeys.usage_flush", ignore_result=True)
def usage_flush() -> int:
    """What was called since the last pass, into the table."""
    return usage.usage_flush()


@shared_task(name="apikeys.sweep", ignore_result=True)
def sweep() -> int:
    """Forgets answers of yesterday and usage long past."""
    return idempotency.idempotent_requests_sweep() + usage.usage_sweep()
