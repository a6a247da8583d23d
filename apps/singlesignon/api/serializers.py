from typing import Any

from rest_framework import serializers

from apps.singlesignon.models import GRANTED_ROLES, SHORT_NAME, Admission, Connection


class ConnectionSerializer(serializers.ModelSerializer[Connection]):
    """Single sign-on of an organization. The client's secret is not in it."""

    domains: Any = serializers.SlugRelatedField(slug_field="name", many=True, read_only=True)
    return_address = serializers.SerializerMethodField(
        help_text="To be entered at the provider: where it sends people back to."
    )

    class Meta:
        model = Connection
        fields = [
            "id",
            "organization_id",
            "short_name",
            "issuer",
            "client_id",
            "domains",
            "role",
            "admission",
            "is_enabled",
            "return_address",
            "created_at",
            "version",
        ]
        read_only_fields = fields

    def get_return_address(self, connection: Connection) -> str:
        found: str = self.context["return_address"](connection)
        return found


class ConnectionWriteSerializer(serializers.Serializer[Any]):
    """What is taken; a change may leave out what stays."""

    short_name = serializers.CharField(max_length=40, validators=[SHORT_NAME])
    issuer = serializers.CharField(
        max_length=500, help_text="Address of the provider; that of its discovery document will do too."
    )
    client_id = serializers.CharField(max_length=255)
    client_secret = serializers.CharField(
        max_length=2000, write_only=True, trim_whitespace=False, help_text="Kept encrypted, and shown to nobody again."
    )
    domains = serializers.ListField(
        child=serializers.CharField(max_length=253),
        max_length=50,
        required=False,
        help_text="Of the e-mail addresses for which the provider answers.",
    )
    role = serializers.ChoiceField(choices=GRANTED_ROLES, required=False)
    admission = serializers.ChoiceField(choices=Admission.choices, required=False)
    is_enabled = serializers.BooleanField(required=False)


class ConnectionCheckSerializer(serializers.Serializer[Any]):
    works = serializers.BooleanField()
    code = serializers.CharField(help_text="Why it does not work; empty when it does.")
    detail = serializers.CharField()
    hint = serializers.CharField()
