from datetime import timedelta

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from apps.core.testing import Cast, sample
from apps.jobs.models import Attempt, Job
from tests.factories.projects import ProjectFactory
from tests.factories.resources import NodeFactory, ResourceGroupFactory


class JobFactory(DjangoModelFactory):
    """A draft of the kind `training`."""

    class Meta:
        model = Job

    kind = "training"
    project = factory.SubFactory(ProjectFactory)
    organization = factory.SelfAttribute("project.organization")
    resource_group = factory.SubFactory(ResourceGroupFactory, organization=factory.SelfAttribute("..organization"))
    name = factory.Sequence(lambda number: f"Job {number}")


class AttemptFactory(DjangoModelFactory):
    """An attempt that waits for its launcher's first call."""

    class Meta:
        model = Attempt

    job = factory.SubFactory(JobFactory)
    no = 1
    node = factory.SubFactory(NodeFactory, group=factory.SelfAttribute("..job.resource_group"))
    claimed_at = factory.LazyFunction(timezone.now)
    lease_until = factory.LazyFunction(lambda: timezone.now() + timedelta(seconds=15))


@sample("job", "jobs", "jobs.Job")
def job(cast: Cast) -> Job:
    return JobFactory(
        project=cast.sample("project"), resource_group=cast.sample("resource-group"), name=f"Job {cast.canary}"
    )


@sample("attempt", "api/attempt/v1")
def attempt(cast: Cast) -> Attempt:
    return AttemptFactory(job=cast.sample("job"), node=cast.sample("node"))


@sample("api/attempt/v1/blobs")
def blob(cast: Cast) -> str:
    """A digest that no blob has."""
    return "0" * 64
