from uuid import UUID

from celery import shared_task

from apps.audit import services
from apps.audit.services.checking import checks_waiting


@shared_task(name="audit.seal", ignore_result=True)
def seal() -> int:
    """One pass of the sealer."""
    return services.seal()


@shared_task(name="audit.heads", ignore_result=True)
def heads() -> int:
    """Signs where the chains end today."""
    return services.heads_daily()


@shared_task(name="audit.check", ignore_result=True)
def check(pk: str) -> None:
    """One verification that somebody asked for."""
    services.check_run(UUID(pk))


@shared_task(name="audit.checks_waiting", ignore_result=True)
def waiting() -> int:
    """Verifications whose hint was lost."""
    return checks_waiting()


@shared_task(name="audit.checks_daily", ignore_result=True)
def daily() -> int:
    """Every chain, once a day."""
    return services.checks_daily()
