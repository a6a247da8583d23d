"""Writes on experiments, by people."""

from itertools import count
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core import auditing
from apps.core.errors import Conflict, refuse_unknown
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.departures.services import trash
from apps.departures.trash import require_in_trash, require_name
from apps.experiments import actions
from apps.experiments.models import Experiment
from apps.experiments.services.announcing import announce
from apps.projects.contents import require_kept_project
from apps.projects.models import Project

CHANGEABLE = ("name", "description")
DEFAULT_NAME = "Default"
TOPIC = "experiments.experiment"


@operation("experiments.experiment_create", permission="experiments.add_experiment", on="project")
def experiment_create(
    *, actor: Actor, project: Project, name: str, description: str = "", is_default: bool = False
) -> Experiment:
    """A new experiment of the project. Refused when the name is taken, or when there is a default already."""
    project = Project.objects.select_for_update().get(pk=project.pk)
    experiment = Experiment(
        organization_id=project.organization_id,
        project=project,
        name=name.strip(),
        description=description,
        is_default=is_default,
        created_by=actor.user,
    )
    _check_name(experiment, experiment.name)
    if is_default and project.experiments.live().filter(is_default=True).exists():
        raise Conflict(_("The project has a default experiment already."), code="default_exists")
    experiment.full_clean()
    experiment.save()
    announce(experiment, TOPIC)
    auditing.record(actor, actions.CREATED, experiment, after={"name": experiment.name})
    return experiment


@operation("experiments.experiment_change", permission="experiments.change_experiment", on="experiment")
def experiment_change(
    *, actor: Actor, experiment: Experiment, expected: int | None = None, **fields: Any
) -> Experiment:
    """Changes name or description."""
    refuse_unknown(fields, CHANGEABLE)
    experiment = _locked(experiment)
    experiment.expect(expected)
    if "name" in fields:
        fields["name"] = fields["name"].strip()
        _check_name(experiment, fields["name"])
    changes = experiment.change(**fields)
    if changes:
        announce(experiment, TOPIC)
    auditing.record(actor, actions.CHANGED, experiment, changes=changes)
    return experiment


@operation("experiments.experiment_trash", permission="experiments.delete_experiment", on="experiment", hides=True)
def experiment_trash(*, actor: Actor, experiment: Experiment) -> Experiment:
    """Moves the experiment and its runs out of sight, in MLflow too. Refused while a run is going on."""
    experiment = _locked(experiment)
    if experiment.runs.running().exists():
        raise Conflict(
            _("A run of this experiment is going on."),
            code="experiment_in_use",
            hint=_("Stop the run, or wait for its end."),
        )
    experiment.change(deleted_at=timezone.now())
    announce(experiment, TOPIC)
    auditing.record(actor, actions.TRASHED, experiment)
    return experiment


@operation("experiments.experiment_restore", permission="experiments.restore_experiment", on="experiment")
def experiment_restore(*, actor: Actor, experiment: Experiment) -> Experiment:
    """Brings the experiment back; refused while another carries its name."""
    experiment = _locked(experiment)
    require_in_trash(experiment)
    _check_name(experiment, experiment.name)
    others = Experiment.objects.live().filter(project_id=experiment.project_id, is_default=True)
    experiment.change(deleted_at=None, is_default=experiment.is_default and not others.exists())
    announce(experiment, TOPIC)
    auditing.record(actor, actions.RESTORED, experiment)
    return experiment


@operation("experiments.experiment_purge", permission="experiments.purge_experiment", on="experiment", hides=True)
def experiment_purge(*, actor: Actor, experiment: Experiment, name: str) -> Experiment:
    """Deletes an experiment in the trash for good, with its runs and its twin in MLflow; `name` repeats its name.

    Trainings that logged into it stay, with their own numbers and artifacts. Refused in an archive.
    """
    experiment = _locked(experiment)
    require_in_trash(experiment)
    require_name(experiment, name)
    require_kept_project(experiment.project)
    experiment.change(purged_at=timezone.now())
    trash.empty_on_commit()
    auditing.record(actor, actions.PURGED, experiment)
    return experiment


def experiment_for(*, actor: Actor, project: Project) -> Experiment:
    """The project's default experiment, made when it is first needed. The actor must be allowed to add one then."""
    found = project.experiments.live().filter(is_default=True).first()
    if found is not None:
        return found
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        found = project.experiments.live().filter(is_default=True).first()
        if found is not None:
            return found
        taken = {name.lower() for name in project.experiments.live().values_list("name", flat=True)}
        names = (DEFAULT_NAME if number == 1 else f"{DEFAULT_NAME} {number}" for number in count(1))
        name = next(name for name in names if name.lower() not in taken)
        return experiment_create(actor=actor, project=project, name=name, is_default=True)


def _locked(experiment: Experiment) -> Experiment:
    """The experiment, locked after its project: names and the default are checked one request after the other."""
    Project.objects.select_for_update().get(pk=experiment.project_id)
    return Experiment.objects.select_for_update().get(pk=experiment.pk)


def _check_name(experiment: Experiment, name: str) -> None:
    same = Experiment.objects.live().filter(project_id=experiment.project_id, name__iexact=name)
    if same.exclude(pk=experiment.pk).exists():
        message = _("The project has an experiment of this name.")
        raise Conflict(message, code="name_taken", fields={"name": [message]})
