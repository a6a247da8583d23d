from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor
from apps.core.policy import lies_in, rule, through

lies_in("evaluation.InferenceJob", "job")


@rule("evaluation.view_inferencejob", on="evaluation.InferenceJob")
def view_inferencejob(actor: Actor) -> Q:
    return through("job", actor, "jobs.view_job")


@rule("evaluation.add_inferencejob", on="projects.Project", needs=_("editor of the project"))
def add_inferencejob(actor: Actor) -> Q:
    """Trying a checkpoint takes the project's machines."""
    return through("pk", actor, "projects.contribute_project")
