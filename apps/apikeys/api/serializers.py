"""What goes over the wire for API keys, endpoints and one's own permissions."""

from typing import Any

from rest_framework import serializers

from apps.apikeys.models import ApiKey, ApiKeySecret, KeyState
from apps.core.api.serializers import VisibleField
from apps.core.identity import Role
from apps.organizations.models import Organization
from apps.projects.models import Project, ProjectRole


class ApiKeySecretSerializer(serializers.ModelSerializer[ApiKeySecret]):
    class Meta:
        model = ApiKeySecret
        fields = ["shown", "created_at", "expires_at"]
        read_only_fields = fields
        extra_kwargs = {
            "shown": {"help_text": "How the secret begins; the rest is stored nowhere."},
            "expires_at": {"help_text": "Set once it was replaced: the end of the overlap."},
        }


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    owner_name = serializers.CharField(source="owner.name", read_only=True)
    project_ids = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=KeyState.choices, read_only=True)
    secrets = ApiKeySecretSerializer(many=True, read_only=True)

    class Meta:
        model = ApiKey
        fields = [
            "id",
            "organization_id",
            "owner_id",
            "owner_name",
            "name",
            "scopes",
            "project_ids",
            "calls_per_minute",
            "expires_at",
            "revoked_at",
            "last_used_at",
            "state",
            "secrets",
            "created_at",
            "version",
        ]
        read_only_fields = [
            "id",
            "organization_id",
            "owner_id",
            "scopes",
            "revoked_at",
            "last_used_at",
            "created_at",
            "version",
        ]
        # Names are the service's business: it knows whose they are.
        validators: list[Any] = []

    def get_project_ids(self, key: ApiKey) -> list[str] | None:
        """The projects that the key is limited to; null: all that its owner reaches."""
        return [str(project.pk) for project in key.projects.all()] if key.limited_to_projects else None


class ApiKeyCreateSerializer(serializers.Serializer[Any]):
    organization_id = VisibleField(
        source="organization",
        queryset=Organization.objects.none(),
        required=False,
        help_text="The chosen organization by default.",
    )
    name = serializers.CharField(max_length=120)
    scopes = serializers.ListField(
        child=serializers.CharField(max_length=100),
        max_length=500,
        help_text="Permissions; `GET /api-keys/scopes` lists those that you may give.",
    )
    project_ids = VisibleField(
        source="projects",
        queryset=Project.objects.none(),
        many=True,
        required=False,
        allow_null=True,
        help_text="The projects that the key is limited to; all that you reach by default.",
    )
    expires_at = serializers.DateTimeField(help_text="Within a year.")
    calls_per_minute = serializers.IntegerField(min_value=1, max_value=1_000_000, required=False, allow_null=True)


class NewApiKeySerializer(ApiKeySerializer):
    """A key with its new secret."""

    secret = serializers.CharField(help_text="Shown this once. Keep it where secrets are kept.")

    class Meta(ApiKeySerializer.Meta):
        fields = [*ApiKeySerializer.Meta.fields, "secret"]


class RotationSerializer(serializers.Serializer[Any]):
    overlap_hours = serializers.IntegerField(
        min_value=0, max_value=168, default=24, help_text="How long the secret before stays valid."
    )


class ScopeSerializer(serializers.Serializer[Any]):
    permission = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class TrafficSerializer(serializers.Serializer[Any]):
    calls = serializers.IntegerField()
    client_errors = serializers.IntegerField(help_text="Answers 4xx.")
    server_errors = serializers.IntegerField(help_text="Answers 5xx.")
    p50_ms = serializers.FloatField(source="p50", allow_null=True)
    p95_ms = serializers.FloatField(source="p95", allow_null=True)


class EndpointTrafficSerializer(TrafficSerializer):
    endpoint = serializers.CharField()


class DaySerializer(serializers.Serializer[Any]):
    day = serializers.DateField()
    calls = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]


class KeyUsageSerializer(serializers.Serializer[Any]):
    days = DaySerializer(many=True)
    total = TrafficSerializer()
    endpoints = EndpointTrafficSerializer(many=True)


class EndpointSerializer(TrafficSerializer):
    """An endpoint of this API, and how often it was called."""

    method = serializers.CharField()
    path = serializers.CharField()
    operation_id = serializers.CharField()
    summary = serializers.CharField()


class OrganizationPermissionsSerializer(serializers.Serializer[Any]):
    organization_id = serializers.UUIDField()
    name = serializers.CharField()
    role = serializers.ChoiceField(choices=Role.choices, allow_null=True)
    permissions = serializers.ListField(
        child=serializers.CharField(), help_text="Held on the organization itself, such as creating projects in it."
    )


class ProjectPermissionsSerializer(serializers.Serializer[Any]):
    project_id = serializers.UUIDField()
    organization_id = serializers.UUIDField()
    name = serializers.CharField()
    role = serializers.ChoiceField(
        choices=ProjectRole.choices, allow_null=True, help_text="Null: by the role in the organization."
    )
    permissions = serializers.ListField(
        child=serializers.CharField(), help_text="Held on the project itself, such as creating datasets in it."
    )


class MyPermissionsSerializer(serializers.Serializer[Any]):
    via = serializers.CharField(help_text="`key`, `token` or `session`.")
    api_key_id = serializers.UUIDField(allow_null=True)
    scopes = serializers.ListField(
        child=serializers.CharField(), allow_null=True, help_text="What the API key was given; null without one."
    )
    organizations = OrganizationPermissionsSerializer(many=True)
    projects = ProjectPermissionsSerializer(many=True)
    truncated = serializers.BooleanField(help_text="There are more projects; ask with `project_id`.")
