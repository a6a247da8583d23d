"""What a launcher makes of a journal that no honest trainer writes: it ships, marks or refuses, and never repeats."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from modelyard_trainer.journal import Journal
from modelyard_trainer.launcher.portal import Portal
from modelyard_trainer.launcher.streams import TrainerStream

from tests.trainers.launcher_support import FakePortal, sha256

ATTEMPT = "an-attempt"
HALF = "half \ud83d"


class Stand:
    """A stream over a folder, and the portal that it speaks to."""

    def __init__(self, folder: Path) -> None:
        self.output = folder / "output"
        self.output.mkdir()
        self.journal = folder / "journal.jsonl"
        self.portal = FakePortal(folder / "portal.url", ATTEMPT, {})
        self.portal.start()
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.link = Portal(ATTEMPT, FakePortal.token, folder / "portal.url", timeout=5)
        self.stream = TrainerStream(
            self.journal, self.link.channel(), self.output, lambda *said: self.said.append(said)
        )

    def write(self, *events: tuple[str, Any]) -> None:
        lines = [
            json.dumps({"seq": number, "time": 1.0, "type": kind, "data": data})
            for number, (kind, data) in enumerate(events, 1)
        ]
        self.journal.write_text("".join(f"{line}\n" for line in lines))

    def ship(self, rounds: int = 10) -> None:
        """Ships until there is nothing to ship; fails when there is no end to it."""
        for _number in range(rounds):
            if not self.stream.ship_some():
                return
        raise AssertionError(f"still shipping after {rounds} rounds")

    @property
    def arrived(self) -> list[dict[str, Any]]:
        return [event["data"] for event in self.portal.events["trainer"]]


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    found = Stand(tmp_path)
    yield found
    found.link.leaving.set()
    found.portal.stop()


NOTE = ("log", {"level": "info", "message": "after"})


@pytest.mark.parametrize("kind", [["best"], {"a": 1}, None, 7, HALF], ids=range(5))
def test_a_checkpoint_of_no_known_kind_blocks_nothing(stand: Stand, kind: Any) -> None:
    stand.write(("checkpoint", {"kind": kind, "name": "a", "path": str(stand.output / "none"), "sha256": ""}), NOTE)
    stand.ship()
    assert stand.stream.problem is None
    assert [data.get("superseded") for data in stand.arrived] == [True, None]


@pytest.mark.parametrize("path", ["nul \0 here", HALF, ["a"], "x" * 5000, "/etc/passwd", "loop"], ids=range(6))
def test_a_path_that_is_none_is_missing_and_blocks_nothing(stand: Stand, path: Any) -> None:
    (stand.output / "loop").symlink_to(stand.output / "loop")
    path = str(stand.output / "loop") if path == "loop" else path
    stand.write(("artifact", {"name": "a", "path": path, "sha256": ""}), NOTE)
    stand.ship()
    assert stand.stream.problem is None
    assert [data.get("missing") for data in stand.arrived] == [True, None]
    assert stand.portal.files == {}


@pytest.mark.parametrize("name", [HALF, ["a"], None], ids=range(3))
def test_a_name_that_is_none_blocks_nothing(stand: Stand, name: Any) -> None:
    (stand.output / "a").write_bytes(b"a")
    stand.write(("artifact", {"name": name, "path": str(stand.output / "a"), "sha256": sha256(b"a")}), NOTE)
    stand.ship()
    assert stand.stream.problem is None
    assert stand.portal.acked("trainer") == 2


def test_half_a_surrogate_reaches_the_portal_which_judges_it(stand: Stand) -> None:
    stand.write(("log", {"level": "info", "message": HALF}), NOTE)
    stand.ship()
    assert [data["message"] for data in stand.arrived] == [HALF, "after"]


def test_a_line_nested_beyond_reading_ends_the_stream_with_a_reason(stand: Stand) -> None:
    stand.journal.write_text('{"seq":1,"time":1.0,"type":"log","data":{"a":' + "[" * 5000 + "]" * 5000 + "}}\n")
    stand.ship()
    assert stand.stream.problem == "line 1 is no event with that number"


def test_lines_that_cannot_be_written_again_end_the_stream_with_a_reason(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def post(action: str, body: dict[str, Any]) -> None:
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr(stand.stream.channel, "post", post)
    stand.write(NOTE)
    stand.ship()
    assert (
        stand.stream.problem == "what follows line 0 cannot be sent: RecursionError: maximum recursion depth exceeded"
    )


def test_a_file_that_grows_while_it_is_sent_is_sent_as_it_was(stand: Stand) -> None:
    whole = b"0123456789" * 100
    (stand.output / "a").write_bytes(whole)
    _at_first_read(stand, lambda file: file.write_bytes(whole * 1000))
    stand.write(("artifact", {"name": "a", "path": str(stand.output / "a"), "sha256": sha256(whole)}), NOTE)
    stand.ship()
    assert stand.portal.files == {"a": whole}
    assert [data.get("missing") for data in stand.arrived] == [None, None]


def test_a_file_that_shrinks_while_it_is_sent_is_missing(stand: Stand) -> None:
    (stand.output / "a").write_bytes(bytes(1 << 20))
    _at_first_read(stand, lambda file: os.truncate(file, 1000))
    stand.write(("artifact", {"name": "a", "path": str(stand.output / "a"), "sha256": sha256(bytes(1 << 20))}), NOTE)
    shipping = threading.Thread(target=stand.ship, daemon=True)
    shipping.start()
    shipping.join(15)
    assert not shipping.is_alive(), "the launcher waits for a portal that waits for the rest of the file"
    assert [data.get("missing") for data in stand.arrived] == [True, None]
    assert "shorter" in stand.said[0][1]["message"]


def _at_first_read(stand: Stand, act: Any) -> None:
    """Lets something happen to the file after its size was taken."""
    put, channel = stand.stream.channel.put_file, stand.stream.channel

    def after(file: Any, size: int, query: dict[str, str]) -> Any:
        act(stand.output / "a")
        return put(file, size, query)

    channel.put_file = after  # type: ignore[method-assign]


def test_a_trainer_that_names_a_file_which_is_no_text_keeps_its_voice(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("log", {"message": os.fsdecode(b"caf\xe9.jpg")})
    journal.append("log", {"message": "after"})
    journal.close()
    lines = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_bytes().splitlines()]
    assert [(line["seq"], line["data"]["message"]) for line in lines] == [(1, "caf?.jpg"), (2, "after")]
