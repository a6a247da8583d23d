from typing import Any

from rest_framework import serializers

from apps.audit.models import AuditCheck, AuditHead
from apps.audit.verification import statement_of


class MentionSerializer(serializers.Serializer[Any]):
    type = serializers.CharField()
    id = serializers.CharField()
    name = serializers.CharField()


class AuditLogSerializer(serializers.Serializer[Any]):
    """An event as `audit.selectors.readable` returns it."""

    id = serializers.UUIDField(source="event.id")
    part_of = serializers.UUIDField(source="event.parent_id", allow_null=True)
    time = serializers.DateTimeField(source="event.time")
    action = serializers.CharField(source="event.action")
    label = serializers.CharField(source="event.label")  # type: ignore[assignment]
    sentence = serializers.CharField()
    actor_id = serializers.UUIDField(source="event.actor_id", allow_null=True)
    actor_kind = serializers.ChoiceField(choices=["person", "system", "anonymous"], source="event.actor_kind")
    actor_name = serializers.CharField()
    actor_email = serializers.CharField(help_text="Empty for readers who neither manage the organization nor are it.")
    actor_role = serializers.CharField(source="event.actor_role")
    ip = serializers.CharField(help_text="As `actor_email`.")
    client = serializers.CharField(help_text="As `actor_email`.")
    via = serializers.CharField(source="event.via")
    request_id = serializers.CharField(source="event.request_id")
    organization_id = serializers.UUIDField(source="event.organization_id", allow_null=True)
    project_id = serializers.UUIDField(source="event.project_id", allow_null=True)
    entity_type = serializers.CharField(source="event.entity_type")
    entity_id = serializers.CharField(source="event.entity_id")
    entity_name = serializers.CharField()
    before = serializers.DictField()
    after = serializers.DictField()
    facts = serializers.DictField(source="params")
    about = MentionSerializer(
        many=True,
        help_text="Further objects; a bulk action names every one here, to readers who neither manage the organization "
        "nor are the actor the one whose history they read.",
    )
    about_more = serializers.IntegerField(help_text="How many further objects are not named to the reader.")


class HeadSerializer(serializers.ModelSerializer[AuditHead]):
    """A signed head; `statement` is the form that was signed, to be kept elsewhere."""

    statement = serializers.SerializerMethodField()

    class Meta:
        model = AuditHead
        fields = ["id", "chain", "seq", "hash", "time", "public_key", "signature", "statement"]

    def get_statement(self, head: AuditHead) -> dict[str, Any]:
        return statement_of(head)


class CheckSerializer(serializers.ModelSerializer[AuditCheck]):
    class Meta:
        model = AuditCheck
        fields = [
            "id",
            "chain",
            "requested_at",
            "started_at",
            "finished_at",
            "events",
            "unsealed",
            "heads",
            "is_intact",
            "is_complete",
            "findings",
        ]
        read_only_fields = fields
