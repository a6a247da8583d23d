from typing import Any

from rest_framework import serializers

from apps.accounts.models import User
from apps.core.api.serializers import PurgeDueField, VisibleField
from apps.organizations.models import Organization
from apps.projects.models import Project, ProjectMembership, ProjectRole


class ProjectSerializer(serializers.ModelSerializer[Project]):
    organization_id = VisibleField(
        source="organization",
        queryset=Organization.objects.none(),
        required=False,
        help_text="The chosen organization by default; fixed once created.",
    )
    member_count = serializers.IntegerField(read_only=True)

    class Meta:
        model = Project
        fields = [
            "id",
            "organization_id",
            "name",
            "description",
            "member_count",
            "archived_at",
            "created_at",
            "updated_at",
            "version",
        ]
        read_only_fields = ["id", "archived_at", "created_at", "updated_at", "version"]
        # Uniqueness is the service's business: it knows the organization.
        validators: list[Any] = []

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()
        if self.instance is not None:
            fields["organization_id"].read_only = True
        return fields


class TrashedProjectSerializer(serializers.ModelSerializer[Project]):
    """A project in the trash."""

    purge_due_at = PurgeDueField()

    class Meta:
        model = Project
        fields = ["id", "organization_id", "name", "deleted_at", "purge_due_at"]
        read_only_fields = fields


class ProjectTransferSerializer(serializers.Serializer[Any]):
    user_id = VisibleField(source="user", queryset=User.objects.none())


class ProjectMembershipSerializer(serializers.ModelSerializer[ProjectMembership]):
    user_id = VisibleField(source="user", queryset=User.objects.none())
    user_name = serializers.CharField(source="user.name", read_only=True)
    role = serializers.ChoiceField(choices=ProjectRole.choices)

    class Meta:
        model = ProjectMembership
        fields = ["id", "user_id", "user_name", "role", "created_at"]
        read_only_fields = ["id", "created_at"]
        validators: list[Any] = []

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()
        if self.instance is not None:
            fields["user_id"].read_only = True
        return fields
