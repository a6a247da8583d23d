from celery import shared_task

from apps.accounts.services import sessions


@shared_task(name="accounts.sweep", ignore_result=True)
def sweep() -> int:
    """Forgets sessions and refresh tokens that have expired."""
    return sessions.sweep()
