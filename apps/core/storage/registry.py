"""The stores that the settings name, by what lies in them."""

from functools import cache
from typing import Any

from django.conf import settings

from apps.core.storage.base import Storage
from apps.core.storage.layered import LayeredStorage
from apps.core.storage.local import LocalStorage
from apps.core.storage.s3 import S3Storage

#: What lies in a store, by which `stores` names it.
DATASETS, RESULTS = "datasets", "results"


@cache
def storage() -> Storage:
    """Where datasets lie, and everything that is no result."""
    return _store_of(settings.STORAGE)


@cache
def results() -> Storage:
    """Where jobs write: checkpoints, artifacts, logs, pictures to be predicted on. `storage()`, unless it lies apart;
    then what was written before, and files of datasets, are read through it all the same."""
    apart = stores().get(RESULTS)
    return storage() if apart is None else LayeredStorage(apart, storage())


@cache
def stores() -> dict[str, Storage]:
    """The stores that there are, each once: for those who look after all objects."""
    found = {DATASETS: storage()}
    if settings.RESULTS_STORAGE is not None:
        found[RESULTS] = _store_of(settings.RESULTS_STORAGE)
    return found


def forget() -> None:
    """The settings are others: the stores are made anew when they are asked for."""
    for made in (storage, results, stores):
        made.cache_clear()


def _store_of(options: dict[str, Any]) -> Storage:
    options = dict(options)
    root = options.pop("local_root")
    return S3Storage(**options) if options["bucket"] else LocalStorage(root)
