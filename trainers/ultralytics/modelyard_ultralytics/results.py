"""Turns the final evaluation into artifacts: curves and matrices as data, predictions as JSON, pictures as they are.

`data` of an artifact is `{"chart": "line", "x": {"label", "values"}, "y": {"label"}, "series": [{"name", "values"}]}` or
`{"chart": "matrix", "rows": {"label", "names"}, "columns": {"label", "names"}, "values": [[…]]}`.
"""

import json
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelyard_trainer import Context
from modelyard_trainer.dataset import DatasetClass

POINTS = 101  # of each curve: as many as COCO's own
MOST_CURVES = 20  # beyond these a chart is unreadable; the mean is always there
MOST_CLASSES = 100  # beyond these a matrix is a file only, and classes have no series of their own
UNFIT = re.compile(r"[^A-Za-z0-9_\-.() ]")

CURVES = (
    ("precision-recall", {"en": "Precision by recall", "ko": "재현율에 따른 정밀도"}),
    ("f1-confidence", {"en": "F1 by confidence", "ko": "신뢰도에 따른 F1"}),
    ("precision-confidence", {"en": "Precision by confidence", "ko": "신뢰도에 따른 정밀도"}),
    ("recall-confidence", {"en": "Recall by confidence", "ko": "신뢰도에 따른 재현율"}),
)
PICTURES = (
    ("labels.jpg", {"en": "Labels of the training pictures", "ko": "학습 이미지의 라벨 분포"}),
    ("train_batch*.jpg", {"en": "Training pictures as the network sees them", "ko": "증강된 학습 이미지"}),
    ("val_batch*_labels.jpg", {"en": "Validation pictures with their labels", "ko": "검증 이미지의 정답"}),
    ("val_batch*_pred.jpg", {"en": "Validation pictures with predictions", "ko": "검증 이미지의 예측"}),
)


def class_key(entry: DatasetClass) -> str:
    """The class's name as part of a metric's name, where only some characters are allowed."""
    return f"class {entry.id}" if UNFIT.search(entry.name) or not 0 < len(entry.name) <= 100 else entry.name


def class_values(box_metrics: Any, classes: Sequence[DatasetClass]) -> dict[str, float]:
    """`{"val/ap50/<class>": …}` of the classes that the validation pictures show; none when there are very many."""
    if len(classes) > MOST_CLASSES:
        return {}
    return {
        f"val/ap50/{class_key(classes[int(number)])}": float(value)
        for number, value in zip(box_metrics.ap_class_index, box_metrics.ap50, strict=True)
    }


def class_table(metrics: Any, classes: Sequence[DatasetClass]) -> list[dict[str, Any]]:
    """One row for each class that the validation pictures show."""
    box = metrics.box
    counts = metrics.nt_per_class
    return [
        {
            "class": classes[int(number)].id,
            "name": classes[int(number)].name,
            "boxes": int(counts[int(number)]),
            "precision": round(float(box.p[row]), 5),
            "recall": round(float(box.r[row]), 5),
            "f1": round(float(box.f1[row]), 5),
            "ap50": round(float(box.ap50[row]), 5),
            "ap50-95": round(float(box.ap[row]), 5),
        }
        for row, number in enumerate(box.ap_class_index)
    ]


def curve_data(curve: Sequence[Any], names: Sequence[str]) -> dict[str, Any]:
    """A chart of the library's curve `[x (n), y (classes, n), x label, y label]`, thinned to 101 points."""
    x, y, x_label, y_label = curve
    picks = [round(point * (len(x) - 1) / (POINTS - 1)) for point in range(POINTS)]
    series = [{"name": "mean", "values": _rounded(y.mean(0), picks)}]
    if len(names) <= MOST_CURVES:
        series += [{"name": name, "values": _rounded(row, picks)} for name, row in zip(names, y, strict=True)]
    return {
        "chart": "line",
        "x": {"label": x_label, "values": _rounded(x, picks)},
        "y": {"label": y_label},
        "series": series,
    }


def _rounded(values: Any, picks: Sequence[int]) -> list[float]:
    return [round(float(values[pick]), 4) for pick in picks]


def matrix_data(matrix: Any, names: Sequence[str]) -> dict[str, Any]:
    """A chart of the confusion matrix: rows are what was predicted, columns what is there."""
    labels = [*names, "background"]
    return {
        "chart": "matrix",
        "rows": {"label": "Predicted", "names": labels},
        "columns": {"label": "Actual", "names": labels},
        "values": [[int(value) for value in row] for row in matrix],
    }


def report_evaluation(context: Context, validator: Any, classes: Sequence[DatasetClass]) -> None:
    """Reports the final evaluation's curves, confusion matrix, table of classes and predictions."""
    metrics = validator.metrics
    shown = [classes[int(number)].name for number in metrics.box.ap_class_index]
    if shown:
        for (name, title), curve in zip(CURVES, metrics.curves_results, strict=True):
            context.artifact(f"curves/{name}.json", "plot", data=curve_data(curve, shown), title=title)
    title = {"en": "Confusion matrix", "ko": "혼동 행렬"}
    matrix = matrix_data(validator.confusion_matrix.matrix, [entry.name for entry in classes])
    _report(context, "confusion-matrix.json", "plot", matrix, title, small=len(classes) <= MOST_CLASSES)
    rows = class_table(metrics, classes)
    title = {"en": "Results by class", "ko": "클래스별 결과"}
    columns = list(rows[0]) if rows else []
    _report(
        context, "classes.json", "table", {"columns": columns, "rows": rows}, title, small=len(rows) <= MOST_CLASSES
    )
    predictions = {
        "task": "detect",
        "split": "val",
        "classes": [{"id": entry.id, "name": entry.name} for entry in classes],
        "images": validator.collected,
    }
    title = {"en": "Predictions on the validation pictures", "ko": "검증 이미지 예측"}
    _report(context, "predictions.json", "predictions", predictions, title, small=False)


def _report(context: Context, name: str, kind: str, content: Any, title: dict[str, str], *, small: bool) -> None:
    if small:
        context.artifact(name, kind, data=content, title=title)
    else:
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        context.artifact(name, kind, write=lambda path: path.write_text(text, encoding="utf-8"), title=title)


def finish_drawing() -> None:
    """Waits for the pictures: the library draws in threads of its own and never waits for them."""
    for thread in threading.enumerate():
        if "plot" in thread.name and thread is not threading.current_thread():
            thread.join()


def report_pictures(context: Context, folder: Path) -> None:
    """Reports the pictures that the library drew into `folder`."""
    finish_drawing()
    for pattern, title in PICTURES:
        for path in sorted(folder.glob(pattern)):
            context.artifact(f"pictures/{path.name}", "plot", path=path, title=title)
