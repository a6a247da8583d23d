"""Rules on experiments and runs: what the project allows."""

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor
from apps.core.policy import condition_if_open, lies_in, rule, through

lies_in("experiments.Experiment", "project")
lies_in("experiments.Run", "experiment")


@rule("experiments.view_experiment", on="experiments.Experiment")
def view_experiment(actor: Actor) -> Q:
    return through("project", actor, "projects.view_project")


@rule("experiments.add_experiment", on="projects.Project", needs=_("editor of the project"))
def add_experiment(actor: Actor) -> Q:
    return condition_if_open(actor, "projects.contribute_project")


@rule("experiments.change_experiment", on="experiments.Experiment", needs=_("editor of the project"))
def change_experiment(actor: Actor) -> Q:
    return through("project", actor, "projects.contribute_project")


@rule("experiments.delete_experiment", on="experiments.Experiment", needs=_("editor of the project"))
def delete_experiment(actor: Actor) -> Q:
    return change_experiment(actor)


@rule("experiments.restore_experiment", on="experiments.Experiment", needs=_("editor of the project"), trashed=True)
def restore_experiment(actor: Actor) -> Q:
    return through("project", actor, "projects.contribute_project")


@rule("experiments.purge_experiment", on="experiments.Experiment", needs=_("editor of the project"), trashed=True)
def purge_experiment(actor: Actor) -> Q:
    """Deleting it for good: those who moved it to the trash, or could have."""
    return restore_experiment(actor)


@rule("experiments.view_run", on="experiments.Run")
def view_run(actor: Actor) -> Q:
    return through("experiment", actor, "experiments.view_experiment")
