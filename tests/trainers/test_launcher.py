"""The launcher against a real HTTP portal with real trainer processes."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from modelyard_trainer.launcher.folder import AttemptFolder
from modelyard_trainer.launcher.telemetry import gpu_values
from modelyard_trainer.launcher.trainer import make_temporary, remove_temporary

from tests.trainers.launcher_support import PATIENCE, Attempt, sha256, wait_until

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the launcher needs Linux")
LONG = {"steps": 100_000, "step_seconds": 0.02}


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[Callable[..., Attempt]]:
    made: list[Attempt] = []

    def make(**orders: Any) -> Attempt:
        made.append(Attempt(tmp_path / str(len(made)), **orders))
        made[-1].portal.start()
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_training_arrives_whole_and_ends_once(attempt: Callable[..., Attempt]) -> None:
    one = attempt()
    assert one.run() == 0, one.messages()
    portal = one.portal
    portal.assert_whole()
    assert portal.ended is not None
    assert (portal.ended["exit_code"], portal.ended["reason"]) == (0, None)
    assert one.step() == 60
    assert portal.of_type("result")[0]["status"] == "succeeded"
    newest = {data["kind"]: data for data in portal.of_type("checkpoint")}
    assert set(newest) == {"best", "last", "resume"}
    for data in newest.values():
        assert sha256(portal.files[data["name"]]) == data["sha256"]
    assert set(portal.files) >= {"loss.json", "confusion.json"}
    assert (one.folder / "ended").exists()
    assert json.loads((one.folder / "exit.json").read_text())["exit_code"] == 0
    assert one.living() == []


def test_the_trainer_gets_nothing_of_the_launchers_environment(attempt: Callable[..., Attempt]) -> None:
    one = attempt(config=LONG)
    launcher = one.launch()
    pid = one.trainer_pid()
    pairs = Path(f"/proc/{pid}/environ").read_bytes().rstrip(b"\0").split(b"\0")
    environment = dict(pair.decode().split("=", 1) for pair in pairs)
    assert environment["MODELYARD_ATTEMPT_ID"] == one.id
    assert environment["CUDA_VISIBLE_DEVICES"] == ""
    assert environment["OMP_NUM_THREADS"] == "1"
    assert environment["HOME"] == str(one.folder / "home")
    assert Path(environment["TMPDIR"]).resolve() == one.folder / "tmp"
    assert one.portal.token not in str(environment)
    assert "DATABASE_URL" in one.environment
    assert "DATABASE_URL" not in environment
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    assert next(line for line in limits if line.startswith("Max core file")).split()[4:6] == ["0", "0"]
    assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
    assert os.readlink(f"/proc/{pid}/cwd") == str(one.folder / "output")
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(PATIENCE) == 0


@pytest.mark.parametrize("fault", ["500", "drop", "drop_after", "hang"])
def test_a_portal_with_faults_loses_and_doubles_nothing(attempt: Callable[..., Attempt], fault: str) -> None:
    one = attempt(config={"step_seconds": 0.005})
    seen: dict[str, int] = {}

    def first_of_each(call: str) -> str | None:
        seen[call] = seen.get(call, 0) + 1
        return fault if seen[call] == 1 else None

    one.portal.fault = first_of_each
    assert one.run() == 0, one.messages()
    one.portal.assert_whole()
    assert {"hello", "events", "files", "end"} <= {call for call, count in seen.items() if count > 1}
    assert one.step() == 60
    assert one.portal.ended is not None


def test_a_portal_that_is_away_and_returns_on_another_port_gets_everything(attempt: Callable[..., Attempt]) -> None:
    one = attempt(config={"steps": 400, "step_seconds": 0.002, "epoch_steps": 5, "print_bytes": 200})
    launcher = one.launch()
    wait_until(lambda: one.step() >= 20, f"twenty steps; {one.messages()}")
    one.portal.stop()
    wait_until((one.folder / "exit.json").exists, "a trainer that ends while the portal is away")
    heard = one.step()
    assert heard < 400
    assert launcher.poll() is None
    one.portal.start()
    assert launcher.wait(PATIENCE) == 0, one.messages()
    one.portal.assert_whole()
    assert one.step() == 400
    assert one.portal.log == (one.folder / "trainer.log").read_bytes()
    kinds = {data["kind"] for data in one.portal.of_type("checkpoint") if not data.get("superseded")}
    assert kinds == {"best", "last", "resume"}
    assert any(data.get("superseded") for data in one.portal.of_type("checkpoint"))


def test_a_killed_trainer_is_reported_with_its_signal(attempt: Callable[..., Attempt]) -> None:
    one = attempt(config=LONG)
    launcher = one.launch()
    os.kill(one.trainer_pid(), signal.SIGKILL)
    assert launcher.wait(PATIENCE) == 0, one.messages()
    assert one.portal.ended is not None
    assert one.portal.ended["signal"] == signal.SIGKILL
    assert (one.portal.ended["exit_code"], one.portal.ended["reason"]) == (None, None)
    one.portal.assert_whole()


def test_a_killed_launcher_takes_the_trainer_with_it_and_its_successor_reports(
    attempt: Callable[..., Attempt],
) -> None:
    one = attempt(config={**LONG, "fork_setsid": True})
    launcher = one.launch()
    trainer = one.trainer_pid()
    wait_until(lambda: one.step() >= 5 and len(one.living()) >= 2, "some steps and a stray process")
    launcher.kill()
    launcher.wait()
    wait_until(lambda: trainer not in one.living(), "the trainer's end")
    assert one.living(), "the stray process outlives its parents, else this test proves nothing"
    assert one.run() == 0
    assert one.portal.ended is None, "without --recover a second launcher must be turned away"
    assert one.run("--recover") == 0, one.messages()
    assert one.living() == []
    assert one.portal.hellos[-1]["recovering"] is True
    assert one.portal.ended is not None
    assert one.portal.ended["reason"] == "launcher_lost"
    one.portal.assert_whole()
    lines = (one.folder / "journal.jsonl").read_bytes().split(b"\n")
    assert len(one.portal.events["trainer"]) == len(lines) - 1


def test_a_successor_reports_the_ending_that_was_written_down(attempt: Callable[..., Attempt]) -> None:
    one = attempt()
    one.portal.fault = lambda call: "500" if call == "end" else None
    launcher = one.launch()
    wait_until(lambda: "end" in one.portal.calls, f"an end that is refused; {one.messages()}")
    launcher.kill()
    launcher.wait()
    one.portal.fault = lambda call: None
    assert one.run("--recover") == 0, one.messages()
    assert one.portal.ended is not None
    assert (one.portal.ended["exit_code"], one.portal.ended["reason"]) == (0, None)
    one.portal.assert_whole()


def test_two_launchers_at_once_start_one_trainer(attempt: Callable[..., Attempt]) -> None:
    one = attempt(config={"steps": 30, "step_seconds": 0.01})
    launchers = [one.launch(), one.launch()]
    assert [launcher.wait(PATIENCE) for launcher in launchers] == [0, 0], one.messages()
    assert len(one.portal.of_type("started")) == 1
    assert len({hello["nonce"] for hello in one.portal.hellos}) == 1
    one.portal.assert_whole()


def test_a_stop_lets_the_trainer_save_and_leave(attempt: Callable[..., Attempt]) -> None:
    one = attempt(config=LONG)
    launcher = one.launch()
    wait_until(lambda: one.step() >= 5, "some steps")
    one.portal.commands = [{"command": "stop", "reason": "user", "grace_seconds": 60}]
    assert launcher.wait(PATIENCE) == 0, one.messages()
    assert one.portal.ended is not None
    assert (one.portal.ended["exit_code"], one.portal.ended["reason"]) == (10, "user")
    assert one.portal.of_type("result")[0]["status"] == "stopped"
    resume = [data for data in one.portal.of_type("checkpoint") if data["kind"] == "resume"][-1]
    assert resume["step"] == one.step()
    assert sha256(one.portal.files[resume["name"]]) == resume["sha256"]


def test_a_stop_ends_a_trainer_that_refuses_and_everything_it_left(attempt: Callable[..., Attempt]) -> None:
    one = attempt(config={**LONG, "ignore_sigterm": True, "fork_setsid": True})
    launcher = one.launch()
    one.trainer_pid()
    wait_until(lambda: len(one.living()) >= 2 and one.step(), "the trainer and its stray process")
    one.portal.commands = [{"command": "stop", "reason": "timeout", "grace_seconds": 0.3}]
    assert launcher.wait(PATIENCE) == 0, one.messages()
    assert one.living() == []
    assert one.portal.ended is not None
    assert one.portal.ended["signal"] == signal.SIGKILL
    assert one.portal.ended["reason"] == "timeout"
    assert one.portal.ended["params"] == {"grace_over": True}


def test_a_stray_process_does_not_outlive_a_training_that_ends_by_itself(attempt: Callable[..., Attempt]) -> None:
    one = attempt(config={"steps": 20, "fork_setsid": True})
    assert one.run() == 0, one.messages()
    assert one.living() == []
    assert one.portal.ended is not None
    assert one.portal.ended["exit_code"] == 0


def test_a_stale_attempt_is_left_at_once_and_nothing_lives_on(attempt: Callable[..., Attempt]) -> None:
    one = attempt(config={**LONG, "ignore_sigterm": True, "fork_setsid": True})
    launcher = one.launch()
    wait_until(lambda: one.step() >= 3, "some steps")
    one.portal.fault = lambda call: "409"
    assert launcher.wait(PATIENCE) == 0, one.messages()
    assert one.living() == []
    assert one.portal.ends == []
    assert not (one.folder / "ended").exists()


def test_the_platforms_own_stop_checkpoints_and_leaves_the_rest_to_a_successor(
    attempt: Callable[..., Attempt],
) -> None:
    one = attempt(config=LONG)
    launcher = one.launch()
    wait_until(lambda: one.step() >= 3, "some steps")
    one.portal.stop()
    launcher.send_signal(signal.SIGTERM)
    wait_until((one.folder / "exit.json").exists, "a trainer that stopped")
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(PATIENCE) == 0, one.messages()
    assert one.living() == []
    one.portal.start()
    assert one.run("--recover") == 0, one.messages()
    assert one.portal.ended is not None
    assert (one.portal.ended["exit_code"], one.portal.ended["reason"]) == (10, "platform_stopping")
    one.portal.assert_whole()


def test_the_log_is_cut_at_its_cap_and_the_trainer_never_waits(attempt: Callable[..., Attempt]) -> None:
    one = attempt(config={"steps": 20, "print_bytes": 100_000}, log_cap_bytes=300_000)
    assert one.run() == 0, one.messages()
    assert len(one.portal.log) == 300_000
    assert one.portal.log.startswith(b"step 1 ")
    warning = one.portal.of_type("warning", "launcher")[0]
    assert (warning["code"], warning["params"]["cap"]) == ("log_cut", 300_000)
    assert one.portal.ended is not None
    assert (one.portal.ended["exit_code"], one.portal.ended["log_bytes"]) == (0, 300_000)


def test_memory_over_the_limit_ends_the_trainer_with_that_reason(attempt: Callable[..., Attempt]) -> None:
    resources = {"cpus": 1, "gpus": [], "memory_mb": 40}
    one = attempt(config={**LONG, "memory_mb": 150}, spec={"resources": resources})
    assert one.run() == 0, one.messages()
    assert one.portal.ended is not None
    assert one.portal.ended["reason"] == "out_of_memory"
    assert one.portal.ended["params"]["limit_mb"] == 60
    assert one.portal.ended["params"]["used_mb"] > 60


def test_the_launcher_reports_processor_and_memory(attempt: Callable[..., Attempt]) -> None:
    one = attempt(config=LONG)
    launcher = one.launch()
    metrics = wait_until(lambda: one.portal.of_type("metrics", "launcher"), "telemetry")[0]
    assert metrics["scope"] == "system"
    assert metrics["values"]["system/memory_mb"] > 5
    assert metrics["values"]["system/cpu_percent"] > 0
    launcher.kill()


def test_only_granted_gpus_are_reported_and_unknown_fields_are_left_out() -> None:
    text = "0, GPU-aa, 35, 1024\n1, GPU-bb, 90, 2048\n2, GPU-cc, [N/A], 7\n"
    assert gpu_values(text, {"0", "GPU-cc"}) == {
        "system/gpu0_percent": 35.0,
        "system/gpu0_memory_mb": 1024.0,
        "system/gpu2_memory_mb": 7.0,
    }
    assert gpu_values("No devices were found\n", {"0"}) == {}


def test_a_long_path_gets_a_short_name_for_temporary_files(tmp_path: Path) -> None:
    folder = AttemptFolder(tmp_path / ("deep" * 20))
    folder.path.mkdir()
    short = make_temporary(folder)
    assert make_temporary(folder) == short, "a successor must find what its predecessor made"
    try:
        assert len(str(short)) <= 70 < len(str(folder.temporary))
        (short / "file").write_text("x")
        assert (folder.temporary / "file").exists()
    finally:
        remove_temporary(folder)
    assert not short.is_symlink()
    assert not folder.temporary.exists()


def test_the_daemon_leaves_its_caller_and_runs_to_the_end(attempt: Callable[..., Attempt]) -> None:
    one = attempt()
    started = subprocess.run(one.command(), env=one.environment, capture_output=True, timeout=PATIENCE, check=True)
    assert started.stdout == started.stderr == b""
    wait_until((one.folder / "ended").exists, f"the end of a daemon; {one.messages()}")
    state = json.loads((one.folder / "launcher.json").read_text())
    assert state["pid"] == one.portal.hellos[0]["pid"]
    one.portal.assert_whole()


def test_an_end_that_comes_too_early_is_said_again_with_what_was_missing(attempt: Callable[..., Attempt]) -> None:
    one = attempt()

    def forget_once(call: str) -> str | None:
        if call == "end" and not one.portal.ends:
            # As a portal would that lost its last seconds.
            one.portal.events["trainer"] = one.portal.events["trainer"][:10]
        return None

    one.portal.fault = forget_once
    assert one.run() == 0, one.messages()
    assert len(one.portal.ends) == 2
    one.portal.assert_whole()
    assert one.portal.of_type("result")


def test_a_trainer_whose_journal_is_nonsense_is_ended(attempt: Callable[..., Attempt], tmp_path: Path) -> None:
    one = attempt()
    one.trainers = tmp_path / "trainers"
    package = one.trainers / "reference" / "modelyard_reference"
    package.mkdir(parents=True)
    (package.parent / "trainer.toml").write_text("contract = 1\n")
    (package / "__main__.py").write_text(
        "import time\nopen('../journal.jsonl', 'w').write('{\"seq\": 2}\\n')\ntime.sleep(60)\n"
    )
    assert one.run() == 0, one.messages()
    assert one.portal.ended is not None
    assert one.portal.ended["reason"] == "journal_invalid"
    assert "line 1" in one.portal.ended["params"]["message"]


def test_a_checkpoint_outside_the_output_is_never_read(attempt: Callable[..., Attempt], tmp_path: Path) -> None:
    one = attempt()
    one.trainers = tmp_path / "trainers"
    package = one.trainers / "reference" / "modelyard_reference"
    package.mkdir(parents=True)
    (package.parent / "trainer.toml").write_text("contract = 1\n")
    token = one.folder / "token"
    data = {"name": "t", "path": str(token), "sha256": sha256(token.read_bytes()), "size": token.stat().st_size}
    event = {"seq": 1, "time": 1.0, "type": "artifact", "data": data}
    (package / "__main__.py").write_text(f"open('../journal.jsonl', 'w').write({json.dumps(event) + chr(10)!r})\n")
    assert one.run() == 0, one.messages()
    assert one.portal.files == {}
    assert one.portal.of_type("artifact")[0]["missing"] is True
    assert one.portal.of_type("warning", "launcher")[0]["code"] == "file_not_kept"
