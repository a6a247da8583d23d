"""Mode `predict`: a weights file looks at the given pictures."""

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

from modelyard_trainer import Context, Failure
from modelyard_trainer.spec import InputFile

from modelyard_ultralytics.training import begin
from modelyard_ultralytics.weights import Weights, load_weights

# The library wraps Pillow's `open` and asks for an optional package when Pillow fails, hence the ImportError.
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, ImportError)

MOST_SUMMARY = 400_000


def predict(context: Context) -> None:
    """Predicts boxes in the given pictures with the weights of `start_from`.

    The result's summary and the artifact `predictions.json` are `{"predictions": [{"name", "width", "height",
    "milliseconds", "boxes": [{"bbox": [x, y, width, height], "class", "label", "score"}]}]}`, in pixels of the upright
    picture, surest box first.
    """
    path = context.start_path()
    if path is None:
        raise Failure("bad_config", "a prediction needs weights", hint="Choose a model or a checkpoint.")
    if not context.spec.inputs:
        raise Failure("bad_data", "there is no picture to look at")
    work = context.output_dir / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        device = begin(context, work)
        weights = load_weights(path, work)
        predictions = _predict_all(context, weights, device, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if predictions is None:
        context.stopped()
        return
    document = {"predictions": predictions}
    text = json.dumps(document, ensure_ascii=False)
    context.artifact("predictions.json", "predictions", write=lambda target: target.write_text(text, encoding="utf-8"))
    # An event may have 512 KiB; a larger answer is in the artifact alone.
    context.succeeded(metrics={}, summary=document if len(text) <= MOST_SUMMARY else {"pictures": len(predictions)})


def _predict_all(context: Context, weights: Weights, device: str, work: Path) -> list[dict[str, Any]] | None:
    """One entry for each input; None when a stop was asked for in between."""
    predictor = _predictor(context, weights, device, work)
    entries, total = [], len(context.spec.inputs)
    for number, given in enumerate(context.spec.inputs):
        if context.stopping:
            return None
        context.report.progress("predicting", number, total, unit="image")
        entries.append(_entry(given, predictor(_pixels(given))[0], weights))
    context.report.progress("predicting", total, total, unit="image")
    return entries


def _predictor(context: Context, weights: Weights, device: str, work: Path) -> Any:
    module = importlib.import_module("ultralytics.models.yolo.detect")
    config = context.config
    # The schema's default picture size is for training; a model sees best at the size it was trained with.
    imgsz = context.spec.config.get("imgsz") or weights.imgsz
    predictor = module.DetectionPredictor(
        overrides={
            "task": "detect",
            "mode": "predict",
            "conf": config["conf"],
            "iou": config["iou"],
            "max_det": config["max_det"],
            "imgsz": imgsz,
            "device": device,
            "save": False,
            "verbose": False,
            "project": str(work),
        }
    )
    predictor.setup_model(weights.network, verbose=False)
    return predictor


def _pixels(given: InputFile) -> Any:
    """The upright picture as the library wants it: rows of blue, green, red bytes."""
    import numpy  # import here: not needed before there is work
    from PIL import Image, ImageOps  # import here: pictures are opened by few modes

    try:
        with Image.open(given.path) as picture:
            upright = ImageOps.exif_transpose(picture).convert("RGB")
            return numpy.ascontiguousarray(numpy.asarray(upright)[:, :, ::-1])
    except (*UNREADABLE, Image.DecompressionBombError) as error:
        raise Failure(
            "bad_data", f"{given.name} cannot be read as a picture: {error}", params={"name": given.name}
        ) from error


def _entry(given: InputFile, result: Any, weights: Weights) -> dict[str, Any]:
    height, width = result.orig_shape
    boxes = []
    for (x1, y1, x2, y2), score, number in zip(
        result.boxes.xyxy.tolist(), result.boxes.conf.tolist(), result.boxes.cls.tolist(), strict=True
    ):
        entry = weights.classes[int(number)]
        boxes.append(
            {
                "bbox": [round(x1, 2), round(y1, 2), round(x2 - x1, 2), round(y2 - y1, 2)],
                "class": entry.id,
                "label": entry.name,
                "score": round(score, 5),
            }
        )
    return {
        "name": given.name,
        "width": width,
        "height": height,
        "milliseconds": round(sum(result.speed.values()), 3),
        "boxes": boxes,
    }
