"""How much one YOLO set may hold."""

from dataclasses import dataclass

from apps.datasets.formats.limits import SetLimits


@dataclass(frozen=True, slots=True)
class YoloLimits(SetLimits):
    label_bytes: int = 4 << 20
    labels_total_bytes: int = 256 << 20
    list_bytes: int = 64 << 20
