"""COCO: images, and JSON documents that list them with their annotations (instances and keypoints)."""

from apps.datasets.formats.coco.parsing import CocoSet, detect
from apps.datasets.formats.coco.writing import write_coco

__all__ = ["CocoSet", "detect", "write_coco"]
