"""The interface."""

from abc import ABC, abstractmethod
from enum import Enum

from apps.jobs.models import Attempt


class Presence(Enum):
    """What is left of an attempt on its node."""

    ALIVE = "alive"  # a launcher lives
    HUNG = "hung"  # a launcher lives, but has not even tried to call for long
    DEAD = "dead"  # the launcher died; its folder is there
    ABSENT = "absent"  # nothing of it was ever here


class Executor(ABC):
    """Everything is idempotent: messages are lost and doubled."""

    @abstractmethod
    def launch(self, attempt: Attempt) -> None:
        """Starts the attempt's launcher unless one lives."""

    @abstractmethod
    def poll(self, attempt: Attempt) -> Presence:
        """Looks for the attempt on this node."""

    @abstractmethod
    def recover(self, attempt: Attempt) -> None:
        """Starts a launcher that ends what is left of a dead one's processes and reports what they wrote."""

    @abstractmethod
    def kill(self, attempt: Attempt) -> None:
        """Ends a launcher that does not answer, with everything it started."""

    @abstractmethod
    def sweep(self) -> int:
        """Removes what attempts that are over have left on this node, once nobody needs it; returns how many."""
