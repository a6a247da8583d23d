from typing import Any

from rest_framework import serializers


class AuditLogSerializer(serializers.Serializer[Any]):
    """An event as `audit.selectors.readable` returns it."""

    id = serializers.UUIDField(source="event.id")
    time = serializers.DateTimeField(source="event.time")
    action = serializers.CharField(source="event.action")
    label = serializers.CharField(source="event.label")  # type: ignore[assignment]
    sentence = serializers.CharField()
    actor_id = serializers.UUIDField(source="event.actor_id", allow_null=True)
    actor_kind = serializers.ChoiceField(choices=["person", "system", "anonymous"], source="event.actor_kind")
    actor_name = serializers.CharField()
    actor_email = serializers.CharField()
    actor_role = serializers.CharField(source="event.actor_role")
    ip = serializers.CharField()
    via = serializers.CharField(source="event.via")
    request_id = serializers.CharField(source="event.request_id")
    organization_id = serializers.UUIDField(source="event.organization_id", allow_null=True)
    project_id = serializers.UUIDField(source="event.project_id", allow_null=True)
    entity_type = serializers.CharField(source="event.entity_type")
    entity_id = serializers.CharField(source="event.entity_id")
    entity_name = serializers.CharField()
    before = serializers.DictField()
    after = serializers.DictField()
