"""docs/benchmarks.md from what the programs found."""

import json
from itertools import groupby
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Written by `make bench` with `MODELYARD_BENCHMARK_UPDATE=1`; without it the same programs are held to these bars, and the
ratios against MLflow to those kept in `tests/benchmarks/baseline.json`. One program alone:
`python -m tests.benchmarks.<name>`, after `export PYTHONPATH=platform:.:trainers/sdk`; `formats` beside datumaro with
`--datumaro <python>`, an interpreter that has it, `imports` beside dvc with `--dvc <program>`. Every other program starts a portal of its own with the usual settings
(durable PostgreSQL, MLflow beside it), and whatever is compared runs in the same minutes on the same machine. Figures
from other machines are no bar; ratios and bars are.

What a program is held to stands in its table headed `bar`, and nowhere else: the rows of its other tables are figures to
read, and one that looks worse than a bar (single points beside MLflow, say) fails nothing. A part without such a table
has no bar.
"""


def page(results: dict[str, dict[str, Any]]) -> str:
    """The page in Markdown. `results`: program → what it wrote (`Figures.finish`)."""
    return "\n".join([HEAD, *(part for name, found in results.items() for part in _part(name, found))]).rstrip() + "\n"


def write(results: dict[str, dict[str, Any]]) -> None:
    PAGE.write_text(page(results), encoding="utf-8")


def _part(name: str, found: dict[str, Any]) -> list[str]:
    load = found["load_average"]
    lines = [f"## `{name}`", "", f"{found['machine']}; load average {load['before']:.1f} before the start.", ""]
    for columns, rows in groupby(found["rows"], key=lambda row: tuple(row)):
        lines += _table([column.replace("_", " ") for column in columns], [list(row.values()) for row in rows])
    bars = [
        [bar["name"], _shown(bar["value"]), _wanted(bar), "held" if bar["held"] else "missed"] for bar in found["bars"]
    ]
    return [*lines, *_table(["bar", "found", "wanted", ""], bars)]


def _table(heads: list[str], rows: list[list[Any]]) -> list[str]:
    body = [f"| {' | '.join(_shown(cell) for cell in row)} |" for row in rows]
    return [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *body, ""]


def _wanted(bar: dict[str, Any]) -> str:
    return f"≥ {bar['low']:g}" if bar["low"] is not None else f"≤ {bar['high']:g}"


def _shown(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def from_file(path: Path) -> dict[str, dict[str, Any]]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
