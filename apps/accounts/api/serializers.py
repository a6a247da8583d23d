from typing import Any

from rest_framework import serializers

from apps.accounts.selectors import Kind


class SessionSerializer(serializers.Serializer[Any]):
    """One sign-in: a browser's session, or the tokens of a program."""

    id = serializers.CharField(read_only=True)
    kind = serializers.ChoiceField(choices=Kind.choices, read_only=True)
    client = serializers.CharField(read_only=True, help_text="Browser and system, or the program's name.")
    user_agent = serializers.CharField(read_only=True)
    ip = serializers.CharField(read_only=True, allow_null=True)
    created_at = serializers.DateTimeField(read_only=True)
    last_seen_at = serializers.DateTimeField(
        read_only=True, help_text="To the minute; of a program, when its tokens were last refreshed."
    )
    is_current = serializers.BooleanField(read_only=True, help_text="Whether this request came by it.")
    organization_id = serializers.UUIDField(read_only=True, allow_null=True, help_text="Of a program's tokens.")


class RevokedSerializer(serializers.Serializer[Any]):
    revoked = serializers.IntegerField(help_text="How many sign-ins ended.")
