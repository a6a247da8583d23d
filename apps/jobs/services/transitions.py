"""The one function that changes a job's state, and the portal's own events."""

import json
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation

from apps.core.realtime import group_name, publish
from apps.jobs.models import Job, JobEvent
from apps.jobs.selectors import event_as_dict, summary
from apps.jobs.states import TERMINAL, TRANSITIONS, JobState

PORTAL = "portal"


class IllegalTransition(RuntimeError):
    """A caller tried a step that the table does not have: a bug, never a person's mistake."""


def set_state(job: Job, state: JobState, *, reason: str = "", params: dict[str, Any] | None = None) -> None:
    """Moves the locked job to a state, with the reason for it, as an event; sockets hear of it on commit."""
    before = job.state
    if state not in TRANSITIONS[before]:
        raise IllegalTransition(f"{job.pk}: {before} → {state}")
    now = timezone.now()
    job.state = state
    job.reason_code, job.reason_params = reason, params or {}
    if state == JobState.QUEUED:
        job.queued_at, job.finished_at = now, None
        job.stop_reason, job.stop_requested_at = "", None
    if state == JobState.STARTING and job.started_at is None:
        job.started_at = now
    if state in TERMINAL:
        job.finished_at = now
    job.version += 1
    add_event(job, "state", {"from": before, "to": state, "reason": reason, "params": params or {}})
    job.save(
        update_fields=[
            "state",
            "reason_code",
            "reason_params",
            "queued_at",
            "started_at",
            "finished_at",
            "stop_reason",
            "stop_requested_at",
            "version",
            "event_seq",
            "updated_at",
        ]
    )


def set_waiting(job: Job, reason: str, params: dict[str, Any]) -> None:
    """Says why a queued job still waits; nothing is written when the reason is the same."""
    if (job.reason_code, job.reason_params) != (reason, params):
        job.reason_code, job.reason_params = reason, params
        job.save(update_fields=["reason_code", "reason_params", "updated_at"])
        hint(job, [])


def add_event(job: Job, type_: str, data: dict[str, Any]) -> JobEvent:
    """Stores one of the portal's own events of the locked job; the caller saves `event_seq`."""
    job.event_seq += 1
    event = JobEvent.objects.create(
        job=job,
        seq=job.event_seq,
        attempt_no=job.attempt_no,
        stream=PORTAL,
        # Portal events need no number of their own: the job's cursor never repeats.
        stream_seq=job.event_seq,
        type=type_,
        data=data,
        time=timezone.now(),
    )
    hint(job, [event])
    return event


MAX_HINT_EVENTS = 200
MAX_HINT_CHARACTERS = 32 * 1024


def hint(job: Job, events: list[JobEvent]) -> None:
    """Tells the job's sockets, on commit, that events up to `event_seq` are there."""
    message = {
        "type": "job.hint",
        "from": events[0].seq if events else job.event_seq + 1,
        "to": events[-1].seq if events else job.event_seq,
        "events": _shown(events),
    }

    def send() -> None:
        worded = {}
        for code, _name in settings.LANGUAGES:
            with translation.override(code):
                worded[code] = summary(job)
        publish(group_name("job", job.pk), {**message, "job": worded})

    transaction.on_commit(send)


def _shown(events: list[JobEvent]) -> list[dict[str, Any]] | None:
    """The events as sockets send them; None when they are too many for a hint."""
    if len(events) > MAX_HINT_EVENTS:
        return None
    shown, size = [], 0
    for event in events:
        shown.append(event_as_dict(event))
        size += len(json.dumps(shown[-1]))
        if size > MAX_HINT_CHARACTERS:
            return None
    return shown
