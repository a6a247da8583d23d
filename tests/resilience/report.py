"""Collects what the resilience tests tried, for docs/resilience.md."""

import os
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass
class Tried:
    """One fault at one moment."""

    what: str
    moment: float
    attempts: int
    seconds: float
    noticed: float | None = None
    #: How often the fault is tried in this run; None: once a round.
    times: int | None = None


@dataclass
class Report:
    """`rounds` moments of each kind of fault; `seed` fixes them."""

    rounds: int
    seed: int = field(default_factory=lambda: int(os.environ.get("MODELYARD_RESILIENCE_SEED", "20")))
    tried: list[Tried] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def moments(self, what: str, low: float, high: float, *, each: int = 1) -> list[float]:
        """Moments in seconds after the submit, `each` a round, the same for the same seed."""
        source = random.Random(f"{self.seed}/{what}")
        return [round(source.uniform(low, high), 2) for _ in range(self.rounds * each)]

    def add(self, what: str, moment: float, **facts: Any) -> None:
        self.tried.append(Tried(what, moment, **facts))

    def tell(self, sentence: str) -> None:
        """What is no training."""
        self.told.append(sentence)

    def text(self) -> str:
        """The page, in Markdown."""
        lines = [
            "# What was killed, and what came of it",
            "",
            "Written by `make resilience`: real processes of one portal (leases of 3 s) are killed at seeded moments of a",
            "training of the reference trainer. Each line stands for trainings that succeeded, whose events and points in",
            "the database were the journals on disk, none lost and none doubled.",
            "",
            f"Seed {self.seed}, {self.rounds} round(s), {datetime.now(UTC):%Y-%m-%d}.",
            "",
            "| fault | passed | moments (s after submit) | attempts | noticed after at most (s) | longest (s) |",
            "|---|---|---|---|---|---|",
        ]
        for what in dict.fromkeys(entry.what for entry in self.tried):
            entries = [entry for entry in self.tried if entry.what == what]
            noticed = [entry.noticed for entry in entries if entry.noticed is not None]
            lines.append(
                f"| {what} | {len(entries)}/{entries[0].times or self.rounds} | {', '.join(f'{entry.moment:.1f}' for entry in entries)} "
                f"| {', '.join(str(entry.attempts) for entry in entries)} "
                f"| {f'{max(noticed):.1f}' if noticed else ''} | {max(entry.seconds for entry in entries):.1f} |"
            )
        if self.told:
            lines += ["", "## Uploads", "", *self.told]
        return "\n".join(lines) + "\n"
