"""Follows one training from event to event: metrics, progress, checkpoints, stops."""

import math
import time
from typing import TYPE_CHECKING, Any

from modelyard_trainer import Context, Failure
from modelyard_trainer.adapters import Layout

from modelyard_ultralytics import resuming
from modelyard_ultralytics.results import class_values
from modelyard_ultralytics.weights import Weights, check_fit, write_weights

if TYPE_CHECKING:
    from modelyard_ultralytics.engine import Trainer

REPORT_SECONDS = 0.1  # between two reports of a batch
RESUME_SECONDS = 5.0  # between two resume checkpoints at least,
RESUME_SHARE = 50  # and this many times as long as writing one took: at most 2 % of the time
BEST_SECONDS = 5.0  # between two reports of the best weights
TRAINING_SHARE = 0.97  # of the whole job; the rest is the final evaluation

NAMES = {
    "metrics/precision(B)": "val/precision",
    "metrics/recall(B)": "val/recall",
    "metrics/mAP50(B)": "val/map50",
    "metrics/mAP50-95(B)": "val/map50-95",
}


class Stopped(Exception):
    """Leaves the library's loop after a stop was asked for and the resume checkpoint is written."""


def contract_names(metrics: dict[str, Any] | None) -> dict[str, float]:
    """The library's metrics under the contract's names."""
    return {NAMES.get(name, name): float(value) for name, value in (metrics or {}).items()}


class Session:
    """What happens in one training. Methods named like the library's events are called by it.

    Steps count batches from the beginning of the job, across resumed attempts; epochs count from 1 when reported.
    """

    EVENTS = ("on_pretrain_routine_end", "on_train_start", "on_train_epoch_start", "on_train_batch_end")
    EVENTS += ("on_train_epoch_end", "on_val_batch_end", "on_fit_epoch_end")

    def __init__(self, context: Context, layout: Layout, given_weights: Weights | None, state: dict[str, Any] | None):
        self.context = context
        self.config = context.config
        self.layout = layout
        self.given_weights = given_weights
        self.state = state
        self.elapsed_before = state["elapsed"] if state else 0.0
        self.batch = 0  # batches done in the running epoch
        self.epoch = 0  # epochs done
        self.batches = 1  # in an epoch
        self.validating = False
        self.trainer: Trainer | None = None
        self.best: dict[str, Any] | None = state["best"] if state else None
        self.best_unreported = False
        self.advanced: resuming.AdvancedBatches | None = None
        self._reported = self._resume_written = self._best_reported = -math.inf
        self._resume_cost = 0.0
        self._partial = state["partial_losses"] if state else {}
        self._kept_losses: dict[str, float] = {}
        self._offset = 0  # batches of the running epoch that an earlier attempt did

    @property
    def step(self) -> int:
        """Batches done since the beginning of the job."""
        return self.epoch * self.batches + self.batch

    # -- before the first batch -------------------------------------------------------------------------------------

    def check_given_weights(self, network: Any) -> None:
        """Refuses weights of another architecture, and says when their classes are others."""
        assert self.given_weights is not None
        check_fit(network, self.given_weights, self.context.spec.model or "")
        given = [entry.name for entry in self.given_weights.classes]
        wanted = [entry.name for entry in self.layout.classes]
        if given != wanted:
            self.context.report.warning(
                "classes_differ",
                f"The weights to begin with know other classes ({len(given)}) than the dataset ({len(wanted)}): "
                "what they know of the classes' looks is kept only where the names agree.",
                {"given": given[:50], "wanted": wanted[:50]},
            )

    def resume(self, trainer: "Trainer") -> None:
        """Brings the trainer to the captured state, when there is one."""
        if self.state is None:
            return
        if self.config["time_hours"]:
            trainer.epochs = trainer.args.epochs = self.state["epochs"]
        closing = trainer.epochs - trainer.args.close_mosaic if trainer.args.close_mosaic else None
        resuming.apply(trainer, self.state, closing_epoch=closing)
        self.advanced = trainer.train_loader.batch_sampler
        if self.best is not None:
            trainer.write_best(self.best["weights"])

    def on_pretrain_routine_end(self, trainer: "Trainer") -> None:
        """Says which pictures the library left out: it only writes a line into the log."""
        for split, loader in (("train", trainer.train_loader), ("val", trainer.test_loader)):
            used = {file.rsplit("/", 1)[-1] for file in loader.dataset.im_files}
            missing = [
                picture.path
                for name, picture in self.layout.pictures.items()
                if name not in used and (trainer.layout.folder / "images" / split / name).is_symlink()
            ]
            if missing:
                self.context.report.warning(
                    "pictures_left_out",
                    f"{len(missing)} {split} pictures cannot be used (damaged, or smaller than 10 pixels).",
                    {"split": split, "count": len(missing), "paths": missing[:20]},
                )

    def on_train_start(self, trainer: "Trainer") -> None:
        self.batches = len(trainer.train_loader)
        self.epoch = trainer.start_epoch
        trainer.train_time_start -= self.elapsed_before
        self.context.listen()

    def on_train_epoch_start(self, trainer: "Trainer") -> None:
        if self.config["time_hours"]:
            trainer.start_epoch = 0  # the library divides the whole elapsed time by the epochs since then
        self.epoch, self.batch = trainer.epoch, 0
        self._kept_losses, partial = {}, 0
        if self.state is not None and self.advanced is not None:
            partial = self.state["batch"]
            self._kept_losses = self._partial
            if partial:
                self.advanced.begin_rest(self.batches - partial)
            self.state = None
        elif self.advanced is not None:
            self.advanced.begin_whole()
            self.advanced = None
        self.batch = self._offset = partial

    # -- batches ----------------------------------------------------------------------------------------------------

    def on_train_batch_end(self, trainer: "Trainer") -> None:
        self.batch += 1
        last = self.batch >= self.batches
        now = time.monotonic()
        if last or now - self._reported >= REPORT_SECONDS:
            self._reported = now
            self._report_batch(trainer)
        if self.context.stopping and not last:
            self._stop(trainer)

    def _report_batch(self, trainer: "Trainer") -> None:
        values = {f"batch/{name}": float(value) for name, value in trainer.loss_items.items()}
        values |= {f"lr/pg{number}": group["lr"] for number, group in enumerate(trainer.optimizer.param_groups)}
        epoch = self.epoch + self.batch / self.batches
        self.context.report.metrics(step=self.step, epoch=round(epoch, 4), scope="batch", values=values)
        self.context.report.progress(
            "training",
            round(min(epoch, trainer.epochs), 3),
            trainer.epochs,
            unit="epoch",
            fraction=TRAINING_SHARE * self._share(trainer, epoch),
        )
        self._check_finite(values)

    def _share(self, trainer: "Trainer", epoch: float) -> float:
        hours = self.config["time_hours"]
        if hours:
            return min(1.0, (time.time() - trainer.train_time_start) / (hours * 3600))
        return min(1.0, epoch / trainer.epochs)

    def _check_finite(self, values: dict[str, float]) -> None:
        broken = [name for name, value in values.items() if not math.isfinite(value)]
        if broken:
            raise Failure(
                "diverged",
                f"the training diverged in epoch {self.epoch + 1}: {', '.join(broken)} is not a finite number",
                hint="Choose a smaller learning rate (lr0), or another optimizer.",
                params={"epoch": self.epoch + 1, "step": self.step, "metrics": broken},
            )

    # -- epochs -----------------------------------------------------------------------------------------------------

    def on_train_epoch_end(self, trainer: "Trainer") -> None:
        self.validating = True
        self._check_finite(self._epoch_losses(trainer))

    def _epoch_losses(self, trainer: "Trainer") -> dict[str, float]:
        """Mean losses of the epoch, with what an earlier attempt did of it."""
        own = self.batch - self._offset
        losses = {name: float(value) for name, value in (trainer.tloss or {}).items()}
        return {
            f"train/{name}": (value * own + self._kept_losses.get(name, value) * self._offset) / (own + self._offset)
            for name, value in losses.items()
        }

    def on_val_batch_end(self, validator: Any) -> None:
        """A long evaluation must not outlast the grace of a stop; the last epoch's is left to end."""
        trainer = self.trainer
        if self.context.stopping and validator.training and trainer.epoch + 1 < trainer.epochs:
            self._stop(trainer)

    def on_fit_epoch_end(self, trainer: "Trainer") -> None:
        losses = self._epoch_losses(trainer)
        self.validating = False
        self.epoch, self.batch, self._offset = trainer.epoch + 1, 0, 0
        values = losses | contract_names(trainer.metrics if trainer.fitness is not None else None)
        if trainer.fitness is not None:
            values |= class_values(trainer.validator.metrics.box, self.layout.classes)
        values["time/epoch_seconds"] = round(trainer.epoch_time, 4)
        self.context.report.metrics(step=self.step, epoch=self.epoch, scope="epoch", values=values)
        if trainer.best_fitness == trainer.fitness:
            self._keep_best(trainer, values)
        period = self.config["save_period"]
        if period and self.epoch % period == 0:
            self._keep_epoch(trainer)
        if not trainer.stop:
            self._write_resume_in_time(trainer)
            if self.best_unreported and time.monotonic() - self._best_reported >= BEST_SECONDS:
                self.report_best(trainer)
            if self.context.stopping:
                self._stop(trainer)

    def _keep_best(self, trainer: "Trainer", values: dict[str, float]) -> None:
        shown = {name: value for name, value in values.items() if name in NAMES.values()}
        self.best = {"weights": trainer.averaged_weights(), "epoch": self.epoch, "step": self.step, "metrics": shown}
        self.best_unreported = True

    def report_best(self, trainer: "Trainer") -> None:
        """Reports the best weights so far, ready to be used."""
        assert self.best is not None
        self._write_weights(trainer.best, "best", self.best["step"], self.best["epoch"], self.best["metrics"])
        self.best_unreported, self._best_reported = False, time.monotonic()

    def _keep_epoch(self, trainer: "Trainer") -> None:
        name = f"weights/epoch-{self.epoch:05d}.pt"
        self.context.artifact(
            name,
            "file",
            write=lambda path: write_weights(
                trainer.last, path, model=self.context.spec.model or "", classes=self.layout.classes
            ),
            media_type="application/octet-stream",
            title={"en": f"Weights after epoch {self.epoch}", "ko": f"{self.epoch} 에포크 가중치"},
        )

    # -- checkpoints ------------------------------------------------------------------------------------------------

    def _write_weights(self, source: Any, kind: str, step: int, epoch: float, metrics: dict[str, float]) -> None:
        model, classes = self.context.spec.model or "", self.layout.classes
        self.context.checkpoint(
            kind,
            write=lambda path: write_weights(source, path, model=model, classes=classes),
            step=step,
            epoch=epoch,
            metrics=metrics,
            suffix=".pt",
        )

    def _write_resume_in_time(self, trainer: "Trainer") -> None:
        if time.monotonic() - self._resume_written >= max(RESUME_SECONDS, RESUME_SHARE * self._resume_cost):
            self.write_resume(trainer)

    def write_resume(self, trainer: "Trainer") -> None:
        """Writes a resume checkpoint of this moment, which lies between two batches or two epochs."""
        import torch  # import here: takes seconds

        began = time.monotonic()
        state = resuming.capture(trainer, epoch=self.epoch, batch=self.batch)
        losses = self._epoch_losses(trainer) if self.batch else {}
        state |= {
            "model": self.context.spec.model,
            "class_ids": [entry.id for entry in self.layout.classes],
            "epochs": trainer.epochs,
            "elapsed": time.time() - trainer.train_time_start,
            "best": self.best,
            "partial_losses": {name.removeprefix("train/"): value for name, value in losses.items()},
        }
        epoch = round(self.epoch + self.batch / self.batches, 4)
        self.context.checkpoint("resume", write=lambda path: torch.save(state, path), step=self.step, epoch=epoch)
        self._resume_written = time.monotonic()
        self._resume_cost = self._resume_written - began

    def write_last(self, trainer: "Trainer") -> None:
        """Reports the weights as they were after the last epoch."""
        self._write_weights(trainer.last, "last", self.step, self.epoch, {})

    def _stop(self, trainer: "Trainer") -> None:
        if self.validating:  # the epoch is trained; only its evaluation is missing
            self.epoch, self.batch, self._offset, self.validating = trainer.epoch + 1, 0, 0, False
        self.write_resume(trainer)
        trainer.write_current()
        epoch = round(self.epoch + self.batch / self.batches, 4)
        self._write_weights(trainer.last, "last", self.step, epoch, {})
        if self.best_unreported:
            self.report_best(trainer)
        raise Stopped

    def before_final_evaluation(self, trainer: "Trainer") -> None:
        """The weights as they are at the end of the training, before the best ones are evaluated."""
        total = len(trainer.test_loader.dataset)
        self.context.report.progress("evaluating", 0, total, unit="image", fraction=TRAINING_SHARE)
