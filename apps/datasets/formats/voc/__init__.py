"""Pascal VOC: images, and an XML file for each with the boxes in it."""

from apps.datasets.formats.voc.parsing import VocSet, detect
from apps.datasets.formats.voc.writing import write_voc

__all__ = ["VocSet", "detect", "write_voc"]
