"""Pytest plugin of `make security`: collects what was tried and writes docs/security.md.

A test says where it belongs by its mark, `security(chapter, door)`, and what it has tried by properties: `tried` (a
number of requests), `actors` (those who asked, one for each request), `doors` (what was tried, its parameters by
default), `bad` (names of bad inputs), `found` (what came of it, in words), `fuzz` (answers to one operation) and
`atheris` (numbers of one target). The properties travel with the reports, so that the tests may run in several
processes.
"""

import os
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security.md"
FULL = "MODELYARD_SECURITY_FULL" in os.environ
SEED = int(os.environ.get("MODELYARD_SECURITY_SEED", "20"))

TENANCY = "People of another organization, and nobody"
ROLES = "People of the own organization, by role"
BAD_INPUT = "Bad input"
CREDENTIALS = "Tokens and sessions"
REQUESTS = "Requests drawn from the schema"
FUZZED = "Inputs that follow coverage"
PROOFS = "Measured and counted"
FURTHER = "Further"

HEAD = """# What strangers and bad input got

Written by `make security`, which stops before this page when bandit or detect-secrets finds anything. A leak is an
answer with a name or an id of the other organization, an event in its log, or another status than the matrix in
`tests/security/tenancy.py` says.
"""
BAD_NAME = re.compile(r"bad-([A-Z]\d\d)")


@dataclass
class Door:
    """What was tried at one door."""

    tests: int = 0
    names: set[str] = field(default_factory=set)
    failed: int = 0
    tried: int = 0
    cases: int = 0
    bad: set[str] = field(default_factory=set)
    found: list[str] = field(default_factory=list)
    actors: Counter[str] = field(default_factory=Counter)


@dataclass
class Collected:
    doors: dict[tuple[str, str], Door] = field(default_factory=lambda: defaultdict(Door))
    #: operationId → persona → answers as [accepted, refused].
    fuzz: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    #: Target → what the fuzzer did: `inputs`, `covered`, `seconds`, `slowest` and its `bytes`.
    fuzzed: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, report: pytest.TestReport) -> None:
        known = dict(report.user_properties)
        if "door" not in known:
            return
        door = self.doors[known["chapter"], known["door"]]
        door.tests += 1
        door.failed += report.failed
        tried = known.get("tried", 1)
        door.tried += tried
        door.names.update(known.get("doors", [known["name"]] if tried else []))
        door.cases += max(1, len(known["bad"]))
        door.bad.update(known["bad"])
        door.found += [known["found"]] if "found" in known else []
        door.actors.update(known.get("actors", []))
        self.fuzz.update(known.get("fuzz", {}))
        self.fuzzed.update(known.get("atheris", {}))

    def text(self) -> str:
        chapters = [self.tenancy(), self.roles(), self.bad_input(), self.proofs(), self.inputs()]
        chapters += [self.requests(), self.others()]
        return "\n".join([HEAD, f"Seed {SEED}, {datetime.now(UTC):%Y-%m-%d}.", "", *chapters])

    def rows(self, *chapters: str) -> list[tuple[str, Door]]:
        return sorted((name, door) for (chapter, name), door in self.doors.items() if chapter in chapters)

    def tenancy(self) -> str:
        rows = [f"| {name} | {len(door.names)} | {door.tried} | {door.failed} |" for name, door in self.rows(TENANCY)]
        return table(TENANCY, "door | tried | requests | leaks", rows)

    def roles(self) -> str:
        found = self.rows(ROLES)
        actors = list(dict.fromkeys(actor for _name, door in found for actor in door.actors))
        head = (
            "Requests by actor, right in everything but, perhaps, who sends them: `tests/security/roles.py` and\n"
            "`roles_pages.py` say what each gets. A deviation is another answer, or an event of somebody who was refused.\n"
        )
        rows = [
            f"| {name} | {len(door.names)} | {' | '.join(str(door.actors[actor]) for actor in actors)} | {door.failed} |"
            for name, door in found
        ]
        return table(ROLES, " | ".join(["door", "tried", *actors, "deviations"]), rows, head)

    def bad_input(self) -> str:
        rows = [
            f"| {name} | {door.cases} | {', '.join(sorted(door.bad))} | {door.failed} |"
            for name, door in self.rows(BAD_INPUT)
        ]
        return table(BAD_INPUT, "door | cases | names | failed", rows)

    def proofs(self) -> str:
        rows = [
            f"| {name} | {door.tried:,} | {'<br>'.join(sorted(door.found)) or 'nothing'} | {door.failed} |"
            for name, door in self.rows(PROOFS)
        ]
        return table(PROOFS, "what | tried | found | failed", rows)

    def inputs(self) -> str:
        failed = sum(door.failed for _name, door in self.rows(FUZZED))
        head = (
            "Made by atheris for everything that reads what people upload, and refused with a code or taken. "
            f"{failed} target(s) failed\nor had an input that takes more than a second of the processor. The slowest is "
            "measured while coverage is counted.\n"
        )
        rows = [
            f"| {name} | {found['inputs']:,} | {found['covered']:,} | {found['seconds']} | {1000 * found['slowest']:.0f} ms"
            f" ({found['bytes']:,} bytes) |"
            for name, found in sorted(self.fuzzed.items())
        ]
        return table(FUZZED, "target | inputs | branches reached | seconds | slowest input", rows, head)

    def requests(self) -> str:
        personas = list(dict.fromkeys(persona for answers in self.fuzz.values() for persona in answers))
        failed = sum(door.failed for _name, door in self.rows(REQUESTS))
        total = sum(sum(counts) for answers in self.fuzz.values() for counts in answers.values())
        head = (
            f"{len(self.fuzz)} operations × {len(personas)} personas ({', '.join(personas)}), {total} requests: about half\n"
            f"of them as the schema allows, half as it forbids. {failed} operation(s) crashed, leaked, or answered otherwise\n"
            "than the schema says. Accepted / refused by persona:\n"
        )
        rows = []
        for operation, answers in sorted(self.fuzz.items()):
            cells = [" / ".join(map(str, answers[persona])) if persona in answers else "" for persona in personas]
            rows.append(f"| {operation} | {' | '.join(cells)} |")
        return table(REQUESTS, " | ".join(["operation", *personas]), rows, head)

    def others(self) -> str:
        rows = [f"| {name} | {door.tests} | {door.failed} |" for name, door in self.rows(CREDENTIALS, FURTHER)]
        return table(FURTHER, "what | tests | failed", rows)


def table(title: str, columns: str, rows: list[str], head: str = "") -> str:
    lines = [f"## {title}", *([head] if head else []), f"| {columns} |", "|---" * (columns.count("|") + 1) + "|"]
    return "\n".join([*lines, *rows, ""])


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Plugin(config))


class Plugin:
    def __init__(self, config: pytest.Config) -> None:
        self.collected = Collected()
        # A part of the tests is no report.
        self.whole = FULL and not config.option.keyword and config.args == ["tests"]
        self.is_worker = hasattr(config, "workerinput")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            mark = item.get_closest_marker("security")
            if mark:
                chapter, door = mark.args or (FURTHER, first_line(item))
                name = item.callspec.id if hasattr(item, "callspec") else item.name
                bad = BAD_NAME.findall(item.name) or BAD_NAME.findall(item.function.__doc__ or "")
                item.user_properties += [("chapter", chapter), ("door", door), ("name", name), ("bad", bad)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.failed:
            self.collected.add(report)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if ended and self.whole and not self.is_worker:
            PAGE.write_text(self.collected.text(), encoding="utf-8")


def bad_names(parameters: list[Any]) -> list[str]:
    """The bad inputs among the parameters of a test that goes through them by itself."""
    return [name for found in parameters for name in BAD_NAME.findall(found.id)]


def first_line(item: Any) -> str:
    return (item.module.__doc__ or item.module.__name__).split("\n")[0].split(":")[0].rstrip(".")
