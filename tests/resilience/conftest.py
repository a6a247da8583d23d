import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.resilience.report import Report
from tests.resilience.support import Portal

ROUNDS = "MODELYARD_RESILIENCE_ROUNDS"
REPORT = Path(__file__).resolve().parents[2] / "docs" / "resilience.md"


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    """What was tried and how it went; written to docs/resilience.md by a full run."""
    found = Report(rounds=int(os.environ.get(ROUNDS, "1")))
    yield found
    if ROUNDS in os.environ:
        REPORT.write_text(found.text(), encoding="utf-8")


@pytest.fixture(scope="package")
def running_portal() -> Iterator[Portal]:
    portal = Portal()
    try:
        portal.start()
        yield portal
    finally:
        portal.close()


@pytest.fixture
def portal(running_portal: Portal) -> Portal:
    """The one portal of these tests, with every part well; a test that failed half-way leaves nothing to the next."""
    if running_portal.process is None or running_portal.process.poll() is not None:
        running_portal.start()
    running_portal.wait_until_well()
    return running_portal
