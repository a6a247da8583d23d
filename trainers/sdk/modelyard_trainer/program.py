"""The frame around a trainer: command line, spec, configuration, SIGTERM, and exactly one last word."""

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from modelyard_trainer.config_schema import ConfigError, complete_config
from modelyard_trainer.context import Context
from modelyard_trainer.descriptor import Descriptor, DescriptorError, read_descriptor
from modelyard_trainer.exit_codes import ExitCode
from modelyard_trainer.failures import Failure
from modelyard_trainer.journal import Journal, JournalError
from modelyard_trainer.reporter import Reporter
from modelyard_trainer.spec import MODES, SpecError, read_spec

Mode = Callable[[Context], object]


def run(
    *,
    train: Mode | None = None,
    evaluate: Mode | None = None,
    predict: Mode | None = None,
    export: Mode | None = None,
    folder: Path | None = None,
    arguments: Sequence[str] | None = None,
) -> NoReturn:
    """Runs the mode that the command line names and ends the process with the contract's exit code.

    `folder` is the trainer's folder; left out it is the one above the package that was started with `python -m`. When
    it holds a `trainer.toml`, the configuration is completed and checked against its schema before the mode begins.
    """
    parser = argparse.ArgumentParser(description="A trainer of contract 1; started by a launcher.")
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--spec", required=True, type=Path, help="the attempt's spec.json")
    options = parser.parse_args(arguments)
    functions = {"train": train, "evaluate": evaluate, "predict": predict, "export": export}
    sys.exit(_run(options.mode, options.spec, functions[options.mode], folder or _started_folder()))


def _started_folder() -> Path | None:
    started = getattr(sys.modules.get("__main__"), "__file__", None)
    folder = Path(started).resolve().parent.parent if started else None
    return folder if folder and (folder / "trainer.toml").is_file() else None


def _run(mode: str, spec_path: Path, function: Mode | None, folder: Path | None) -> ExitCode:
    try:
        spec = read_spec(spec_path)
        journal = Journal(spec.journal)
    except SpecError as error:
        print(f"bad spec: {error}", file=sys.stderr)
        return ExitCode.BAD_CONFIG
    except (OSError, JournalError) as error:
        print(f"no journal: {error}", file=sys.stderr)
        return ExitCode.CRASHED
    reporter = Reporter(journal, mode=mode, trainer=spec.trainer)
    context = Context(spec, reporter)
    context.listen()
    try:
        try:
            if folder is not None:
                _apply_descriptor(context, reporter, read_descriptor(folder))
            _checked_function(context, mode, function)(context)
            return _finish(context, mode)
        except JournalError:
            raise
        except BaseException as error:  # noqa: BLE001 (whatever ends a trainer is its last word)
            failure = _failure_of(error)
            reporter.failure(failure.code, failure.message, hint=failure.hint, params=failure.params)
            return failure.exit_code
    except JournalError as error:
        print(f"the journal is lost: {error}", file=sys.stderr)
        return ExitCode.CRASHED


def _apply_descriptor(context: Context, reporter: Reporter, descriptor: Descriptor) -> None:
    spec = context.spec
    reporter.name_trainer(descriptor.name, descriptor.version)
    if spec.task not in descriptor.tasks:
        raise Failure("mode_not_honoured", f"{descriptor.name} does not know the task {spec.task!r}")
    try:
        context.config = complete_config(descriptor.config_schema, spec.config, spec.task)
    except ConfigError as error:
        raise Failure("bad_config", f"the configuration is refused: {error}", params=error.problems) from error


def _checked_function(context: Context, mode: str, function: Mode | None) -> Mode:
    if mode != context.spec.mode:
        raise Failure("bad_config", f"the command line says {mode}, the spec {context.spec.mode}")
    if function is None:
        raise Failure("mode_not_honoured", f"this trainer cannot {mode}")
    return function


def _finish(context: Context, mode: str) -> ExitCode:
    """Writes the result that the mode function decided on."""
    if context.outcome is None:
        raise Failure("no_result", f"{mode} ended without a result")
    status, metrics, summary = context.outcome
    if status == "succeeded" and mode == "train" and not context.checkpoints.has("best", "last"):
        raise Failure("no_result", "the training ended without a complete best or last checkpoint")
    context.report.result(status, metrics=metrics, summary=summary)
    return ExitCode.DONE if status == "succeeded" else ExitCode.STOPPED


def _failure_of(error: BaseException) -> Failure:
    """The failure that an exception stands for; its traceback goes to the log unless the trainer meant it."""
    if isinstance(error, Failure):
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return error
    traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, DescriptorError):
        return Failure("bad_descriptor", str(error))
    # Libraries have their own classes for a full GPU; all of them are called so.
    if isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__:
        return Failure("out_of_memory", str(error) or "the memory is full", hint="Choose a smaller batch or model.")
    return Failure("trainer_crashed", f"{type(error).__name__}: {error}", params={"exception": type(error).__name__})
