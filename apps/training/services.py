"""Writes on trainings."""

from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import override
from modelyard_trainer.dataset import TEACHES

from apps.core import auditing, policy
from apps.core.errors import Conflict, Invalid, NotFound, refuse_unknown
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.datasets.formats.model import TASKS
from apps.datasets.models import Dataset, Snapshot
from apps.datasets.services import (
    checked_split,
    snapshot_for_training,
    version_for_training,
    version_require_sound,
)
from apps.experiments.services.experiments import experiment_for
from apps.experiments.services.runs import run_start
from apps.jobs.models import Job
from apps.jobs.services.lifecycle import job_submit
from apps.jobs.states import JobState
from apps.projects.models import Project
from apps.resources.models import ResourceGroup
from apps.trainers.catalogue import Trainer
from apps.trainers.catalogue import trainer as trainer_named
from apps.training import actions
from apps.training.models import Checkpoint, TrainingJob

FIRST_START, LAST_START = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
JOB_FIELDS = ("name", "priority", "cpus", "memory_mb", "gpus", "not_before")
WORK_FIELDS = ("task", "model", "config", "seed", "split")
DATA_FIELDS = ("dataset", "dataset_version")


@operation("training.training_create", permission="training.add_trainingjob", on="project")
def training_create(
    *,
    actor: Actor,
    project: Project,
    name: str,
    trainer: str,
    task: str = "",
    model: str = "",
    config: dict[str, Any] | None = None,
    seed: int = 0,
    dataset: Dataset | None = None,
    dataset_version: Snapshot | None = None,
    start_from: Checkpoint | None = None,
    split: dict[str, Any] | None = None,
    resource_group: ResourceGroup | None = None,
    **request: Any,
) -> TrainingJob:
    """A draft. Settings are completed from the trainer's defaults and checked; `request` holds CPUs, memory, GPUs,
    priority and start time. Without a `dataset_version` it learns from the dataset as it is when it starts."""
    found = trainer_named(trainer)
    task = _checked_task(found, task)
    dataset, own = _fit_dataset(actor, project, dataset, task), checked_split(split)
    start_from = _usable_weights(actor, project, found, start_from)
    job = _new_job(actor, project, name, found, resource_group, request)
    training = TrainingJob(
        job=job,
        trainer=found.name,
        task=task,
        model=_checked_model(found, task, model),
        config=found.checked("train", task, config or {}),
        seed=seed,
        dataset=dataset,
        dataset_version=_fit_version(actor, dataset, dataset_version, own),
        start_from=start_from,
        split=own,
    )
    training.save(force_insert=True)
    params = {"trainer": found.name, "task": task}
    if training.dataset_version is not None:
        params["dataset_version"] = training.dataset_version.tag
    auditing.record(actor, actions.CREATED, training, params=params)
    return training


@operation("training.training_change", permission="training.change_trainingjob", on="training")
def training_change(*, actor: Actor, training: TrainingJob, expected: int | None = None, **fields: Any) -> TrainingJob:
    """Changes a draft. Another dataset comes with its latest version, unless one is named beside it."""
    job = Job.objects.select_for_update().get(pk=training.pk)
    job.expect(expected)
    training = TrainingJob.objects.get(pk=training.pk)
    _require_draft(job)
    refuse_unknown(fields, {*JOB_FIELDS, *WORK_FIELDS, *DATA_FIELDS, "resource_group", "start_from"})
    found = trainer_named(training.trainer)
    if "task" in fields:
        fields["task"] = _checked_task(found, fields["task"])
    task = fields.get("task", training.task)
    if "model" in fields or task != training.task:
        fields["model"] = _checked_model(found, task, fields.get("model", training.model))
    if "config" in fields:
        fields["config"] = found.checked("train", task, fields["config"])
    if "split" in fields:
        fields["split"] = checked_split(fields["split"])
    if {"dataset", "dataset_version", "split"} & fields.keys():
        fields |= _fit_data(actor, job.project, training, task, fields)
    if "start_from" in fields:
        fields["start_from"] = _usable_weights(actor, job.project, found, fields["start_from"])
    if "resource_group" in fields:
        _check_group(job.project, fields["resource_group"])
    work = {name: fields[name] for name in (*WORK_FIELDS, *DATA_FIELDS, "start_from") if name in fields}
    changes = _change(job, training, work)
    changes |= job.change(**{name: fields[name] for name in (*JOB_FIELDS, "resource_group") if name in fields})
    _clean(job)
    with override("en"):
        shown = {name: (str(before), str(after)) for name, (before, after) in changes.items()}
    auditing.record(actor, actions.CHANGED, training, changes=shown)
    return training


@operation("training.training_delete", permission="training.change_trainingjob", on="training")
def training_delete(*, actor: Actor, training: TrainingJob, expected: int | None = None) -> None:
    """Removes a draft. What has started is part of the project's history and stays."""
    job = Job.objects.select_for_update().get(pk=training.pk)
    job.expect(expected)
    training = TrainingJob.objects.get(pk=training.pk)
    if job.state != JobState.DRAFT:
        raise Conflict(
            _("Only a draft can be deleted."), code="not_a_draft", hint=_("A training that was started stays.")
        )
    auditing.record(actor, actions.DELETED, training, before={"trainer": training.trainer, "task": training.task})
    job.delete()


@operation("training.training_start", permission="training.change_trainingjob", on="training")
def training_start(*, actor: Actor, training: TrainingJob) -> TrainingJob:
    """Fixes the data as a snapshot, or takes the version that the draft names, opens the run, and puts the job into
    the queue."""
    job = Job.objects.select_for_update().select_related("project").get(pk=training.pk)
    training = TrainingJob.objects.select_related("dataset", "dataset_version", "run").get(pk=training.pk)
    _require_draft(job)
    found = trainer_named(training.trainer)
    if training.dataset is None and found.needs_dataset:
        message = _("Choose a dataset first.")
        raise Invalid(message, code="dataset_missing", fields={"dataset_id": [message]})
    # Whoever copied a training may not see all that it was made of.
    _usable_weights(actor, job.project, found, training.start_from)
    if training.dataset is not None:
        _check_teaches(training.dataset, training.task)
        training.snapshot = _snapshot_of(actor, training, training.dataset)
    training.run = run_start(
        experiment=experiment_for(actor=actor, project=job.project),
        name=job.name,
        params=_run_params(training),
        tags={"modelyard.job_id": str(job.pk), "modelyard.trainer": training.trainer},
    )
    training.save(update_fields=["snapshot", "run"])
    job_submit(actor=actor, job=job)
    auditing.record(actor, actions.STARTED, training, params={"snapshot": str(training.snapshot_id or "")})
    return training


@operation("training.training_retry", permission="training.change_trainingjob", on="training")
def training_retry(*, actor: Actor, training: TrainingJob) -> TrainingJob:
    """The same work from the beginning, as a new job that names the old one."""
    # A share lets people change this one, not start others in its project.
    policy.require(actor, "training.add_trainingjob", training.job.project)
    old = training.job
    if not old.is_terminal:
        raise Conflict(_("The training has not ended yet."), code="not_ended")
    fresh = _copy(actor, training, name=old.name, retry_of=old)
    training_start(actor=actor, training=fresh)
    auditing.record(actor, actions.RETRIED, fresh, before={"job": str(old.pk)}, about=[training])
    return TrainingJob.objects.with_job().get(pk=fresh.pk)


@operation("training.checkpoint_download", permission="training.view_checkpoint", on="checkpoint")
def checkpoint_download(*, actor: Actor, checkpoint: Checkpoint) -> None:
    """Notes that the weights leave the portal."""
    training = TrainingJob.objects.filter(pk=checkpoint.job_id)
    auditing.record(
        actor,
        actions.CHECKPOINT_DOWNLOADED,
        checkpoint,
        project_id=checkpoint.job.project_id if checkpoint.job else None,
        params={"sha256": checkpoint.sha256, "size": checkpoint.size},
        about=list(training.select_related("job")),
    )


@operation("training.artifact_download", permission="training.view_trainingjob", on="training")
def artifact_download(*, actor: Actor, training: TrainingJob, name: str, sha256: str) -> None:
    """Notes that a file of the training leaves the portal; pictures that a page shows are no downloads."""
    auditing.record(actor, actions.ARTIFACT_DOWNLOADED, training, params={"file": name, "sha256": sha256})


@operation("training.training_clone", permission="training.view_trainingjob", on="training")
def training_clone(*, actor: Actor, training: TrainingJob) -> TrainingJob:
    """A draft with the same settings, to be changed before it starts."""
    policy.require(actor, "training.add_trainingjob", training.job.project)
    fresh = _copy(actor, training, name=_("Copy of %(name)s") % {"name": training.job.name}, retry_of=None)
    auditing.record(actor, actions.CLONED, fresh, before={"job": str(training.pk)}, about=[training])
    return fresh


def _new_job(
    actor: Actor,
    project: Project,
    name: str,
    trainer: Trainer,
    resource_group: ResourceGroup | None,
    request: dict[str, Any],
) -> Job:
    refuse_unknown(request, JOB_FIELDS)
    group = resource_group or ResourceGroup.objects.filter(is_default=True).first()
    if group is None:
        raise Conflict(_("There is no resource group yet."), code="no_resource_group", hint=_("Start a node first."))
    _check_group(project, group)
    descriptor = trainer.descriptor
    wanted = {"cpus": descriptor.cpus, "memory_mb": descriptor.memory_mb, "gpus": descriptor.gpus, **request}
    job = Job(
        kind="training",
        organization_id=project.organization_id,
        project=project,
        name=name.strip(),
        created_by=actor.user,
        resource_group=group,
        **wanted,
    )
    _clean(job)
    job.save()
    return job


def _clean(job: Job) -> None:
    """What people may set of a job. A start beyond LAST_START is a moment that some time zones do not have."""
    asked = {"name", "priority", "cpus", "memory_mb", "gpus"}
    job.clean_fields(exclude={field.name for field in Job._meta.fields} - asked)
    if job.not_before is not None and not FIRST_START < job.not_before < LAST_START:
        message = _("Choose a moment between the years 2000 and 2100.")
        raise Invalid(message, code="start_time", fields={"not_before": [message]})


def _copy(actor: Actor, training: TrainingJob, *, name: str, retry_of: Job | None) -> TrainingJob:
    old = training.job
    job = Job.objects.create(
        kind="training",
        organization_id=old.organization_id,
        project=old.project,
        name=name[:120],
        created_by=actor.user,
        resource_group=old.resource_group,
        priority=old.priority,
        cpus=old.cpus,
        memory_mb=old.memory_mb,
        gpus=old.gpus,
        retry_of=retry_of,
    )
    fresh = TrainingJob(
        job=job,
        trainer=training.trainer,
        task=training.task,
        model=training.model,
        config=training.config,
        seed=training.seed,
        dataset=training.dataset,
        dataset_version=training.dataset_version,
        start_from=training.start_from,
        split=training.split,
    )
    fresh.save(force_insert=True)
    return fresh


def _require_draft(job: Job) -> None:
    if job.state != JobState.DRAFT:
        raise Conflict(
            _("Only a draft can be changed or started."), code="not_a_draft", hint=_("Clone makes a draft of it.")
        )


def _checked_task(trainer: Trainer, task: str) -> str:
    tasks = trainer.descriptor.tasks
    if not task:
        return tasks[0]
    if task not in tasks:
        message = _("This trainer knows these tasks: %(tasks)s.") % {"tasks": ", ".join(tasks)}
        raise Invalid(message, code="task_unknown", fields={"task": [message]})
    return task


def _checked_model(trainer: Trainer, task: str, model: str) -> str:
    models = [choice.name for choice in trainer.descriptor.models if not choice.tasks or task in choice.tasks]
    if not models:
        return ""
    if not model:
        return models[0]
    if model not in models:
        message = _("This trainer has these models: %(models)s.") % {"models": ", ".join(models)}
        raise Invalid(message, code="model_unknown", fields={"model": [message]})
    return model


def _fit_dataset(actor: Actor, project: Project, dataset: Dataset | None, task: str) -> Dataset | None:
    """A dataset that the actor may train on, of the same organization, whose labels can teach the task."""
    if dataset is None:
        return None
    if dataset.organization_id != project.organization_id:
        raise NotFound()
    policy.require(actor, "datasets.use_dataset", dataset)
    _check_teaches(dataset, task)
    return dataset


def _fit_version(
    actor: Actor, dataset: Dataset | None, version: Snapshot | None, split: dict[str, Any]
) -> Snapshot | None:
    """A version of the dataset that can be trained on. It has its split, so it takes the place of the training's."""
    if version is None:
        return None
    if split:
        message = _("A version of the dataset has its own split.")
        hint = _("Take the latest version, or leave the split as the dataset has it.")
        raise Invalid(message, code="version_split", hint=hint, fields={"split": [message]})
    if dataset is None:
        message = _("Choose the dataset of this version too.")
        raise Invalid(message, code="dataset_missing", fields={"dataset_id": [message]})
    return version_for_training(actor=actor, dataset=dataset, version=version, field="dataset_version_id")


def _fit_data(
    actor: Actor, project: Project, training: TrainingJob, task: str, fields: dict[str, Any]
) -> dict[str, Any]:
    """What a change of dataset, version or split makes of the draft's data."""
    found: dict[str, Any] = {}
    version = training.dataset_version
    if "dataset" in fields:
        found["dataset"] = _fit_dataset(actor, project, fields["dataset"], task)
        # A version is of one dataset.
        version = version if found["dataset"] == training.dataset else None
    version, dataset = fields.get("dataset_version", version), found.get("dataset", training.dataset)
    return {**found, "dataset_version": _fit_version(actor, dataset, version, fields.get("split", training.split))}


def _snapshot_of(actor: Actor, training: TrainingJob, dataset: Dataset) -> Snapshot:
    """What the training learns from: the version that it names, or the dataset as it is now."""
    if training.dataset_version is None:
        return snapshot_for_training(actor=actor, dataset=dataset, split_override=training.split or None)
    version = _fit_version(actor, dataset, training.dataset_version, training.split)
    assert version is not None, "one is named"
    version_require_sound(version)
    return version


def _check_teaches(dataset: Dataset, task: str) -> None:
    """Refuses labels of another task. Boxes are around whatever has a shape, so most labels teach detection too."""
    if task in TASKS and task not in TEACHES[dataset.task]:
        message = _("The dataset's labels are for “%(task)s”, which this training cannot learn from.") % {
            "task": dataset.get_task_display()
        }
        raise Invalid(message, code="dataset_task", fields={"dataset_id": [message]})


def _usable_weights(
    actor: Actor, project: Project, trainer: Trainer, checkpoint: Checkpoint | None
) -> Checkpoint | None:
    """Weights that the actor may use, of the same organization and the same trainer."""
    if checkpoint is None:
        return None
    if checkpoint.organization_id != project.organization_id:
        raise NotFound()
    policy.require(actor, "training.use_checkpoint", checkpoint)
    if checkpoint.trainer != trainer.name:
        message = _("These weights were made by the trainer “%(trainer)s”.") % {"trainer": checkpoint.trainer}
        raise Invalid(message, code="weights_unfit", fields={"start_from_id": [message]})
    return checkpoint


def _check_group(project: Project, group: ResourceGroup) -> None:
    """Machines of another organization are out of reach, whoever belongs to both."""
    if group.organization_id not in (None, project.organization_id):
        raise NotFound()


def _change(job: Job, training: TrainingJob, fields: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Writes what differs and raises the version, which is that of the locked job; `{name: (before, after)}`."""
    changes = {name: (getattr(training, name), value) for name, value in fields.items()}
    changes = {name: pair for name, pair in changes.items() if pair[0] != pair[1]}
    for name, (_before, after) in changes.items():
        setattr(training, name, after)
    if changes:
        training.save(update_fields=[*changes])
        job.version += 1
        job.save(update_fields=["version", "updated_at"])
    return changes


def _run_params(training: TrainingJob) -> dict[str, str]:
    params = {"trainer": training.trainer, "task": training.task, "model": training.model, "seed": training.seed}
    if training.snapshot is not None:
        params["dataset"] = training.snapshot.dataset.name
        params["snapshot"] = training.snapshot.root_hash
    return {name: str(value) for name, value in {**training.config, **params}.items()}
