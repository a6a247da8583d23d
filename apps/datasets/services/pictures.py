"""Pictures that leave one by one, as pages show them: noted by the hour, so that browsing does not fill the log and a
whole dataset does not leave unseen.
"""

import time

import redis
from django.core.cache import cache

from apps.core import auditing
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.datasets import actions
from apps.datasets.models import Dataset

HOUR_SECONDS = 3600


def picture_opened(*, actor: Actor, dataset: Dataset) -> None:
    """Counts one of a person's pictures of the dataset in this hour; the 1st, 10th, 100th … is an event."""
    if count := counted_pictures(actor, dataset):
        pictures_note(actor=actor, dataset=dataset, count=count)


@operation("datasets.pictures_note", permission="datasets.view_dataset", on="dataset")
def pictures_note(*, actor: Actor, dataset: Dataset, count: int) -> None:
    """Notes that so many pictures have left the portal within the hour."""
    auditing.record(actor, actions.PICTURES_OPENED, dataset, params={"count": count})


def counted_pictures(actor: Actor, dataset: Dataset) -> int:
    """Counts one more; how many they are where that is to be noted, else 0."""
    count = _counted(actor, dataset)
    return count if count == 10 ** (len(str(count)) - 1) else 0


def _counted(actor: Actor, dataset: Dataset) -> int:
    """Without the broker every picture is the first one: an event too many rather than one too few."""
    key = f"datasets:pictures:{dataset.pk}:{actor.user_id}:{int(time.time()) // HOUR_SECONDS}"
    try:
        cache.add(key, 0, 2 * HOUR_SECONDS)
        return int(cache.incr(key))
    except (ValueError, redis.RedisError, OSError):
        return 1
