"""Trainings as something that can be shared."""

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor
from apps.shares.kinds import ROLE_LEVELS, Grounds, Kind, granted_by_key
from apps.shares.models import Level
from apps.training.models import TrainingJob, TrainingJobGroupShare, TrainingJobUserShare


def _grounds(training: TrainingJob) -> Grounds:
    """The members of its project."""
    return Grounds(ROLE_LEVELS)


TRAINING_JOB = Kind(
    name="training_job",
    label=_("Training job"),
    model=TrainingJob,
    users=TrainingJobUserShare,
    groups=TrainingJobGroupShare,
    organization="job__organization_id",
    project="job__project_id",
    grounds=_grounds,
)
#: Permission on jobs → level of a share of the training that gives it.
JOB_LEVELS = {"jobs.view_job": Level.VIEW, "jobs.change_job": Level.EDIT}


def jobs_granted(actor: Actor, permission: str, path: str) -> Q:
    """Jobs on which a share of their training gives the permission: a training has the key of its job."""
    return granted_by_key(actor, TRAINING_JOB, JOB_LEVELS[permission], f"{path}project_id")
