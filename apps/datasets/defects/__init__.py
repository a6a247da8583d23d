"""Defects: what is wrong with data that somebody brings, as a code with parameters, and the words for each code.

The parsers know codes only, so that they run in a child process without settings and so that a report can be read
in any language: `describe` words a defect for a reader. A new code needs a line in one of the tables of words; a test
compares them with the codes that the source uses.
"""

from apps.datasets.defects.describing import REASONS, WORDINGS, describe
from apps.datasets.defects.log import (
    ERROR,
    LENIENT,
    LISTED,
    WARNING,
    BadInput,
    Defect,
    DefectLog,
    Severity,
    shown,
)

__all__ = [
    "ERROR",
    "LENIENT",
    "LISTED",
    "REASONS",
    "WARNING",
    "WORDINGS",
    "BadInput",
    "Defect",
    "DefectLog",
    "Severity",
    "describe",
    "shown",
]
