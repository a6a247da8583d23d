from celery import shared_task

from apps.metrics import services


@shared_task(name="metrics.roll_up", ignore_result=True)
def roll_up() -> int:
    """One pass of rolling up."""
    return services.roll_up_all()
