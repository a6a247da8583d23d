"""`make bench`: every program once, in a process of its own, held to its bars and to the ratios kept in git.

`MODELYARD_BENCHMARK_UPDATE=1` writes what this run found to baseline.json and docs/benchmarks.md instead of comparing.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import page
from tests.benchmarks.figures import RESULT
from tests.services import PORTALS_STATIC_ROOT

ROOT = Path(__file__).resolve().parents[2]
BASELINE = Path(__file__).with_name("baseline.json")
UPDATE = "MODELYARD_BENCHMARK_UPDATE"
PROGRAMS = (
    "ingest",
    "training",
    "chart",
    "sockets",
    "running",
    "lists",
    "datasets",
    "grid",
    "imports",
    "formats",
    "permissions",
    "audit",
)
#: Part of a ratio that may be lost before it counts as a step back; machines and moments differ that much.
LOST = 0.4
SECONDS = 3600

pytestmark = pytest.mark.benchmark


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_benchmark_holds_its_bars(name: str, tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    # Its portal has a home of its own, with everything as durable as people have it.
    foreign = {"MODELYARD_HOME", "STATIC_ROOT", PORTALS_STATIC_ROOT, "DJANGO_SETTINGS_MODULE"}
    environment = {key: value for key, value in os.environ.items() if key not in foreign}
    command = [sys.executable, "-m", f"tests.benchmarks.{name}"]
    done = subprocess.run(command, cwd=ROOT, env={**environment, RESULT: str(target)}, check=False, timeout=SECONDS)
    assert target.exists(), f"{name} ended with {done.returncode} before it had figures"
    found = json.loads(target.read_text())
    if os.environ.get(UPDATE):
        keep(name, found)
    missed = [bar for bar in found["bars"] if not bar["held"]]
    assert not missed, f"load average {found['load_average']}: {missed}"
    if not os.environ.get(UPDATE):
        assert lost(name, found["ratios"]) == {}


def lost(name: str, ratios: dict[str, float]) -> dict[str, Any]:
    """Ratios against MLflow that have fallen well below those kept."""
    if name != "ingest":
        return {}
    kept = page.from_file(BASELINE).get(name, {}).get("ratios", {})
    return {
        label: {"kept": kept[label], "now": ratio}
        for label, ratio in ratios.items()
        if label in kept and ratio < kept[label] * (1 - LOST)
    }


def keep(name: str, found: dict[str, Any]) -> None:
    results = page.from_file(BASELINE) | {name: found}
    results = {program: results[program] for program in PROGRAMS if program in results}
    BASELINE.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    page.write(results)
