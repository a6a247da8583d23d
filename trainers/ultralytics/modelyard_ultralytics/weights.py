"""Weights files (`best`, `last`, what a training begins with): loading them safely and writing them small."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modelyard_trainer import Failure
from modelyard_trainer.dataset import DatasetClass

# Keys of the library's record of a training that name folders of the machine it ran on.
PLACES = ("model", "data", "project", "name", "save_dir", "cfg", "resume", "pretrained", "source")


@dataclass(frozen=True)
class Weights:
    """A loaded weights file: the network in evaluation mode, its classes, and the picture size it was trained at."""

    network: Any
    classes: tuple[DatasetClass, ...]
    imgsz: int


def load_weights(path: Path, folder: Path) -> Weights:
    """Loads a weights file without running any code from it; `folder` may get a link to it.

    Raises Failure `bad_data` when the file is no weights file of a detection model.
    """
    from ultralytics.nn.tasks import DetectionModel, load_checkpoint  # import here: takes seconds

    link = folder / "given-weights.pt"  # the library refuses other endings
    if path.suffix != ".pt":
        link.unlink(missing_ok=True)
        link.symlink_to(path)
        path = link
    try:
        network, record = load_checkpoint(path)
    except Exception as error:
        print(f"{path}: {error}", file=sys.stderr)
        raise Failure(
            "bad_data",
            "the weights cannot be read: the file is damaged or holds more than a known network",
            hint="Choose a checkpoint that this trainer wrote, or an Ultralytics detection model (.pt).",
        ) from error
    if not isinstance(network, DetectionModel):
        raise Failure("bad_data", f"the weights are of a {type(network).__name__}, not of a detection model")
    # Resume checkpoints hold no network, so `record` is a finished file or one of the library's own.
    ids = (record.get("modelyard") or {}).get("class_ids") or sorted(network.names)
    names = [network.names[number] for number in sorted(network.names)]
    classes = tuple(DatasetClass(id, name) for id, name in zip(ids, names, strict=True))
    return Weights(network, classes, int((record.get("train_args") or {}).get("imgsz") or 640))


def write_weights(source: Path, target: Path, *, model: str, classes: Sequence[DatasetClass]) -> None:
    """Writes the library's checkpoint `source` as `target`: half precision, without the optimizer or machine paths.

    The library reads the result like one of its own files.
    """
    import torch  # import here: takes seconds
    from ultralytics import __version__  # import here: takes seconds
    from ultralytics.utils.patches import torch_load  # import here: takes seconds

    record = torch_load(source, map_location="cpu")
    network = (record.get("ema") or record["model"]).half()
    arguments = {key: value for key, value in dict(record["train_args"]).items() if key not in PLACES}
    network.args, network.criterion = arguments, None
    for parameter in network.parameters():
        parameter.requires_grad = False
    content = {
        "date": datetime.now(UTC).isoformat(),
        "version": __version__,
        "license": "AGPL-3.0 License (https://ultralytics.com/license)",
        "epoch": -1,
        "model": network,
        "ema": None,
        "train_args": arguments,
        "modelyard": {"model": model, "class_ids": [entry.id for entry in classes]},
    }
    torch.save(content, target)


def check_fit(network: Any, weights: Weights, model: str) -> int:
    """How many tensors of `weights` fit the new `network`; raises Failure `bad_config` for another architecture."""
    wanted = network.state_dict()
    fitting = sum(
        name in wanted and wanted[name].shape == value.shape for name, value in weights.network.state_dict().items()
    )
    # The detection head depends on the number of classes, everything else must be the same.
    if fitting < 0.8 * len(wanted):
        raise Failure(
            "bad_config",
            f"the weights to begin with are of another model than {model}: {fitting} of {len(wanted)} tensors fit",
            hint="Choose the model that the weights were trained with.",
            params={"fitting": fitting, "tensors": len(wanted), "model": model},
        )
    return fitting
