from uuid import UUID

from celery import shared_task

from apps.training import schedules


@shared_task(name="training.run_scheduled", ignore_result=True)
def run_scheduled(template_id: str) -> None:
    """Started by beat for a periodic training."""
    schedules.run_scheduled(UUID(template_id))
