from celery import shared_task

from apps.invitations.services.sending import expire_overdue


@shared_task(name="invitations.expire", ignore_result=True)
def expire() -> int:
    """Notes what nobody answered in time."""
    return expire_overdue()
