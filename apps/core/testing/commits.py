"""What happens after the transaction, inside tests whose transaction never commits."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from django.test import TestCase


def committed(*, execute: bool = True) -> AbstractContextManager[list[Callable[[], object]]]:
    """Collects the `on_commit` callbacks of the block, and at its end runs them as a commit would.

    with committed() as callbacks:
        services.job_submit(actor=actor, job=job)
    assert len(callbacks) == 1
    """
    return TestCase.captureOnCommitCallbacks(execute=execute)
