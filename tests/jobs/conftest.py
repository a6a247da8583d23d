from collections.abc import Iterator
from typing import Any

import pytest

from apps.jobs import messages
from tests.jobs import support


@pytest.fixture(autouse=True)
def told() -> Iterator[support.Calls]:
    """What the test kind was told."""
    support.calls.clear()
    yield support.calls
    support.calls.clear()


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Messages for workers, `(task, queue, arguments…)`, instead of the broker."""
    found: list[tuple[Any, ...]] = []

    def send(name: str, *args: Any, queue: str = "default", expires: float = 30) -> None:
        found.append((name, queue, *args))

    monkeypatch.setattr(messages, "send_hint", send)
    return found
