"""Sets as their makers write them, read by one child and analysed: what was drawn is found again."""

from pathlib import Path
from typing import Any

import pytest

from apps.datasets.analysis import Analysis, analyse
from apps.datasets.foreign.conversion import laid_out
from apps.datasets.foreign.reader import Job, Report, read
from apps.datasets.formats.model import ParsedItem
from tests.datasets.foreign.support import BY_HAND, Sample, objects


class Stand:
    """Every sample, read once: as the format it is, and as whatever it is told to be."""

    def __init__(self, python: Path, home: Path) -> None:
        self.samples: dict[str, Sample] = {make.__name__: make() for make in BY_HAND}
        self.staged = {name: sample.write(home / name) for name, sample in self.samples.items()}
        self.jobs: dict[str, Job] = {}
        for name, sample in self.samples.items():
            self.jobs[name] = Job(home / name, home / f"{name}.named", sample.task, sample.plugin)
            self.jobs[f"{name}/told"] = Job(home / name, home / f"{name}.told", sample.task)
        self.reports: dict[str, Report] = dict(zip(self.jobs, read(python, list(self.jobs.values())), strict=True))

    def analysed(self, name: str) -> tuple[Analysis, dict[str, ParsedItem]]:
        converted = laid_out(self.staged[name], self.jobs[name], self.reports[name])
        assert converted.format == f"datumaro:{self.samples[name].plugin}"
        items: list[ParsedItem] = []
        found = analyse(converted.staged, task=self.samples[name].task, on_item=items.append)
        return found, {item.path.rpartition("/")[2]: item for item in items}


@pytest.fixture(scope="module")
def stand(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Stand:
    return Stand(python, tmp_path_factory.mktemp("foreign"))


@pytest.mark.parametrize("name", [make.__name__ for make in BY_HAND])
def test_what_was_drawn_is_found_again(stand: Stand, name: str) -> None:
    sample = stand.samples[name]

    analysis, items = stand.analysed(name)

    assert analysis.errors == 0, analysis.defects
    classes = tuple(found["name"] for found in analysis.classes)
    found: Any = {path: (item.split, objects(item.annotation, classes)) for path, item in items.items()}
    assert found.keys() == sample.expected.keys()
    for path, (split, wanted) in sample.expected.items():
        assert found[path][0] == split
        if wanted is None:
            assert found[path][1] is None
            continue
        assert [label for label, _ in found[path][1]] == [label for label, _ in wanted]
        for (_, ours), (_, theirs) in zip(found[path][1], wanted, strict=True):
            assert ours == pytest.approx(theirs, abs=1e-3)


@pytest.mark.parametrize("name", [make.__name__ for make in BY_HAND])
def test_the_format_is_told(stand: Stand, name: str) -> None:
    told = stand.reports[f"{name}/told"]
    assert (told.failure, told.plugin) == (None, stand.samples[name].plugin)


def test_what_has_no_place_is_counted(stand: Stand) -> None:
    losses = {code: count for code, count, _path in stand.reports["cvat_outlines"].losses}
    assert losses == {"lines": 1, "other_kinds": 1}
    losses = {code: count for code, count, _path in stand.reports["masks"].losses}
    assert losses == {"background": 1}
