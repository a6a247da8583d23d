"""Runs a trainer as the launcher would and looks at what it did."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from modelyard_trainer.config_schema import ConfigError, complete_config
from modelyard_trainer.contract_tests.journal_rules import (
    batch_steps,
    ending_problems,
    file_problems,
    form_problems,
    of_type,
    progress_problems,
    read_journal,
)
from modelyard_trainer.descriptor import Descriptor, DescriptorError, read_descriptor
from modelyard_trainer.exit_codes import ExitCode
from modelyard_trainer.spec import MODES

SDK = Path(__file__).resolve().parents[2]
LOOK_SECONDS = 0.02
UNKNOWN_SETTING = "a_setting_that_no_trainer_has"


@dataclass(frozen=True)
class Check:
    """One rule of the contract: what was tried, and what was wrong; no problems means that it holds."""

    name: str
    problems: tuple[str, ...] = ()
    skipped: str | None = None

    @property
    def passed(self) -> bool:
        return not self.problems


class Run:
    """One run of the trainer in a folder of its own."""

    def __init__(self, folder: Path, command: list[str], environment: Mapping[str, str]):
        self.folder = folder
        self.output = folder / "output"
        self.log = folder / "trainer.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.output,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def events(self) -> list[dict[str, Any]]:
        return read_journal(self.folder / "journal.jsonl")

    def wait(self, seconds: float) -> int | None:
        """The exit code, negative for a signal; None when it had to be killed for taking too long."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def wait_for(self, condition: Callable[[list[dict[str, Any]]], bool], seconds: float) -> bool:
        """Whether the journal fulfilled the condition while the trainer ran."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            running = self.process.poll() is None
            if condition(self.events()):
                return running
            if not running:
                return False
            time.sleep(LOOK_SECONDS)
        return False

    def kill(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def newest_resume(self) -> dict[str, Any] | None:
        """The newest resume checkpoint that is still there."""
        found = [data for data in of_type(self.events(), "checkpoint") if data["kind"] == "resume"]
        return next((data for data in reversed(found) if Path(data["path"]).is_file()), None)

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-600:].strip()


class Suite:
    """The checks of one trainer. `config` must make a training last some seconds, so that it can be interrupted."""

    def __init__(
        self,
        folder: Path,
        work: Path,
        *,
        config: Mapping[str, Any] | None = None,
        dataset: Path | None = None,
        task: str | None = None,
        model: str | None = None,
        python: Path | None = None,
        timeout: float = 600.0,
        grace: float = 120.0,
    ):
        self.folder = folder.resolve()
        self.work = work.resolve()
        self.config = dict(config or {})
        self.dataset = dataset.resolve() if dataset else None
        self.python = str(python or sys.executable)
        self.timeout = timeout
        self.grace = grace
        self._task = task
        self._model = model
        self._runs = 0
        self._running: list[Run] = []

    def checks(self) -> Iterator[Check]:
        """Runs everything; each check is given out as soon as it is known. Leaves no process behind."""
        try:
            self.descriptor = read_descriptor(self.folder)
        except DescriptorError as error:
            yield Check("the descriptor and the schema are valid", tuple(error.problems))
            return
        yield Check("the descriptor and the schema are valid")
        try:
            yield from self._checks(self.descriptor)
        finally:
            for run in self._running:
                if run.process.poll() is None:
                    run.kill()

    def _checks(self, descriptor: Descriptor) -> Iterator[Check]:
        yield self._defaults(descriptor)
        yield self._unknown_setting()
        if "train" in descriptor.modes:
            yield from self._training()
            if descriptor.resumes:
                yield from self._interrupted()
            else:
                yield Check("SIGTERM and SIGKILL can be recovered from", skipped="the trainer says that it cannot")
        yield from (self._unsupported(mode) for mode in MODES if mode not in descriptor.modes)

    def start(self, mode: str, **changes: Any) -> Run:
        """Starts the trainer with a spec of its own; `changes` replace keys of the spec."""
        self._runs += 1
        folder = self.work / f"{self._runs:02d}-{mode}"
        for name in ("output", "home", "tmp"):
            (folder / name).mkdir(parents=True)
        descriptor = self.descriptor
        spec = {
            "contract": 1,
            "mode": mode,
            "job_id": "contract-tests",
            "attempt_id": f"contract-tests-{os.getpid()}-{self._runs}",
            "attempt_no": 1,
            "trainer": descriptor.name,
            "task": self._task or descriptor.tasks[0],
            "model": self._model or next((model.name for model in descriptor.models), None),
            "config": self.config,
            "seed": 0,
            "dataset": {"manifest": str(self.dataset / "manifest.json")} if self.dataset else None,
            "resources": {"cpus": descriptor.cpus, "gpus": [], "memory_mb": descriptor.memory_mb},
            "resume_from": None,
            "start_from": None,
            "inputs": [],
            "output_dir": str(folder / "output"),
            "journal": str(folder / "journal.jsonl"),
            **changes,
        }
        (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
        environment = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
        environment |= descriptor.variables | {
            "MODELYARD_ATTEMPT_ID": str(spec["attempt_id"]),
            "PYTHONPATH": f"{SDK}{os.pathsep}{self.folder}",
            "PYTHONUNBUFFERED": "1",
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "OMP_NUM_THREADS": str(descriptor.cpus),
            "CUDA_VISIBLE_DEVICES": "",
        }
        command = [self.python, "-m", descriptor.package, mode, "--spec", str(folder / "spec.json")]
        run = Run(folder, command, environment)
        self._running.append(run)
        return run

    def _defaults(self, descriptor: Descriptor) -> Check:
        problems = []
        for task in descriptor.tasks:
            try:
                complete_config(descriptor.config_schema, self.config, task)
            except ConfigError as error:
                problems.append(f"task {task}: {error}")
        return Check("the defaults of the schema pass the schema", tuple(problems))

    def _unknown_setting(self) -> Check:
        run = self.start(self.descriptor.modes[0], config={**self.config, UNKNOWN_SETTING: 1})
        problems = self._exit_problems(run, ExitCode.BAD_CONFIG)
        problems += [] if of_type(run.events(), "failure") else ["no failure was reported"]
        return Check("an unknown setting is refused with exit code 2", tuple(problems))

    def _unsupported(self, mode: str) -> Check:
        run = self.start(mode)
        return Check(
            f"the mode {mode}, which it does not have, is refused with exit code 5",
            tuple(self._exit_problems(run, ExitCode.MODE_NOT_HONOURED)),
        )

    def _training(self) -> Iterator[Check]:
        run = self.start("train")
        yield Check("a training ends with exit code 0", tuple(self._exit_problems(run, ExitCode.DONE)))
        yield self._of_journal("the journal is well formed", run, form_problems)
        yield self._of_journal("progress never goes back", run, progress_problems)
        yield self._of_journal(
            "the result comes exactly once and last", run, lambda events: ending_problems(events, "succeeded")
        )
        yield self._of_journal(
            "checkpoints and artifacts are whole, with markers and digests",
            run,
            lambda events: file_problems(events, run.output),
        )
        kinds = {data["kind"] for data in of_type(self._events(run), "checkpoint")}
        problems = () if kinds & {"best", "last"} else ("neither a best nor a last checkpoint was reported",)
        yield Check("a training leaves a best or last checkpoint", problems)

    def _interrupted(self) -> Iterator[Check]:
        run = self.start("train")
        begun = run.wait_for(lambda events: bool(batch_steps(events)), self.timeout)
        problems: list[str] = []
        if begun:
            asked = time.monotonic()
            run.process.send_signal(signal.SIGTERM)
            problems = self._exit_problems(run, ExitCode.STOPPED, self.grace)
            problems += ending_problems(self._events(run), "stopped")
            taken = time.monotonic() - asked
            problems += [f"it took {taken:.0f} s"] if taken > self.grace else []
        else:
            problems.append(f"the training could not be interrupted: it was over or said nothing; {run.tail()}")
        yield Check("SIGTERM ends a training with exit code 10 within the grace", tuple(problems))
        yield self._resumed("a training goes on with the next step after SIGTERM", run, exactly=True)
        run = self.start("train")
        saved = run.wait_for(lambda events: run.newest_resume() is not None, self.timeout)
        run.kill()
        if not saved:
            yield Check("a training goes on after SIGKILL", ("it was over before a resume checkpoint was there",))
            return
        yield self._resumed("a training goes on after SIGKILL", run, exactly=False)

    def _resumed(self, name: str, first: Run, *, exactly: bool) -> Check:
        """Goes on from the newest resume checkpoint; `exactly`: no step of the first run is done again."""
        checkpoint = first.newest_resume()
        if checkpoint is None:
            return Check(name, ("there is no resume checkpoint",))
        resume = {key: checkpoint[key] for key in ("path", "sha256", "step", "epoch")}
        second = self.start("train", attempt_no=2, resume_from=resume)
        problems = self._exit_problems(second, ExitCode.DONE)
        steps = batch_steps(self._events(second))
        done = batch_steps(self._events(first))
        # A trainer that reports each tenth step is heard again within the next ten.
        gap = max((later - earlier for earlier, later in pairwise(done)), default=None)
        if not steps:
            problems.append("the second run reported no step")
        elif min(steps) <= checkpoint["step"] or (gap is not None and min(steps) > checkpoint["step"] + gap):
            problems.append(f"the checkpoint is of step {checkpoint['step']}, the second run began with {min(steps)}")
        if exactly and done and max(done) > checkpoint["step"]:
            problems.append(f"step {max(done)} was done, but the checkpoint is of step {checkpoint['step']}")
        return Check(name, tuple(problems))

    def _events(self, run: Run) -> list[dict[str, Any]]:
        try:
            return run.events()
        except ValueError:
            return []

    def _of_journal(self, name: str, run: Run, rules: Callable[[list[dict[str, Any]]], Iterable[str]]) -> Check:
        try:
            events = run.events()
            problems = list(rules(events))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problems = [f"the journal cannot be read: {error!r}"]
        return Check(name, tuple(problems[:5]))

    def _exit_problems(self, run: Run, expected: ExitCode, seconds: float | None = None) -> list[str]:
        code = run.wait(self.timeout if seconds is None else seconds)
        if code == expected:
            return []
        what = "did not end in time" if code is None else f"ended with {code} instead of {int(expected)}"
        return [f"{run.folder.name} {what}: {run.tail()}"]
