"""What goes over the wire for exports, deletions and people who leave."""

from typing import Any

from rest_framework import serializers

from apps.departures.models import (
    REASON_CHARACTERS,
    DeletionState,
    ExportState,
    OrganizationDeletion,
    OrganizationExport,
)


class ExportSerializer(serializers.ModelSerializer[OrganizationExport]):
    """An export; `part`, `parts_done` of `part_count` and `row_count` tell how far it is."""

    state = serializers.ChoiceField(choices=ExportState.choices, read_only=True)
    requested_by_name = serializers.CharField(source="requested_by.name", default="", read_only=True)
    failure_text = serializers.CharField(read_only=True, help_text="Why it failed, in the language of the request.")

    class Meta:
        model = OrganizationExport
        fields = [
            "id",
            "state",
            "requested_by_id",
            "requested_by_name",
            "part",
            "parts_done",
            "part_count",
            "row_count",
            "byte_count",
            "sha256",
            "failure",
            "failure_text",
            "created_at",
            "finished_at",
            "expires_at",
        ]
        read_only_fields = fields


class DeletionSerializer(serializers.ModelSerializer[OrganizationDeletion]):
    """A deletion whose grace runs, or one that was just decided or cancelled."""

    state = serializers.ChoiceField(choices=DeletionState.choices, read_only=True)
    requested_by_name = serializers.CharField(source="requested_by.name", default="", read_only=True)

    class Meta:
        model = OrganizationDeletion
        fields = [
            "id",
            "organization_id",
            "state",
            "reason",
            "requested_by_id",
            "requested_by_name",
            "created_at",
            "due_at",
            "ended_at",
        ]
        read_only_fields = fields


class ScheduleSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=300, help_text="The organization's name, as it is shown: it confirms.")
    reason = serializers.CharField(max_length=REASON_CHARACTERS)


class AccountDeletionSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=254, help_text="The address of the account: it confirms.")
    password = serializers.CharField(max_length=200, write_only=True, trim_whitespace=False)
    heirs = serializers.DictField(
        child=serializers.UUIDField(),
        required=False,
        default=dict,
        help_text="Organization id → person who takes over what nobody else answers for.",
    )


class PurgeSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, help_text="Its name, repeated: what is deleted for good.")
