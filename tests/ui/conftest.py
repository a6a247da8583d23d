"""Catalogues compiled for the tests of this folder, wherever the checkout stands."""

from pathlib import Path

import polib
import pytest
from django.test import override_settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def catalogues(tmp_path_factory):
    """The po files of now as mo files, in place of those that may lie in the checkout."""
    folder = tmp_path_factory.mktemp("locale")
    for source in (ROOT / "locale").rglob("*.po"):
        target = folder / source.relative_to(ROOT / "locale").with_suffix(".mo")
        target.parent.mkdir(parents=True, exist_ok=True)
        polib.pofile(str(source)).save_as_mofile(str(target))
    with override_settings(LOCALE_PATHS=[folder]):
        yield folder
