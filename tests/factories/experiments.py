import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from apps.core.testing import Cast, sample
from apps.experiments.models import Experiment, Run
from tests.factories.projects import ProjectFactory


class ExperimentFactory(DjangoModelFactory):
    class Meta:
        model = Experiment

    project = factory.SubFactory(ProjectFactory)
    organization = factory.SelfAttribute("project.organization")
    name = factory.Sequence(lambda number: f"Experiment {number}")


class RunFactory(DjangoModelFactory):
    class Meta:
        model = Run

    experiment = factory.SubFactory(ExperimentFactory)
    project = factory.SelfAttribute("experiment.project")
    organization = factory.SelfAttribute("experiment.organization")
    name = factory.Sequence(lambda number: f"Run {number}")
    started_at = factory.LazyFunction(timezone.now)


@sample("experiment", "experiments", "experiments.Experiment")
def experiment(cast: Cast) -> Experiment:
    return ExperimentFactory(project=cast.sample("project"), name=f"Experiment {cast.canary}")


@sample("trashed-experiment")
def trashed_experiment(cast: Cast) -> Experiment:
    return ExperimentFactory(
        project=cast.sample("project"), name=f"Trashed experiment {cast.canary}", deleted_at=timezone.now()
    )


@sample("run", "experiments/runs", "experiments.Run")
def run(cast: Cast) -> Run:
    """An ended run of the experiment, which can therefore go to the trash."""
    return RunFactory(
        experiment=cast.sample("experiment"),
        name=f"Run {cast.canary}",
        status="finished",
        ended_at=timezone.now(),
    )
