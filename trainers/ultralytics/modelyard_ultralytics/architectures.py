"""The networks that can be trained, made from the descriptions that the library brings along."""

from typing import Any

from modelyard_trainer import Failure

# Depth, width and channel limit of a quarter-width network for quick runs without a GPU.
TINY_NAME = "yolov8-tiny"
TINY_SCALE = [0.33, 0.125, 1024]
BASES = {
    "yolo26n": "yolo26n.yaml",
    "yolo26s": "yolo26s.yaml",
    "yolo11n": "yolo11n.yaml",
    "yolo11s": "yolo11s.yaml",
    "yolov8n": "yolov8n.yaml",
    "yolov8s": "yolov8s.yaml",
    TINY_NAME: "yolov8n.yaml",
}


def check_model(name: str | None) -> str:
    """The name of a model that can be trained; raises Failure `bad_config` for another."""
    if name not in BASES:
        raise Failure(
            "bad_config",
            f"there is no model {name!r} here",
            hint=f"Choose one of {', '.join(BASES)}.",
            params={"model": name, "models": list(BASES)},
        )
    return name


def architecture(name: str) -> dict[str, Any]:
    """The library's description of the network called `name`, one of `BASES`."""
    from ultralytics.nn.tasks import yaml_model_load  # import here: takes seconds

    description = yaml_model_load(BASES[name])
    if name == TINY_NAME:
        description.update(scales={"t": TINY_SCALE}, scale="t", yaml_file=f"{TINY_NAME}.yaml")
    return description
