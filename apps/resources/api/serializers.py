from typing import Any

from rest_framework import serializers

from apps.core.api.serializers import VisibleField
from apps.organizations.models import Organization
from apps.resources.models import Node, NodeState, ResourceGroup


class ResourceGroupSerializer(serializers.ModelSerializer[ResourceGroup]):
    organization_id = VisibleField(
        source="organization",
        queryset=Organization.objects.none(),
        required=False,
        allow_null=True,
        help_text="Null: every organization of this installation may use the group.",
    )
    node_count = serializers.IntegerField(read_only=True)

    class Meta:
        model = ResourceGroup
        fields = [
            "id",
            "organization_id",
            "name",
            "description",
            "max_jobs_at_once",
            "executor",
            "is_default",
            "node_count",
            "version",
        ]
        read_only_fields = ["id", "executor", "is_default", "version"]
        validators: list[Any] = []

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()
        if self.instance is not None:
            fields["organization_id"].read_only = True
        return fields


class NodeUsageSerializer(serializers.Serializer[Any]):
    cpu_percent = serializers.FloatField(required=False)
    memory_used_mb = serializers.IntegerField(required=False)
    disk_used_percent = serializers.FloatField(required=False)
    gpus = serializers.ListField(child=serializers.DictField(), required=False)
    time = serializers.FloatField(required=False, help_text="Unix time of the sample.")


class NodeSerializer(serializers.ModelSerializer[Node]):
    group_id = serializers.UUIDField(read_only=True)
    state = serializers.ChoiceField(choices=NodeState.choices, read_only=True)
    gpus = serializers.ListField(child=serializers.DictField(), read_only=True)
    usage = NodeUsageSerializer(read_only=True)

    class Meta:
        model = Node
        fields = ["id", "name", "group_id", "state", "cpus", "memory_mb", "gpus", "last_seen_at", "usage"]
        read_only_fields = fields
