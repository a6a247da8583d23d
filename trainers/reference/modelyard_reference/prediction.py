"""Mode `predict`: says one of three classes of any file, from its size and first byte.

There is no meaning in it, and it does not pretend to any: a file becomes the point
`(size mod 401 / 100 - 2, first byte / 64 - 2)`, and the model says in which cloud that point lies. It shows how
predictions travel, with files of any kind.
"""

import json

from modelyard_trainer import Context, Failure

from modelyard_reference.model import CLASSES, Model


def predict(context: Context) -> None:
    """Writes `predictions.jsonl`: name, class and probabilities of each input."""
    context.report.started(device="cpu", libraries={})
    start = context.start_path()
    if start is None:
        raise Failure("bad_config", "predict needs a checkpoint to start from")
    try:
        model = Model(json.loads(start.read_bytes())["weights"])
    except (ValueError, KeyError, TypeError) as error:
        raise Failure("bad_data", f"{start.name} is no checkpoint of this trainer: {error!r}") from error
    inputs = context.spec.inputs
    lines = []
    for number, file in enumerate(inputs, 1):
        if context.stopping:
            return context.stopped(summary={"predicted": number - 1})
        try:
            data = file.path.read_bytes()
        except OSError as error:
            raise Failure("bad_data", f"{file.name} cannot be read: {error}") from error
        chances = model.probabilities(len(data) % 401 / 100 - 2, (data[0] if data else 0) / 64 - 2)
        chosen = chances.index(max(chances))
        scores = dict(zip(CLASSES, (round(chance, 6) for chance in chances), strict=True))
        lines.append({"name": file.name, "class": CLASSES[chosen], "probabilities": scores})
        context.report.progress("predicting", number, len(inputs), unit="image")
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    context.artifact(
        "predictions.jsonl",
        "predictions",
        write=lambda path: path.write_text(text, encoding="utf-8"),
        media_type="application/jsonl",
        data={"count": len(lines)},
    )
    context.succeeded(metrics={"predict/files": len(lines)}, summary={"predicted": len(lines)})
    return None
