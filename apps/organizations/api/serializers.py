"""What goes over the wire for accounts, tokens and organizations."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from apps.accounts.models import Theme, User
from apps.core.entities import PLAIN
from apps.core.identity import Role
from apps.organizations.models import JOIN_ROLES, JoinPolicy, Membership, MembershipState, Organization
from apps.organizations.services import quotas


class SignUpSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=200, write_only=True, trim_whitespace=False)
    company = serializers.CharField(max_length=120, validators=[PLAIN])
    division = serializers.CharField(max_length=120, required=False, allow_blank=True, validators=[PLAIN])


class OrganizationAskSerializer(serializers.Serializer[Any]):
    company = serializers.CharField(max_length=120, validators=[PLAIN])
    division = serializers.CharField(max_length=120, required=False, allow_blank=True, validators=[PLAIN])


class AddressSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=254)


class PasswordResetSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(max_length=300, help_text="The end of the mailed link, such as `1a2b-c3d4…`.")
    password = serializers.CharField(max_length=200, write_only=True, trim_whitespace=False)


class PasswordChangeSerializer(serializers.Serializer[Any]):
    old_password = serializers.CharField(max_length=200, write_only=True, trim_whitespace=False)
    password = serializers.CharField(max_length=200, write_only=True, trim_whitespace=False)


class VerificationSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(max_length=300, help_text="The end of the mailed link.")
    password = serializers.CharField(
        max_length=200,
        required=False,
        write_only=True,
        trim_whitespace=False,
        help_text="As given at sign-up; or `new_password`.",
    )
    new_password = serializers.CharField(
        max_length=200,
        required=False,
        write_only=True,
        trim_whitespace=False,
        help_text="Who did not sign up themselves chooses their own: the one given at sign-up opens nothing any more.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("password" in attrs) == ("new_password" in attrs):
            raise serializers.ValidationError({"password": _("Give the password, or a new one.")})
        return attrs


class TokenRequestSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=200, write_only=True, trim_whitespace=False)
    organization_id = serializers.UUIDField(
        required=False, allow_null=True, help_text="The organization that the token is for; the first by default."
    )


class TokenCodeSerializer(serializers.Serializer[Any]):
    challenge = serializers.CharField(max_length=1000, help_text="As `mfa_required` gave it in `params`.")
    code = serializers.CharField(
        max_length=20, write_only=True, help_text="Of the authenticator app, or a recovery code."
    )


class RefreshSerializer(serializers.Serializer[Any]):
    refresh = serializers.CharField(max_length=200)


class TokenPairSerializer(serializers.Serializer[Any]):
    access = serializers.CharField()
    refresh = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds until the access token ends.")
    organization_id = serializers.UUIDField(allow_null=True)
    role = serializers.ChoiceField(choices=Role.choices, allow_null=True)


class TicketSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds until the ticket ends; it can be used once.")


class MembershipSerializer(serializers.ModelSerializer[Membership]):
    organization_name = serializers.CharField(source="organization.__str__", read_only=True)

    class Meta:
        model = Membership
        fields = ["organization_id", "organization_name", "role", "state"]


class MemberSerializer(serializers.ModelSerializer[Membership]):
    """A membership as the organization sees it."""

    user_id = serializers.UUIDField(read_only=True)
    user_name = serializers.CharField(source="user.name", read_only=True)
    user_email = serializers.EmailField(source="user.email", read_only=True)
    role = serializers.ChoiceField(choices=Role.choices)
    state = serializers.ChoiceField(choices=MembershipState.choices, read_only=True)

    class Meta:
        model = Membership
        fields = ["id", "user_id", "user_name", "user_email", "role", "state", "created_at", "version"]
        read_only_fields = ["id", "created_at", "version"]


class ApprovalSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=Role.choices, default=Role.ENGINEER_I)


class UseSerializer(serializers.Serializer[Any]):
    """One limit; the unit is in its name."""

    name = serializers.ChoiceField(choices=[(name, name) for name in quotas.LIMITS])
    limit = serializers.FloatField(allow_null=True, help_text="None: no limit.")
    used = serializers.FloatField(allow_null=True, help_text="None: it cannot be told at the moment.")
    left = serializers.FloatField(allow_null=True)
    is_default = serializers.BooleanField(
        help_text="The limit is the platform's own, for the organization has none; API calls alone."
    )
    forecast = serializers.FloatField(allow_null=True, help_text="Use at the month's end if it goes on like this.")
    waiting = serializers.IntegerField(
        allow_null=True, help_text="Seats that people who wait and open invitations would take; members alone."
    )


class QuotaSerializer(serializers.ModelSerializer[Organization]):
    class Meta:
        model = Organization
        fields = list(quotas.LIMITS)


class MeSerializer(serializers.ModelSerializer[User]):
    memberships = MembershipSerializer(many=True, read_only=True)
    theme = serializers.ChoiceField(choices=Theme.choices, required=False)

    class Meta:
        model = User
        fields = ["id", "email", "name", "language", "time_zone", "theme", "memberships"]
        read_only_fields = ["id", "email"]


class OrganizationSerializer(serializers.ModelSerializer[Organization]):
    join_policy = serializers.ChoiceField(
        choices=JoinPolicy.choices, required=False, help_text="What happens when somebody signs up with its name."
    )
    join_domains = serializers.ListField(
        child=serializers.CharField(max_length=253),
        max_length=20,
        required=False,
        help_text="With the policy `domain`: who has a verified address at one of these joins at once. An administrator "
        "of the organization needs a verified address at each; public mail services are refused.",
    )
    join_role = serializers.ChoiceField(
        choices=[(role.value, role.label) for role in JOIN_ROLES],
        required=False,
        help_text="What people become who join at once.",
    )

    class Meta:
        model = Organization
        fields = [
            "id",
            "company",
            "division",
            "join_policy",
            "join_domains",
            "join_role",
            "require_mfa",
            "allows_public",
            "created_at",
            "version",
        ]
        read_only_fields = ["id", "created_at", "version"]
