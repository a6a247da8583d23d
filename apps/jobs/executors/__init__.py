"""Ways of starting an attempt on a node, behind one interface."""

from apps.jobs.executors.base import Executor, Presence
from apps.jobs.executors.subprocess import SubprocessExecutor


def executor_for(name: str) -> Executor:
    """The executor of a resource group."""
    return {"subprocess": SubprocessExecutor}[name]()


__all__ = ["Executor", "Presence", "executor_for"]
