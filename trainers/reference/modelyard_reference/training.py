"""Mode `train`: learns, reports each step and epoch, saves often enough to go on after a kill."""

import json
import math
import time
from pathlib import Path
from typing import Any

from modelyard_trainer import Context, Failure

from modelyard_reference.misconduct import misbehave_at_start, misbehave_at_step
from modelyard_reference.model import CLASSES, Model, batch_of

VALIDATION_POINTS = 300
# No training has this step, so that no batch repeats the points that the model is judged by.
VALIDATION_STEP = -1
LOOK_SECONDS = 0.05


class Training:
    """The state of one training; `step` and `epoch` count what is done."""

    def __init__(self, context: Context):
        self.context = context
        self.config = context.config
        self.seed = context.seed if self.config["seed"] is None else self.config["seed"]
        self.validation = batch_of(self.seed, VALIDATION_STEP, VALIDATION_POINTS)
        self.model = Model.new(self.seed)
        self.step = 0
        self.epoch = 0
        self.saved = -1
        self.best = math.inf
        self.curve: list[list[float]] = []
        self.latest: dict[str, float] = {}

    def resume(self) -> None:
        """Takes up the state of the resume checkpoint, if there is one."""
        state = self.context.load_resume(json.loads)
        if state is None:
            start = self.context.start_path()
            if start is not None:
                self.model = Model(json.loads(start.read_bytes())["weights"])
            return
        self.model = Model(state["weights"])
        self.step, self.epoch = state["step"], state["epoch"]
        self.best, self.curve, self.latest = state["best"], state["curve"], state["latest"]

    def state(self) -> dict[str, Any]:
        return {
            "weights": self.model.weights,
            "step": self.step,
            "epoch": self.epoch,
            "best": self.best,
            "curve": self.curve,
            "latest": self.latest,
        }

    def save(self, kind: str) -> None:
        text = json.dumps(self.state())
        self.context.checkpoint(
            kind,
            write=lambda path: Path(path).write_text(text, encoding="utf-8"),
            step=self.step,
            epoch=self.epoch,
            metrics=self.latest,
        )
        if kind == "resume":
            self.saved = self.step

    def learn(self) -> None:
        """One step."""
        config, report = self.config, self.context.report
        step = self.step + 1
        misbehave_at_step(self.context, step)
        loss = self.model.learn(batch_of(self.seed, step, config["batch_size"]), config["learning_rate"])
        if config["nan_at"] and step >= config["nan_at"]:
            loss = math.nan
        values = {"train/loss": loss, "lr/all": config["learning_rate"]}
        report.metrics(step=step, epoch=step / config["epoch_steps"], scope="batch", values=values)
        if not math.isfinite(loss):
            raise Failure("diverged", f"the loss of step {step} is not finite", hint="Choose a lower learning rate.")
        self.step = step
        report.progress("training", step, config["steps"], unit="step")
        self.pause()

    def pause(self) -> None:
        """Waits as configured, in pieces: a request to stop shall not wait for the end of a long pause."""
        until = time.monotonic() + self.config["step_seconds"]
        while not self.context.stopping and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, LOOK_SECONDS))

    def judge(self) -> None:
        """The end of an epoch: validation, perhaps a new best."""
        self.epoch += 1
        loss, accuracy, _ = self.model.judge(self.validation)
        self.latest = {"val/loss": loss, "val/accuracy": accuracy}
        self.curve.append([self.step, loss])
        self.context.report.metrics(step=self.step, epoch=self.epoch, scope="epoch", values=self.latest)
        if loss < self.best:
            self.best = loss
            self.save("best")

    def finish(self) -> None:
        """The last judgement, the last checkpoint, two plots."""
        loss, accuracy, counts = self.model.judge(self.validation)
        self.latest = {"val/loss": loss, "val/accuracy": accuracy}
        self.save("last")
        curve = {"x": "step", "y": "val/loss", "points": self.curve}
        self.context.artifact("loss.json", "plot", data=curve, title={"en": "Validation loss", "ko": "검증 손실"})
        confusion = {"classes": list(CLASSES), "counts": counts}
        title = {"en": "Confusion matrix", "ko": "혼동 행렬"}
        self.context.artifact("confusion.json", "plot", data=confusion, title=title)
        self.context.succeeded(metrics=self.latest, summary={"steps": self.step, "epochs": self.epoch})


def train(context: Context) -> None:
    """Learns until `steps` are done or a stop is asked for."""
    context.report.started(device="cpu", libraries={})
    held = misbehave_at_start(context)
    training = Training(context)
    training.resume()
    config = context.config
    while training.step < config["steps"]:
        if context.stopping:
            if training.saved != training.step:
                training.save("resume")
            return context.stopped(metrics=training.latest, summary={"steps": training.step})
        training.learn()
        if training.step % config["epoch_steps"] == 0 or training.step == config["steps"]:
            training.judge()
        if training.step % config["checkpoint_steps"] == 0:
            training.save("resume")
    training.finish()
    # Held to the end, as a trainer holds its batches.
    del held
    return None
