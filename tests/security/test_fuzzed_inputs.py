"""Inputs of a fuzzer that follows coverage: no crash, nothing but typed refusals, nothing that takes over a second.

Ten minutes in all, `MODELYARD_FUZZ_SECONDS` for another number of seconds, split evenly among the targets. An input
that fails is kept in the test's folder and printed in hex; `python -m tests.security.fuzzing.again` takes it once more.
"""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import pytest
from modelyard_trainer.environments import BuildError, ensure_lock

from tests.security.fuzzing.targets import TARGETS
from tests.security.report import FULL, FUZZED, SEED

ROOT = Path(__file__).resolve().parents[2]
LOCK = Path(__file__).parent / "fuzzing" / "requirements.txt"
SECONDS = max(1, int(os.environ.get("MODELYARD_FUZZ_SECONDS", "600")) // len(TARGETS))
#: What one input may take, of the processor, where coverage is not counted.
MOST_SECONDS = 1.0
#: An input is printed up to here; the file has all of it.
PRINTED_BYTES = 4096
STARTING_SECONDS = 120
EXECUTED = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
COVERED = re.compile(r"cov: (\d+)")


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter that has atheris, whose environment is built here when it is not there yet."""
    if not FULL:
        pytest.skip("atheris makes inputs in `make security` alone")
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        pytest.skip("atheris is built for Linux on x86-64 alone")
    cache = os.environ.get("MODELYARD_CACHE") or Path.home() / ".cache" / "modelyard"
    try:
        return ensure_lock(LOCK, cache).python
    except BuildError as error:
        pytest.fail(f"{error}\n{error.output}")


def run(interpreter: Path | str, *words: object, seconds: float) -> "subprocess.CompletedProcess[str]":
    """A module of the targets' in a process of its own, with the libraries that the tests have."""
    ways = [ROOT / "platform", ROOT, ROOT / "trainers" / "sdk", sysconfig.get_path("purelib")]
    return subprocess.run(
        [interpreter, "-m", *map(str, words)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, ways)), "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )


def in_hex(path: Path) -> str:
    content = path.read_bytes()
    return f"{path} ({len(content)} bytes): {content[:PRINTED_BYTES].hex()}"


def slow_ones(name: str, folder: Path) -> list[str]:
    """The inputs that took long while coverage was counted and take too long without, too."""
    kept = sorted((folder / "slow").iterdir())
    if not kept:
        return []
    done = run(sys.executable, "tests.security.fuzzing.again", name, *kept, seconds=600)
    assert done.returncode == 0, done.stderr[-3000:]
    spent = dict(reversed(line.split(" ", 1)) for line in done.stdout.splitlines())
    return [f"{spent[str(path)]} s: {in_hex(path)}" for path in kept if float(spent[str(path)]) > MOST_SECONDS]


def numbers_of(folder: Path, output: str) -> dict[str, Any]:
    """What the run did, for the report."""
    slowest = json.loads((folder / "slowest.json").read_text())
    executed = EXECUTED.search(output)
    assert executed is not None, output[-3000:]
    covered = [int(found) for found in COVERED.findall(output)]
    return {
        "inputs": int(executed[1]),
        "covered": max(covered, default=0),
        "seconds": SECONDS,
        "slowest": round(slowest["seconds"], 3),
        "bytes": slowest["bytes"],
    }


@pytest.mark.security(FUZZED, "fuzzed inputs")
@pytest.mark.parametrize("name", TARGETS)
def test_no_input_fails_or_takes_long(name: str, python: Path, tmp_path: Path, record_property: Any) -> None:
    done = run(python, "tests.security.fuzzing", name, tmp_path, SECONDS, SEED, seconds=SECONDS + STARTING_SECONDS)
    found = [in_hex(path) for path in sorted((tmp_path / "found").glob("*"))]
    assert not found, "\n".join([done.stderr[-6000:], *found])
    assert done.returncode == 0, done.stderr[-6000:]
    assert slow_ones(name, tmp_path) == []
    print(done.stderr[-900:])
    numbers = numbers_of(tmp_path, done.stderr)
    record_property("atheris", {name: numbers})
    assert numbers["inputs"] > 0
    assert numbers["covered"] > 0


@pytest.mark.security
@pytest.mark.parametrize("name", TARGETS)
def test_what_the_fuzzer_begins_with_is_taken(name: str) -> None:
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        seeds = list(target.seeds())
        for seed in [b"", *seeds]:
            assert len(seed) <= target.longest
            target.take(seed, Path(folder))
    assert seeds
