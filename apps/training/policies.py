from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor
from apps.core.policy import lies_in, rule, through

lies_in("training.TrainingJob", "job")
lies_in("training.Checkpoint", "job")


@rule("training.view_trainingjob", on="training.TrainingJob")
def view_trainingjob(actor: Actor) -> Q:
    return through("job", actor, "jobs.view_job")


@rule("training.add_trainingjob", on="projects.Project", needs=_("editor of the project"))
def add_trainingjob(actor: Actor) -> Q:
    return through("pk", actor, "projects.contribute_project")


@rule("training.change_trainingjob", on="training.TrainingJob", needs=_("editor of the project"))
def change_trainingjob(actor: Actor) -> Q:
    return through("job", actor, "jobs.change_job")


@rule("training.view_checkpoint", on="training.Checkpoint")
def view_checkpoint(actor: Actor) -> Q:
    return through("job", actor, "jobs.view_job")
