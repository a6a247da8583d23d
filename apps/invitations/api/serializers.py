"""What goes over the wire for invitations."""

from typing import Any

from rest_framework import serializers

from apps.invitations.models import MESSAGE, MESSAGE_CHARACTERS, InvitationState
from apps.invitations.services.sending import MAX_DAYS
from apps.organizations.api.serializers import TokenPairSerializer

TARGET = "What people are invited to: organization, project or dataset."
ROLE = (
    "Organization: admin, manager, engineer_ii, engineer_i, guest. Project: owner, editor, viewer. "
    "Dataset: manage, edit, use, view."
)
OUTCOMES = [("joined", "Joined at once"), ("invited", "Invited")]


class InvitationSerializer(serializers.Serializer[Any]):
    """An invitation (`selectors.Described`) as those who may invite to its target see it."""

    id = serializers.UUIDField(source="invitation.pk")
    organization_id = serializers.UUIDField(source="invitation.organization_id")
    target_type = serializers.CharField(source="invitation.target_type", help_text=TARGET)
    target_id = serializers.UUIDField(source="invitation.target_id")
    target_name = serializers.CharField(allow_blank=True)
    email = serializers.CharField(source="invitation.email")
    role = serializers.CharField(source="invitation.role", help_text=ROLE)
    message = serializers.CharField(source="invitation.message", allow_blank=True)
    state = serializers.ChoiceField(source="invitation.shown_state", choices=InvitationState.choices)
    invited_by = serializers.CharField(
        source="invitation.invited_by.name", default=None, allow_null=True, help_text="Name of the person."
    )
    created_at = serializers.DateTimeField(source="invitation.created_at")
    expires_at = serializers.DateTimeField(source="invitation.expires_at")
    sent_at = serializers.DateTimeField(
        source="invitation.sent_at", allow_null=True, help_text="When the last mail left; null while it waits."
    )
    answered_at = serializers.DateTimeField(source="invitation.answered_at", allow_null=True)


class InvitingSerializer(serializers.Serializer[Any]):
    target_type = serializers.CharField(max_length=20, help_text=TARGET)
    target_id = serializers.UUIDField()
    role = serializers.CharField(max_length=20, help_text=ROLE)
    message = serializers.CharField(
        max_length=MESSAGE_CHARACTERS, required=False, allow_blank=True, default="", validators=[MESSAGE]
    )
    expires_in_days = serializers.IntegerField(min_value=1, max_value=MAX_DAYS, required=False)


class InvitationCreateSerializer(InvitingSerializer):
    email = serializers.EmailField(max_length=254)


class InvitationBulkSerializer(InvitingSerializer):
    role = serializers.CharField(max_length=20, help_text=f"For lines that name none. {ROLE}")
    csv = serializers.CharField(
        max_length=300_000,
        trim_whitespace=False,
        help_text="Columns `email` and, optionally, `role`; at most 500 lines and 256 KiB.",
    )


class InvitationOutcomeSerializer(serializers.Serializer[Any]):
    email = serializers.CharField()
    outcome = serializers.ChoiceField(
        choices=OUTCOMES, help_text="Members of the organization join at once; every other address is invited."
    )
    invitation = InvitationSerializer(allow_null=True)


class InvitationLineSerializer(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    email = serializers.CharField(allow_blank=True)
    outcome = serializers.ChoiceField(choices=[*OUTCOMES, ("refused", "Refused")])
    code = serializers.CharField(allow_blank=True)
    detail = serializers.CharField(allow_blank=True)
    hint = serializers.CharField(allow_blank=True)


class InvitationLinesSerializer(serializers.Serializer[Any]):
    results = InvitationLineSerializer(many=True)


class InvitationInfoSerializer(serializers.Serializer[Any]):
    """What the holder of the link is told. Once the invitation has ended, its state alone."""

    state = serializers.ChoiceField(choices=InvitationState.choices)
    email = serializers.CharField(allow_null=True)
    organization_name = serializers.CharField(allow_null=True)
    target_type = serializers.CharField(allow_null=True)
    target_name = serializers.CharField(allow_null=True)
    role = serializers.CharField(allow_null=True)
    invited_by = serializers.CharField(allow_null=True)
    message = serializers.CharField(allow_null=True, allow_blank=True)
    expires_at = serializers.DateTimeField(allow_null=True)


class InvitationAcceptSerializer(serializers.Serializer[Any]):
    """Signed in: nothing. Not signed in: the password of the account that is made for the invited address."""

    password = serializers.CharField(max_length=200, write_only=True, trim_whitespace=False, required=False)
    name = serializers.CharField(max_length=80, required=False, allow_blank=True, default="")


class InvitationAnsweredSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=InvitationState.choices)
    organization_id = serializers.UUIDField()
    target_type = serializers.CharField()
    target_id = serializers.UUIDField()
    tokens = TokenPairSerializer(allow_null=True, help_text="For the organization that was joined.")
