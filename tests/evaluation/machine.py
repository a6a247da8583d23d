"""The dispatcher and a node's worker, step by step: what they do in the portal's own processes."""

import time
from collections.abc import Callable
from typing import Any

from django.utils import timezone

from apps.core.testing import Cast
from apps.jobs.executors import executor_for
from apps.jobs.executors.base import Presence
from apps.jobs.models import Attempt, Job
from apps.jobs.services.dispatch import dispatch
from apps.jobs.states import TERMINAL, JobState
from apps.resources.models import Node
from apps.training.services import training_create, training_start

PATIENCE = 60.0


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.05)
    return value


class Machine:
    """A node of the cast's resource group."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.node: Node = cast.sample("node")

    def run(self, job_id: Any) -> Job:
        """Places the job, starts its launcher, and waits for the end of both."""
        Node.objects.filter(pk=self.node.pk).update(last_seen_at=timezone.now())
        assert len(dispatch().placed) == 1
        attempt = Attempt.objects.select_related("job__resource_group").get(job_id=job_id, state="claimed")
        executor = executor_for(attempt.job.resource_group.executor)
        executor.launch(attempt)
        job = wait_until(lambda: Job.objects.filter(pk=job_id, state__in=TERMINAL).first(), "the job's end")
        wait_until(lambda: executor.poll(attempt) is not Presence.ALIVE, "the launcher's end")
        return job

    def train(self, **work: Any) -> str:
        """The id of a training that has succeeded."""
        training = training_create(
            actor=self.cast.owner.actor,
            project=self.cast.sample("project"),
            resource_group=self.cast.sample("resource-group"),
            name="Trained",
            **work,
        )
        training_start(actor=self.cast.owner.actor, training=training)
        job = self.run(training.pk)
        assert job.state == JobState.SUCCEEDED, job.reason
        return str(training.pk)
