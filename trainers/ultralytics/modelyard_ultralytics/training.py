"""Mode `train`."""

import importlib
import math
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

from modelyard_trainer import Context, Failure
from modelyard_trainer.adapters import Layout
from modelyard_trainer.adapters.yolo import DESCRIPTION

from modelyard_ultralytics import quiet
from modelyard_ultralytics.architectures import architecture, check_model
from modelyard_ultralytics.layout import lay_out
from modelyard_ultralytics.results import class_values, finish_drawing, report_evaluation, report_pictures
from modelyard_ultralytics.resuming import load_state
from modelyard_ultralytics.session import contract_names
from modelyard_ultralytics.weights import Weights, load_weights

LIBRARIES = ("ultralytics", "torch", "torchvision", "numpy")
# Settings that the library knows under the same name.
PASSED_ON = [
    "epochs",
    "imgsz",
    "batch",
    "iou",
    "max_det",
    "lr0",
    "lrf",
    "optimizer",
    "patience",
    "momentum",
    "weight_decay",
    "warmup_epochs",
    "nbs",
    "box",
    "cls",
    "dfl",
    "cos_lr",
    "freeze",
    "close_mosaic",
    "mosaic",
    "mixup",
    "hsv_h",
    "hsv_s",
    "hsv_v",
    "degrees",
    "translate",
    "scale",
    "shear",
    "perspective",
    "flipud",
    "fliplr",
    "plots",
    "val",
]
MEMORY_WORDS = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


def train(context: Context) -> None:
    """Trains the ordered model and reports it; see docs/trainer-contract.md for the events."""
    check_model(context.spec.model)  # before anything heavy is imported
    work = context.output_dir / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    device = begin(context, work)
    context.report.progress("preparing", 0, None, unit="image", message="laying out the dataset")
    layout = lay_out(context.dataset, work / "dataset")
    if layout.left_out:
        context.report.warning(
            "boxes_left_out",
            f"{layout.left_out} boxes without an area inside their picture are left out.",
            {"count": layout.left_out},
        )
    given, state = _beginnings(context, layout, work)
    session_module = importlib.import_module("modelyard_ultralytics.session")
    session = session_module.Session(context, layout, given, state)
    try:
        _train(context, session, device, work)
    except session_module.Stopped:
        context.stopped(summary={"epoch": session.epoch, "step": session.step})
    finally:
        finish_drawing()
        shutil.rmtree(work, ignore_errors=True)


def begin(context: Context, work: Path) -> str:
    """Imports the library, reports `started`, and returns the device: `cpu` or `0`, the first GPU granted."""
    gpus, cpus = context.spec.resources.gpus, max(1, context.spec.resources.cpus)
    if len(gpus) > 1:
        raise Failure(
            "mode_not_honoured",
            f"this trainer uses one GPU, {len(gpus)} were granted",
            hint="Ask for one GPU.",
            params={"gpus": len(gpus)},
        )
    quiet.prepare(work / "library")
    import torch  # import here: takes seconds

    if gpus and not torch.cuda.is_available():
        raise Failure("mode_not_honoured", "a GPU was granted, but PyTorch cannot use it on this machine")
    name = f"cuda:0 {torch.cuda.get_device_name(0)}" if gpus else "cpu"
    context.report.started(device=name, libraries={library: version(library) for library in LIBRARIES})
    torch.set_num_threads(cpus)
    try:
        quiet.import_library()
    except ImportError as error:
        raise Failure(
            "bad_environment",
            f"a system library is missing: {error}",
            hint="OpenCV needs libGL.so.1: install libgl1 and libglib2.0-0.",
        ) from error
    return "0" if gpus else "cpu"


def _beginnings(context: Context, layout: Layout, work: Path) -> tuple[Weights | None, dict[str, Any] | None]:
    """The weights to begin with and the state to go on from; at most one of them is there."""
    path = context.resume_path()
    if path is not None:
        state = load_state(path, model=context.spec.model or "", class_ids=[entry.id for entry in layout.classes])
        hours = context.config["time_hours"]
        finished = state["elapsed"] >= hours * 3600 if hours else state["epoch"] >= context.config["epochs"]
        if finished:
            raise Failure(
                "bad_config",
                f"the training is finished after {state['epoch']} epochs, there is nothing to go on with",
                hint="Begin a new training with its weights to train longer.",
                params={"epoch": state["epoch"]},
            )
        return None, state
    path = context.start_path()
    return (load_weights(path, work) if path is not None else None), None


def arguments(context: Context, layout: Layout, device: str, work: Path) -> dict[str, Any]:
    """The library's settings for this job."""
    config = context.config
    values: dict[str, Any] = {name: config[name] for name in PASSED_ON}
    if config["time_hours"]:
        # Only a first guess: the library replaces it after each epoch by what fits into the time.
        values["epochs"] = max(config["epochs"], 100)
    values.update(
        task="detect",
        mode="train",
        model=f"{context.spec.model}.yaml",
        data=str(layout.folder / DESCRIPTION),
        save_dir=str(work / "run"),
        project=str(work),
        device=device,
        workers=min(config["workers"], max(1, context.spec.resources.cpus)),
        seed=context.seed,
        deterministic=True,
        pretrained=False,
        time=config["time_hours"] or None,
        freeze=config["freeze"] or None,
        amp=_precision(context, device),
    )
    return values


def _precision(context: Context, device: str) -> str | bool:
    """bf16 on GPUs that have it. The library's check of fp16 would download a model, so that is not offered."""
    import torch  # import here: takes seconds

    if device == "cpu" or not context.config["amp"]:
        return False
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return "bf16"
    context.report.warning("amp_unavailable", "This GPU has no bfloat16: the training runs in full precision.")
    return False


def _train(context: Context, session: Any, device: str, work: Path) -> None:
    engine = importlib.import_module("modelyard_ultralytics.engine")
    layout = session.layout
    try:
        trainer = engine.Trainer(
            arguments(context, layout, device, work),
            layout=layout,
            description=architecture(check_model(context.spec.model)),
            session=session,
        )
        session.trainer = trainer
        trainer.train()
    except (RuntimeError, ValueError) as error:
        raise _explained(error, context) from error
    _report_end(context, session, trainer)


def _explained(error: Exception, context: Context) -> Exception:
    """The Failure that an error of the library stands for, or the error itself."""
    text = str(error)
    if type(error).__name__ == "OutOfMemoryError" or any(words in text.lower() for words in MEMORY_WORDS):
        return Failure(
            "out_of_memory",
            f"the memory is too small: {text.splitlines()[0]}",
            hint="Choose a smaller batch, smaller pictures or a smaller model.",
            params={"batch": context.config["batch"], "imgsz": context.config["imgsz"]},
        )
    if "froze the entire model" in text:
        return Failure("bad_config", "no layer is left to train", hint="Freeze fewer layers.")
    if text.startswith("final batch=1"):
        return Failure(
            "bad_config",
            "the last batch would hold a single picture, which cannot be trained at this picture size",
            hint="Choose another batch or a larger imgsz.",
        )
    return error


def _report_end(context: Context, session: Any, trainer: Any) -> None:
    """Reports the final evaluation, the weights and the result."""
    final = contract_names(trainer.metrics)
    final |= class_values(trainer.validator.metrics.box, session.layout.classes)
    final = {name: value for name, value in final.items() if math.isfinite(value)}
    if session.best is not None:
        session.best["metrics"] = {name: final[name] for name in session.best["metrics"] if name in final}
        session.report_best(trainer)
    session.write_last(trainer)
    report_evaluation(context, trainer.validator, session.layout.classes)
    if trainer.args.plots:
        report_pictures(context, trainer.save_dir)
    total = session.layout.counts["val"]
    context.report.progress("evaluating", total, total, unit="image", fraction=1.0)
    best_epoch = session.best["epoch"] if session.best else session.epoch
    summary = {
        "epochs": session.epoch,
        "best_epoch": best_epoch,
        "stopped_early": session.epoch < context.config["epochs"] and not context.config["time_hours"],
        "pictures": session.layout.counts,
        "parameters": sum(parameter.numel() for parameter in trainer.model.parameters()),
        "milliseconds_per_picture": {name: round(value, 3) for name, value in trainer.validator.speed.items()},
    }
    context.succeeded(metrics=final, summary=summary)
