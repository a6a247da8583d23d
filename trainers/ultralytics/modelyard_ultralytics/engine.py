"""The library's trainer and validator, changed where its ways do not fit: resuming, evaluation, running out of memory.

Importing this module imports the library; `quiet.prepare` must have run.
"""

from copy import copy
from typing import Any

import torch
from modelyard_trainer import Failure
from modelyard_trainer.adapters import Layout
from ultralytics.models.yolo.detect import DetectionTrainer, DetectionValidator
from ultralytics.utils.torch_utils import strip_optimizer, unwrap_model

# Boxes below this score are no answers: a matrix that counted them would hold little but background.
MATRIX_CONFIDENCE = 0.25


class Validator(DetectionValidator):
    """Evaluates as the library does; in the final evaluation it also keeps every prediction in pixels."""

    layout: Layout
    collected: list[dict[str, Any]] | None = None

    def collect(self) -> None:
        """From now on: keep predictions, fill the confusion matrix, draw sample pictures."""
        self.collected = []
        self.args.plots = self.draws

    def update_metrics(self, preds: list[dict[str, torch.Tensor]], batch: dict[str, Any]) -> None:
        if self.collected is None:
            super().update_metrics(preds, batch)
            return
        # The library would fill the matrix with everything down to the evaluation's own confidence.
        draws, self.args.plots = self.args.plots, False
        super().update_metrics(preds, batch)
        self.args.plots = draws
        for index, pred in enumerate(preds):
            given = self._prepare_batch(index, batch)
            self.confusion_matrix.process_batch(pred, given, conf=MATRIX_CONFIDENCE)
            self.collected.append(self._record(self.scale_preds(pred, given), batch["im_file"][index]))

    def _record(self, pred: dict[str, torch.Tensor], file: str) -> dict[str, Any]:
        picture = self.layout.pictures[file.rsplit("/", 1)[-1]]
        corners = pred["bboxes"].tolist()
        return {
            "path": picture.path,
            "width": picture.width,
            "height": picture.height,
            "boxes": [
                {
                    "bbox": [round(x1, 2), round(y1, 2), round(x2 - x1, 2), round(y2 - y1, 2)],
                    "class": self.layout.classes[int(number)].id,
                    "score": round(score, 5),
                }
                for (x1, y1, x2, y2), number, score in zip(
                    corners, pred["cls"].tolist(), pred["conf"].tolist(), strict=True
                )
            ],
        }

    def get_stats(self) -> dict[str, Any]:
        """The library's numbers, without its drawings of curves: the page draws them from their values."""
        draws, self.args.plots = self.args.plots, False
        try:
            return super().get_stats()
        finally:
            self.args.plots = draws

    def finalize_metrics(self) -> None:
        draws, self.args.plots = self.args.plots, False
        super().finalize_metrics()
        self.args.plots = draws


class Trainer(DetectionTrainer):
    """Trains as the library does. `session` is told what happens (see `session.Session`)."""

    def __init__(self, overrides: dict[str, Any], *, layout: Layout, description: dict[str, Any], session: Any):
        super().__init__(overrides=overrides)
        self.layout = layout
        self.session = session
        self.description = description
        for event in session.EVENTS:
            self.add_callback(event, getattr(session, event))

    def setup_model(self) -> None:
        """Builds the network from its description, with the given weights where there are any."""
        given = self.session.given_weights
        self.model = self.get_model(cfg=self.description, weights=None)
        if given is not None:
            self.session.check_given_weights(self.model)
            self.model.load(given.network)

    def get_validator(self) -> Validator:
        arguments = copy(self.args)
        arguments.plots = False
        validator = Validator(self.test_loader, save_dir=self.save_dir, args=arguments, _callbacks=self.callbacks)
        validator.layout = self.layout
        validator.draws = bool(self.args.plots)
        return validator

    def _build_train_pipeline(self) -> None:
        if self.optimizer is not None:
            # Reached a second time only when the memory was too small and the library halved the batch. Whoever
            # compares runs must know which batch was used, so this ends the job instead.
            raise Failure(
                "out_of_memory",
                f"a batch of {self.session.config['batch']} pictures does not fit into the memory",
                hint=f"Choose a batch of {self.batch_size} or less, smaller pictures or a smaller model.",
                params={"batch": self.session.config["batch"], "suggested_batch": self.batch_size},
            )
        super()._build_train_pipeline()

    def resume_training(self, ckpt: object) -> None:
        self.session.resume(self)

    def plot_metrics(self) -> None:
        """Nothing: the page draws the metrics from their values."""

    def write_best(self, weights: dict[str, Any]) -> None:
        """Writes the library's best.pt from the averaged weights of an earlier attempt."""
        network = self.ema_network(weights)
        self.wdir.mkdir(parents=True, exist_ok=True)
        torch.save({"epoch": -1, "model": network, "ema": None, "train_args": vars(self.args)}, self.best)

    def write_current(self) -> None:
        """Writes the library's last.pt from the averaged weights as they are now."""
        network = self.ema_network(self.ema.ema.state_dict())
        self.wdir.mkdir(parents=True, exist_ok=True)
        torch.save({"epoch": -1, "model": network, "ema": None, "train_args": vars(self.args)}, self.last)

    def ema_network(self, weights: dict[str, Any]) -> torch.nn.Module:
        """A network of this training in half precision on the CPU with the given weights."""
        network = self.get_model(cfg=self.description, weights=None, verbose=False)
        network.load_state_dict({name: value.float() for name, value in weights.items()})
        live = unwrap_model(self.model)
        network.names, network.args, network.stride = live.names, vars(self.args), live.stride.cpu()
        network.nc, network.task = live.nc, "detect"
        return network.eval().half()

    def averaged_weights(self) -> dict[str, torch.Tensor]:
        """A copy of the averaged weights in half precision on the CPU, as the library keeps its best."""
        return {
            name: (value.half() if value.is_floating_point() else value).cpu().clone()
            for name, value in self.ema.ema.state_dict().items()
        }

    def final_eval(self) -> None:
        """Evaluates the best weights once more, with everything that the result shows."""
        self.session.before_final_evaluation(self)
        record = strip_optimizer(self.last) if self.last.exists() else {}
        if not self.best.exists():
            self.best.write_bytes(self.last.read_bytes())
        strip_optimizer(self.best, updates={"train_results": record.get("train_results")})
        self.validator.args.compile = False
        self.validator.collect()
        self.metrics = self.validator(model=self.best)
        self.metrics.pop("fitness", None)
