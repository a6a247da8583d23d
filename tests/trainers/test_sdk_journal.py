"""The journal and the reporter: numbered without gaps, on disk, JSON that anybody can read."""

import json
import math
import multiprocessing
import os
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from modelyard_trainer.journal import Journal, JournalError, plain
from modelyard_trainer.reporter import Reporter


def lines(path: Path) -> list[dict[str, Any]]:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def test_events_of_many_threads_are_numbered_without_gaps_in_the_order_of_the_file(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    reporter = Reporter(journal)

    def report() -> None:
        for step in range(500):
            reporter.metrics(step=step, epoch=None, scope="batch", values={"train/loss": 1.0})

    threads = [threading.Thread(target=report) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    events = lines(journal.path)
    assert [event["seq"] for event in events] == list(range(1, 2001))
    assert all(earlier["time"] <= later["time"] for earlier, later in pairwise(events))


def test_many_events_are_synced_in_few_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.append(descriptor), fsync(descriptor)))
    journal = Journal(tmp_path / "journal.jsonl")
    for number in range(2000):
        journal.append("log", {"level": "info", "message": str(number)})
    journal.close()
    assert len(lines(journal.path)) == 2000
    assert 1 <= len(synced) <= 40


def test_an_event_that_matters_is_on_disk_when_the_call_returns(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("started", {}, now=True)
    assert [event["type"] for event in lines(journal.path)] == ["started"]
    journal.close()


def test_what_is_not_finite_is_written_as_text(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    values = {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 0.5, "e": 3}
    Reporter(journal).metrics(step=0, epoch=0, scope="epoch", values=values)
    journal.close()
    written = lines(journal.path)[0]["data"]["values"]
    assert written == {"a": "NaN", "b": "Infinity", "c": "-Infinity", "d": 0.5, "e": 3}


def test_scalars_and_arrays_of_libraries_become_plain_numbers() -> None:
    class Scalar:
        def tolist(self) -> float:
            return math.nan

    assert plain({"a": [Scalar()], "b": (1, None, True), "c": Path("/x")}) == {
        "a": ["NaN"],
        "b": [1, None, True],
        "c": "/x",
    }
    with pytest.raises(TypeError, match="object cannot be written as JSON"):
        plain({"a": object()})


def test_a_journal_with_lines_is_refused_unless_its_writer_died(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    first = Journal(path)
    first.append("log", {"message": "한글"})
    first.close()
    with path.open("ab") as file:
        file.write(b'{"seq":2,"ha')
    with pytest.raises(JournalError, match="already has lines"):
        Journal(path)
    successor = Journal(path, go_on=True)
    assert successor.append("log", {"message": "two"}) == 2
    successor.close()
    assert [event["seq"] for event in lines(path)] == [1, 2]


def test_nothing_may_follow_the_result(tmp_path: Path) -> None:
    reporter = Reporter(Journal(tmp_path / "journal.jsonl"))
    reporter.result("succeeded", metrics={}, summary={})
    with pytest.raises(JournalError, match="closed"):
        reporter.log("too late")
    assert len(lines(tmp_path / "journal.jsonl")) == 1


def test_a_full_disk_is_reported_and_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("log", {"message": "fits"}, now=True)
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) > 10:
            return write(descriptor, data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(JournalError, match="No space left"):
        journal.append("log", {"message": "does"}, now=True)
    monkeypatch.undo()
    with pytest.raises(JournalError, match="No space left"):
        journal.append("log", {"message": "still the same fault"})
    assert [event["data"]["message"] for event in lines(journal.path)] == ["fits"]


def _report_in_child(reporter: Reporter, answers: Any) -> None:
    try:
        reporter.log("from a child")
    except JournalError as error:
        answers.put(str(error))


def test_a_forked_child_may_not_report(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_report_in_child, args=(Reporter(journal), answers))
    child.start()
    assert "not by its children" in answers.get(timeout=10)
    child.join(10)
    journal.close()
    assert lines(journal.path) == []


@pytest.mark.parametrize(
    ("values", "step", "scope", "message"),
    [
        ({"bad:name": 1}, 0, "batch", "no name for a metric"),
        ({"x" * 121: 1}, 0, "batch", "no name for a metric"),
        ({"a": 1}, -1, "batch", "whole number"),
        ({"a": 1}, 1.5, "batch", "whole number"),
        ({"a": 1}, 0, "day", "not one of"),
    ],
)
def test_metrics_that_break_the_contract_are_refused(
    tmp_path: Path, values: dict[str, Any], step: Any, scope: str, message: str
) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    reporter = Reporter(journal)
    reporter.metrics(step=0, epoch=None, scope="batch", values={"val/map50 (B)": 1})
    with pytest.raises(ValueError, match=message):
        reporter.metrics(step=step, epoch=None, scope=scope, values=values)
    journal.close()
    assert len(lines(journal.path)) == 1


def test_the_fraction_is_of_the_whole_job_and_never_falls(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    reporter = Reporter(journal, mode="train")
    reporter.progress("preparing", 9, 10, unit="image")
    reporter.progress("training", 1, 2, unit="epoch")
    reporter.progress("evaluating", 1, 100, unit="image")
    reporter.progress("training", 1, 4, unit="epoch")
    reporter.progress("training", 2, 2, unit="epoch", fraction=7)
    journal.close()
    assert [event["data"]["fraction"] for event in lines(journal.path)] == [0, 0.5, 0.5, 0.5, 1]
