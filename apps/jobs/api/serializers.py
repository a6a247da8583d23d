"""What every kind of job shows over REST: how it stands, its events, the grace of a stop."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from rest_framework import serializers

from apps.core.identity import Actor
from apps.jobs.models import Job
from apps.jobs.states import JobState


class ReasonSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    text = serializers.CharField()
    hint = serializers.CharField(allow_blank=True)


class EtaSerializer(serializers.Serializer[Any]):
    low_seconds = serializers.IntegerField()
    high_seconds = serializers.IntegerField()


class CapabilitiesSerializer(serializers.Serializer[Any]):
    start = serializers.BooleanField()
    change = serializers.BooleanField()
    delete = serializers.BooleanField()
    stop = serializers.BooleanField()
    resume = serializers.BooleanField()
    retry = serializers.BooleanField()
    clone = serializers.BooleanField()


class JobSummarySerializer(serializers.Serializer[Any]):
    """What `jobs.selectors.summary` returns."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.CharField()
    state = serializers.ChoiceField(choices=JobState.choices)
    state_label = serializers.CharField()
    state_color = serializers.CharField()
    reason = ReasonSerializer(allow_null=True)
    waiting_for = serializers.CharField(allow_null=True, allow_blank=True)
    stage = serializers.CharField(allow_blank=True)
    progress = serializers.FloatField(allow_null=True)
    progress_text = serializers.CharField(allow_blank=True)
    eta = EtaSerializer(allow_null=True)
    attempt_no = serializers.IntegerField()
    event_seq = serializers.IntegerField()
    queued_at = serializers.DateTimeField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    capabilities = CapabilitiesSerializer()


class StopSerializer(serializers.Serializer[Any]):
    grace_seconds = serializers.IntegerField(min_value=1, max_value=3600, default=120)


class EventSerializer(serializers.Serializer[Any]):
    seq = serializers.IntegerField()
    attempt_no = serializers.IntegerField()
    stream = serializers.CharField()
    type = serializers.CharField()
    time = serializers.FloatField(help_text="Unix time.")
    data = serializers.DictField()  # type: ignore[assignment]


class EventsSerializer(serializers.Serializer[Any]):
    events = EventSerializer(many=True)
    event_seq = serializers.IntegerField()
    more = serializers.BooleanField()


def changeable(actor: Actor, jobs: Iterable[UUID]) -> set[UUID]:
    """Ids of the jobs that the actor may change: one query for a page, another where the project does not say it."""
    return Job.objects.held(actor, "jobs.change_job", jobs)
