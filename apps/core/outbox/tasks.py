from celery import shared_task

from apps.core.outbox import services


@shared_task(name="core.outbox_deliver", ignore_result=True)
def outbox_deliver() -> int:
    """One pass over the messages that are due."""
    return services.deliver_waiting()


@shared_task(name="core.outbox_sweep", ignore_result=True)
def outbox_sweep() -> int:
    """Forgets what was delivered long ago."""
    return services.sweep()
