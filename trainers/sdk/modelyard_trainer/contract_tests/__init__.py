"""The test suite that every trainer must pass: `python -m modelyard_trainer.contract_tests <trainer folder>`."""

from modelyard_trainer.contract_tests.suite import Check, Suite

__all__ = ["Check", "Suite"]
