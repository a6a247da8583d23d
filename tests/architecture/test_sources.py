"""House rules that are read off the sources."""

import ast
import platform as standard_platform
import re
import subprocess
import sys
import sysconfig
import tomllib
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONG_MODULE, TOO_LONG_MODULE = 500, 800
URL = re.compile(r"""(?:src|href|action|url\(|@import|from|import)\s*[=(]?\s*["']?((?:https?:)?//[^\s"')>]+)""")
#: An XML namespace is a name, not an address that anybody fetches.
NAMESPACES = ("http://www.w3.org/", "https://www.w3.org/")


def tracked(*patterns):
    """Files of the repository: committed ones and new ones that are not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    return sorted(ROOT / name for name in set(names) if name and (ROOT / name).is_file())


def label(path):
    return str(path.relative_to(ROOT))


PYTHON_FILES = [path for path in tracked("*.py") if "migrations" not in path.parts]


def test_the_standard_module_platform_is_not_shadowed():
    standard_folder = Path(sysconfig.get_path("stdlib")).resolve()
    assert Path(standard_platform.__file__).resolve().is_relative_to(standard_folder)
    assert list((ROOT / "platform").glob("*.py")) == []
    # Also for programs that start in the repository's root, as manage.py and Celery do.
    told = subprocess.run(
        [sys.executable, "-c", "import platform; print(platform.__file__)"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.strip()
    assert Path(told).resolve().is_relative_to(standard_folder)


def test_modules_stay_short():
    lengths = {label(path): path.read_text().count("\n") for path in PYTHON_FILES}
    long = {name: length for name, length in lengths.items() if LONG_MODULE < length <= TOO_LONG_MODULE}
    if long:
        warnings.warn(f"modules over {LONG_MODULE} lines: {long}", stacklevel=1)
    assert {name: length for name, length in lengths.items() if length > TOO_LONG_MODULE} == {}


def test_every_app_is_in_the_layers():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "layers")
    named = set(re.findall(r"\w+", " ".join(layers)))
    apps = {path.parent.name for path in (ROOT / "apps").glob("*/apps.py")}
    assert apps
    assert apps - named == set()


def _function_imports(tree):
    """Import statements inside functions, with the function's name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    yield node.name, inner


def test_imports_stand_at_the_top():
    """Except in `AppConfig.ready`, and where a comment `# import here: <reason>` says why."""
    found = []
    for path in PYTHON_FILES:
        source = path.read_text()
        lines = source.splitlines()
        for function, statement in _function_imports(ast.parse(source)):
            if function == "ready" and path.name == "apps.py":
                continue
            if re.search(r"# import here: \w+", lines[statement.lineno - 1]):
                continue
            found.append(f"{label(path)}:{statement.lineno}")
    assert sorted(set(found)) == []


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "misc"])
def test_no_module_is_called_after_nothing(name):
    assert [label(path) for path in PYTHON_FILES if path.stem == name or name in path.parent.parts[-1:]] == []


def test_pages_take_nothing_from_elsewhere():
    pages = [
        path for path in tracked("templates", "static", "apps") if path.suffix in {".html", ".js", ".css", ".svg"}
    ]
    assert len(pages) > 20
    foreign = []
    for path in pages:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if 'rel="noopener' in line or "rel='noopener" in line:
                continue  # A link that a person may follow; the page loads nothing from it.
            foreign += [f"{label(path)}:{number} {url}" for url in URL.findall(line) if not url.startswith(NAMESPACES)]
    assert foreign == []


def test_pages_have_no_inline_script_or_handler():
    inline = []
    for path in (path for path in tracked("templates", "apps") if path.suffix == ".html"):
        text = path.read_text()
        if "email" in path.parts:
            continue  # Mail has no scripts, and no style sheets that readers would load.
        for match in re.finditer(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>|\son[a-z]+=[\"']", text):
            inline.append(f"{label(path)}:{text.count(chr(10), 0, match.start()) + 1} {match[0].strip()}")
    assert inline == []


def test_locks_pin_hash_and_name_no_index():
    for lock in sorted(ROOT.glob("requirements*.txt")):
        text = lock.read_text()
        entries = re.findall(r"^[a-zA-Z0-9].*\n(?:[ ].*\n)*", text, re.MULTILINE)
        assert entries, lock.name
        assert [entry.splitlines()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []
        assert re.findall(r"--(?:extra-)?index-url|--find-links|https?://", text) == []
        assert lock.with_suffix(".in").is_file()


def test_no_other_celery_application_becomes_the_current_one():
    """One that did would take every hint of its thread from then on, with a broker that nobody runs."""
    calls = [
        (path, node)
        for path in PYTHON_FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Celery"
    ]
    assert len(calls) > 1
    told = {label(path) for path, node in calls if "set_as_current" not in {word.arg for word in node.keywords}}
    assert told == {"platform/modelyard/celery.py"}
