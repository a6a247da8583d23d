from celery import shared_task

from apps.audit import services


@shared_task(name="audit.seal", ignore_result=True)
def seal() -> int:
    """One pass of the sealer."""
    return services.seal()
