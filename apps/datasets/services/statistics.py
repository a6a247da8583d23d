"""Counting a version: by a worker, once; asked for after each publication and by who looks at it first."""

from typing import Any
from uuid import UUID

from django.core.cache import cache

from apps.core.broker import send_hint
from apps.core.errors import Invalid
from apps.core.operations import ingest
from apps.datasets.models import Dataset, Revision, VersionStatistics
from apps.datasets.selectors.statistics import figures_of, statistics_of
from apps.datasets.selectors.versions import Version, version_named
from apps.datasets.services.messages import QUEUE

#: Who looks again within this time asks no second worker.
ASKED_SECONDS = 60


def statistics_ask(version: Version) -> VersionStatistics | None:
    """The figures of a version; where there are none yet a worker is told to count them."""
    found = statistics_of(version)
    if found is None and cache.add(
        f"dataset-statistics:{version.revision.pk}:{version.plan.digest}", 1, ASKED_SECONDS
    ):
        send_hint("datasets.count", str(version.dataset.pk), version.name, queue=QUEUE)
    return found


def statistics_count(dataset_id: UUID | str, name: str) -> bool:
    """What the worker does; whether there was anything to count. Idempotent."""
    dataset = Dataset.objects.select_related("split_plan__base").filter(pk=dataset_id, revision_no__gt=0).first()
    if dataset is None:
        return False
    try:
        version = version_named(dataset, name)
    except Invalid:
        return False  # deleted since
    if statistics_of(version) is not None:
        return False
    _note(revision=version.revision, split_digest=version.plan.digest, figures=figures_of(version))
    return True


@ingest("datasets.statistics_note")
def _note(*, revision: Revision, split_digest: str, figures: dict[str, Any]) -> None:
    """The worker's answer; of two that counted at once the first is kept."""
    VersionStatistics.objects.get_or_create(
        revision=revision, split_digest=split_digest, defaults={"figures": figures}
    )
