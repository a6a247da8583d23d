"""The YOLO layout: images, one label text per image, and usually a YAML file that names the rest."""

from apps.datasets.formats.yolo.layout import Guess, detect
from apps.datasets.formats.yolo.limits import YoloLimits
from apps.datasets.formats.yolo.parsing import YoloSet
from apps.datasets.formats.yolo.rows import RowParser
from apps.datasets.formats.yolo.writing import WritableItem, write_yolo

__all__ = ["Guess", "RowParser", "WritableItem", "YoloLimits", "YoloSet", "detect", "write_yolo"]
