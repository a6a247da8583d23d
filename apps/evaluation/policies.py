from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor
from apps.core.policy import lies_in, rule, through
from apps.jobs.policies import of_job

lies_in("evaluation.InferenceJob", "job")


@rule("evaluation.view_inferencejob", on="evaluation.InferenceJob")
def view_inferencejob(actor: Actor) -> Q:
    return of_job(actor, "jobs.view_job", "job__")


@rule("evaluation.add_inferencejob", on="projects.Project", needs=_("editor of the project"))
def add_inferencejob(actor: Actor) -> Q:
    """Trying a checkpoint takes the project's machines."""
    return through("pk", actor, "projects.contribute_project")
