from uuid import UUID

from celery import shared_task

from apps.departures.services import exports, purging, trash


@shared_task(name="departures.export", ignore_result=True)
def export(pk: str) -> None:
    """Writes one export that somebody asked for."""
    exports.export_run(UUID(pk))


@shared_task(name="departures.exports_waiting", ignore_result=True)
def exports_waiting() -> int:
    """Exports whose hint was lost, or whose worker died."""
    return exports.exports_waiting()


@shared_task(name="departures.exports_sweep", ignore_result=True)
def exports_sweep() -> int:
    """Removes exports that were kept long enough."""
    return exports.exports_sweep()


@shared_task(name="departures.halt", ignore_result=True)
def halt(organization_id: str) -> int:
    """Stops what works for an organization that was closed a moment ago."""
    return purging.halt(UUID(organization_id))


@shared_task(name="departures.halt_closing", ignore_result=True)
def halt_closing() -> int:
    """Stops what still, or again, works for organizations that are closed."""
    return purging.halt_closing()


@shared_task(name="departures.purge", ignore_result=True)
def purge() -> int:
    """Goes on with every deletion whose grace is over."""
    return purging.purge_due()


@shared_task(name="departures.trash_empty", ignore_result=True)
def trash_empty() -> int:
    """Goes on with everything that is being deleted for good."""
    return trash.trash_empty()


@shared_task(name="departures.trash_retention", ignore_result=True)
def trash_retention() -> int:
    """Deletes for good what has lain in the trash long enough."""
    return trash.trash_retain()
