from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor
from apps.core.policy import lies_in, rule, through
from apps.jobs.policies import of_job
from apps.shares.kinds import declare_share_rules, granted
from apps.shares.models import Level
from apps.training.sharing import TRAINING_JOB

lies_in("training.TrainingJob", "job")
lies_in("training.Checkpoint", "job")


@rule("training.view_trainingjob", on="training.TrainingJob")
def view_trainingjob(actor: Actor) -> Q:
    """Shares are a term of the job's rule (`register_grants`), so that its children inherit them."""
    return of_job(actor, "jobs.view_job", "job__")


@rule("training.add_trainingjob", on="projects.Project", needs=_("editor of the project"))
def add_trainingjob(actor: Actor) -> Q:
    return through("pk", actor, "projects.contribute_project")


@rule(
    "training.use_trainingjob",
    on="training.TrainingJob",
    needs=_("somebody whom it is shared with to use"),
    closing=True,
)
def use_trainingjob(actor: Actor) -> Q:
    """Taking its weights: the project's members, and shares from `use` on."""
    return through("job__project", actor, "projects.view_project") | granted(actor, TRAINING_JOB, Level.USE)


@rule("training.change_trainingjob", on="training.TrainingJob", needs=_("editor of the project"))
def change_trainingjob(actor: Actor) -> Q:
    return of_job(actor, "jobs.change_job", "job__")


@rule("training.manage_trainingjob", on="training.TrainingJob", needs=_("owner of the project"))
def manage_trainingjob(actor: Actor) -> Q:
    """Sharing it."""
    return through("job__project", actor, "projects.change_project") | granted(actor, TRAINING_JOB, Level.MANAGE)


@rule("training.view_checkpoint", on="training.Checkpoint")
def view_checkpoint(actor: Actor) -> Q:
    return through("job", actor, "jobs.view_job")


@rule(
    "training.use_checkpoint",
    on="training.Checkpoint",
    needs=_("somebody whom it is shared with to use"),
    closing=True,
)
def use_checkpoint(actor: Actor) -> Q:
    """Downloading the weights, and starting from them."""
    return through("job__training", actor, "training.use_trainingjob")


declare_share_rules(TRAINING_JOB, _("owner of the project"))
