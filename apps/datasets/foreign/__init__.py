"""Formats that another library reads, outside of this process: datumaro, in an environment of its own.

A confined child (`readers/datumaro`) reads the unpacked folder and writes a DICE document; the set is then analysed like
any other. Off unless the portal's settings say otherwise, and nothing of it is installed before it is first used.
"""

from apps.datasets.foreign.catalogue import CHOICES, FORMATS, LIBRARY, ForeignFormat
from apps.datasets.foreign.conversion import Converted, convert
from apps.datasets.foreign.environment import build, is_built, lack, reason_off

__all__ = [
    "CHOICES",
    "FORMATS",
    "LIBRARY",
    "Converted",
    "ForeignFormat",
    "build",
    "convert",
    "is_built",
    "lack",
    "reason_off",
]
