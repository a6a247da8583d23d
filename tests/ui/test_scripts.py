"""The browser's code: its logic under node, and that every icon and message it names exists."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "static" / "js").rglob("*.js"))


@pytest.mark.parametrize("suite", ["live", "pure"])
def test_logic_under_node(suite):
    node = shutil.which("node") or str(ROOT / ".venv" / "bin" / "node")
    if not Path(node).exists():
        pytest.skip("no node on this machine: `make assets` installs one")
    run = subprocess.run(
        [node, "--test", str(ROOT / "tests" / "ui" / f"{suite}.test.mjs")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"^# pass [1-9]", run.stdout, re.MULTILINE), "node found no test"


def test_icons_named_by_scripts_are_in_the_sprite():
    known = set(json.loads((ROOT / "static" / "icons.json").read_text()))
    named = {name for path in SCRIPTS for name in re.findall(r"\bicon\(\"([a-z0-9-]+)\"", path.read_text())}
    assert named and named <= known


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_keep_to_the_policy(path):
    text = path.read_text()
    for wrong in (
        r"\beval\(",
        r"new Function",
        r"\.innerHTML\b",
        r"insertAdjacentHTML",
        r"document\.write",
        r"https?://(?!www\.w3\.org/)",
    ):
        assert not re.search(wrong, text), f"{path.name} uses {wrong}"
    assert len(text.splitlines()) < 500
