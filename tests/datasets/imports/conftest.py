"""A dataset to import into, and a folder of the server; calls are tried again without a pause."""

from pathlib import Path

import pytest

from apps.core.outbound import downloads
from apps.datasets.models import Dataset
from tests.core.test_outbound import allowed, canary
from tests.core.test_storage import signing_server
from tests.factories.datasets import DatasetFactory, shapes

__all__ = ["allowed", "canary", "signing_server"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def dataset() -> Dataset:
    return DatasetFactory()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, content in shapes().items():
        file = tmp_path / "shared" / "shapes" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return tmp_path / "shared"
