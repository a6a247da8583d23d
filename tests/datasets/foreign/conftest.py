import os
from pathlib import Path

import pytest
from modelyard_trainer.environments import ensure_lock

from apps.datasets.foreign.environment import LOCK, lack


@pytest.fixture(scope="session")
def cache() -> Path:
    """The cache that keeps environments; `MODELYARD_CACHE`, as for those of trainers."""
    return Path(os.environ.get("MODELYARD_CACHE") or Path.home() / ".cache" / "modelyard")


@pytest.fixture(scope="session")
def python(cache: Path) -> Path:
    """The interpreter that has datumaro, whose environment is built here when it is not there yet."""
    if (lacks := lack()) is not None:
        pytest.skip(f"nothing is read unconfined, and here {lacks}")
    return ensure_lock(LOCK, cache).python
