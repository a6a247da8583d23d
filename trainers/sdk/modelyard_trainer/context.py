"""What a trainer's mode function is given: its orders, its voice, and the ways to end."""

import json
import mimetypes
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import Any, TypeVar

from modelyard_trainer.checkpoints import Checkpoint, CheckpointWriter
from modelyard_trainer.dataset import Dataset
from modelyard_trainer.failures import Failure
from modelyard_trainer.files import sha256_of, sync
from modelyard_trainer.journal import plain
from modelyard_trainer.reporter import Reporter, checked_values, one_of
from modelyard_trainer.spec import CheckpointFile, Spec

State = TypeVar("State")
ARTIFACT_KINDS = ("plot", "table", "predictions", "report", "file")


class Context:
    """One attempt, as its trainer sees it.

    `spec` holds everything that was ordered, `config` the settings with defaults filled in, `report` is the voice.
    The mode function returns after `succeeded(…)` or `stopped(…)`, or raises Failure.
    """

    def __init__(self, spec: Spec, report: Reporter, config: Mapping[str, Any] | None = None):
        self.spec = spec
        self.config: dict[str, Any] = dict(spec.config if config is None else config)
        self.seed = spec.seed
        self.report = report
        self.output_dir = spec.output_dir
        self.checkpoints = CheckpointWriter(spec.output_dir / "checkpoints")
        self.outcome: tuple[str, dict[str, Any], Any] | None = None
        self._artifact_names: set[str] = set()
        self._stop_asked = False

    @property
    def stopping(self) -> bool:
        """True once a stop was asked for (SIGTERM): finish the batch, write a `resume` checkpoint, return."""
        return self._stop_asked

    def ask_stop(self, *_: int | FrameType | None) -> None:
        """Sets `stopping`; also the handler of SIGTERM, hence the ignored arguments."""
        # A plain flag: a lock taken here could be the one that the interrupted code holds.
        self._stop_asked = True

    def listen(self) -> None:
        """Makes SIGTERM ask for a stop; called again by a trainer whose library took the signal for itself."""
        signal.signal(signal.SIGTERM, self.ask_stop)

    @cached_property
    def dataset(self) -> Dataset:
        """The dataset of the spec; raises Failure `bad_data` when there is none."""
        if self.spec.dataset is None:
            raise Failure("bad_data", f"{self.spec.mode} needs a dataset and was given none")
        return Dataset(self.spec.dataset)

    def resume_path(self) -> Path | None:
        """The checkpoint to go on from, its digest verified; None when the work begins anew."""
        return _verified(self.spec.resume_from)

    def start_path(self) -> Path | None:
        """The checkpoint whose weights to begin with, its digest verified; None when there is none."""
        return _verified(self.spec.start_from)

    def load_resume(self, load: Callable[[bytes], State]) -> State | None:
        """`load(bytes of the resume checkpoint)`, or None when the work begins anew.

        Raises Failure `bad_data` when the file is damaged or `load` cannot make sense of it. A trainer whose
        checkpoints are too large for this reads `resume_path()` itself.
        """
        path = self.resume_path()
        if path is None:
            return None
        try:
            return load(path.read_bytes())
        except (ValueError, KeyError, TypeError, EOFError) as error:
            raise Failure("bad_data", f"the checkpoint to go on from cannot be read: {error!r}") from error

    def checkpoint(
        self,
        kind: str,
        *,
        write: Callable[[Path], object],
        step: int,
        epoch: float | None,
        metrics: Mapping[str, Any] | None = None,
        suffix: str = ".ckpt",
    ) -> Checkpoint:
        """Writes a checkpoint of `kind` (`best`, `last`, `resume`) by `write(path)` and reports it once complete.

        Checkpoints that it replaces are removed afterwards.
        """
        values = checked_values(metrics or {})
        done = self.checkpoints.write(kind, write, step=step, suffix=suffix)
        self.report.checkpoint(
            {
                "kind": kind,
                "name": done.name,
                "path": str(done.path),
                "sha256": done.sha256,
                "size": done.size,
                "step": step,
                "epoch": epoch,
                "metrics": values,
            }
        )
        self.checkpoints.prune(kind)
        return done

    def artifact(
        self,
        name: str,
        kind: str,
        *,
        write: Callable[[Path], object] | None = None,
        path: str | os.PathLike[str] | None = None,
        data: Any = None,
        media_type: str | None = None,
        title: str | Mapping[str, str] | None = None,
    ) -> Path:
        """Keeps a file as `artifacts/<name>` and reports it; returns where it lies.

        The bytes come from `write(path)`, or are copied from the file at `path`, or are `data` as JSON. `data` is
        small JSON that a chart is drawn from. `name` is relative and unique in the attempt, else ValueError.
        """
        one_of(kind, ARTIFACT_KINDS, "kind")
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts or not relative.parts or str(relative) != name:
            raise ValueError(f"{name!r} is not a plain relative name")
        if name in self._artifact_names:
            raise ValueError(f"an artifact {name!r} was already reported")
        target = self.output_dir / "artifacts" / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        if write is not None:
            write(target)
        elif path is not None:
            shutil.copyfile(path, target)
        elif data is not None:
            target.write_text(json.dumps(plain(data), ensure_ascii=False, allow_nan=False), encoding="utf-8")
        else:
            raise ValueError("an artifact needs write, path or data")
        sync(target)
        event: dict[str, Any] = {"name": name, "kind": kind, "path": str(target)}
        event["media_type"] = media_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
        event["sha256"] = sha256_of(target)
        event["size"] = target.stat().st_size
        if title is not None:
            event["title"] = title
        if data is not None:
            event["data"] = data
        self.report.artifact(event)
        self._artifact_names.add(name)
        return target

    def succeeded(self, *, metrics: Mapping[str, Any] | None = None, summary: Any = None) -> None:
        """The work is done; the result is written when the mode function returns."""
        self.outcome = ("succeeded", checked_values(metrics or {}), plain({} if summary is None else summary))

    def stopped(self, *, metrics: Mapping[str, Any] | None = None, summary: Any = None) -> None:
        """The work stopped early as asked, its `resume` checkpoint is written; return right after."""
        self.outcome = ("stopped", checked_values(metrics or {}), plain({} if summary is None else summary))


def _verified(file: CheckpointFile | None) -> Path | None:
    if file is None:
        return None
    try:
        digest = sha256_of(file.path)
    except OSError as error:
        raise Failure("bad_data", f"the checkpoint {file.path} cannot be read: {error}") from error
    if digest != file.sha256:
        raise Failure("bad_data", f"the checkpoint {file.path.name} is damaged: its digest is not the one it had")
    return file.path
