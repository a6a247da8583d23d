"""The trainer's side of the trainer contract, version 1, for programs that use the standard library only.

A trainer imports `run`, `Failure` and perhaps `Context`; the launcher, the environments and the contract tests live in
modules of their own and are never imported by a trainer.
"""

from modelyard_trainer.context import Context
from modelyard_trainer.dataset import Dataset, DatasetClass, Item
from modelyard_trainer.exit_codes import ExitCode
from modelyard_trainer.failures import Failure
from modelyard_trainer.program import run
from modelyard_trainer.spec import CONTRACT, Spec, SpecError

__all__ = [
    "CONTRACT",
    "Context",
    "Dataset",
    "DatasetClass",
    "ExitCode",
    "Failure",
    "Item",
    "Spec",
    "SpecError",
    "run",
]
