"""How much one YOLO set may hold."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class YoloLimits:
    label_bytes: int = 4 << 20
    labels_total_bytes: int = 256 << 20
    list_bytes: int = 64 << 20
    boxes_per_image: int = 20_000
    boxes: int = 5_000_000
    classes: int = 5000
    class_name_characters: int = 100
