"""Trainings that beat starts again and again."""

import json
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from apps.core import auditing, policy
from apps.core.errors import Conflict, DomainError
from apps.core.identity import Actor
from apps.core.operations import ingest, operation
from apps.jobs.models import Job
from apps.training import actions
from apps.training.cron import parsed
from apps.training.models import TrainingJob, TrainingSchedule
from apps.training.services import training_clone, training_start

TASK = "training.run_scheduled"


@operation("training.training_schedule", permission="training.change_trainingjob", on="training")
def training_schedule(*, actor: Actor, training: TrainingJob, cron: str, time_zone: str) -> TrainingSchedule:
    """Has a copy of the training start at these times, as the actor; another schedule of it is replaced.

    Raises `Invalid` for times that cannot be read or never come.
    """
    policy.require(actor, "training.add_trainingjob", training.job.project)
    fields, _schedule = parsed(cron, time_zone)
    cron = " ".join(cron.split())
    Job.objects.select_for_update().get(pk=training.pk)
    before = TrainingSchedule.objects.select_related("beat").filter(pk=training.pk).first()
    # Schedules of beat have no unique key; those of equal times share one.
    times = CrontabSchedule.objects.filter(**fields, timezone=time_zone).first()
    times = times or CrontabSchedule.objects.create(**fields, timezone=time_zone)
    beat = (
        before.beat
        if before
        else PeriodicTask(name=_name(training.pk), task=TASK, args=json.dumps([str(training.pk)]))
    )
    beat.crontab = times
    beat.save()
    made, _new = TrainingSchedule.objects.update_or_create(
        pk=training.pk,
        defaults={"beat": beat, "cron": cron, "time_zone": time_zone, "person": actor.user, "refusal": {}},
    )
    auditing.record(
        actor,
        actions.SCHEDULED,
        training,
        before={"cron": before.cron, "time_zone": before.time_zone} if before else None,
        params={"cron": cron, "time_zone": time_zone},
    )
    return made


@operation("training.training_unschedule", permission="training.change_trainingjob", on="training")
def training_unschedule(*, actor: Actor, training: TrainingJob) -> None:
    """Starts no more copies; those that were started stay. Raises `Conflict` when there is no schedule."""
    Job.objects.select_for_update().get(pk=training.pk)
    schedule = TrainingSchedule.objects.select_related("beat").filter(pk=training.pk).first()
    if schedule is None:
        raise Conflict(_("The training has no schedule."), code="no_schedule")
    auditing.record(
        actor, actions.UNSCHEDULED, training, before={"cron": schedule.cron, "time_zone": schedule.time_zone}
    )
    schedule.beat.delete()


def run_scheduled(training_id: UUID) -> None:
    """Called by beat: starts a copy as whoever made the schedule, one at a time. A refusal is kept with the schedule."""
    with transaction.atomic():
        # A message that is delivered twice waits for the first, and finds its training.
        rows = TrainingSchedule.objects.select_for_update(of=("self",))
        schedule = rows.select_related("training__job__project", "last_training__job").filter(pk=training_id).first()
        if schedule is None:
            PeriodicTask.objects.filter(name=_name(training_id)).delete()
            return
        started, refused = _started(schedule)
        _note(schedule=schedule, started=started, refused=refused)


def _started(schedule: TrainingSchedule) -> tuple[TrainingJob | None, dict[str, str]]:
    training, person = schedule.training, schedule.person
    with override(person.language if person else None):
        if schedule.last_training is not None and not schedule.last_training.job.is_terminal:
            return None, {"code": "not_ended", "text": _("The one before has not ended yet."), "hint": ""}
        if person is None or not person.is_active:
            return None, {
                "code": "nobody",
                "text": _("The person who made the schedule is no longer active."),
                "hint": "",
            }
        # Roles are read afresh: who may not start it any more does not.
        actor = Actor.of(person, organization_id=training.organization_id)
        try:
            with transaction.atomic():
                return training_start(actor=actor, training=training_clone(actor=actor, training=training)), {}
        except DomainError as error:
            return None, {"code": error.code, "text": str(error), "hint": str(error.hint or "")}


@ingest("training.schedule_note")
def _note(*, schedule: TrainingSchedule, started: TrainingJob | None, refused: dict[str, str]) -> None:
    schedule.last_at, schedule.refusal = timezone.now(), refused
    if started is not None:
        schedule.last_training = started
    schedule.save(update_fields=["last_at", "refusal", "last_training"])


def _name(training_id: UUID) -> str:
    return f"training {training_id}"
