"""An engineer in front of a screen, and datasets that are there before a journey begins."""

from collections.abc import Callable

import pytest

from tests.e2e.datasets.shelf import Shelf
from tests.e2e.people import People
from tests.e2e.visitors import Window

#: One language on a desk by daylight, the other on a phone in the dark.
SCREENS = {"en": {"theme": "light", "width": 1280}, "ko": {"theme": "dark", "width": 390}}


@pytest.fixture
def engineer(people: People, window: Callable[..., Window], language: str) -> Window:
    return window(people.company(language).engineer, **SCREENS[language])


@pytest.fixture
def shelf(people: People, language: str) -> Shelf:
    """Datasets of the same engineer's."""
    return Shelf(people.api(people.company(language).engineer))
