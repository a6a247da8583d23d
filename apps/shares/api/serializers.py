"""What goes over the wire for shares."""

from typing import Any

from rest_framework import serializers

from apps.accounts.models import User
from apps.core.api.serializers import VisibleField
from apps.projects.models import Project
from apps.shares.models import Level
from apps.shares.selectors import Access, ShownShare

OBJECT = "dataset or training_job."


class ShareObjectSerializer(serializers.Serializer[Any]):
    object_type = serializers.CharField(max_length=20, help_text=OBJECT)
    object_id = serializers.UUIDField()


class ShareCreateSerializer(ShareObjectSerializer):
    """A person or a project, one of the two."""

    user_id = VisibleField(source="user", queryset=User.objects.none(), required=False)
    project_id = VisibleField(source="project", queryset=Project.objects.none(), required=False)
    level = serializers.ChoiceField(choices=Level.choices)


class ShareChangeSerializer(serializers.Serializer[Any]):
    level = serializers.ChoiceField(choices=Level.choices)


class ShareSerializer(serializers.Serializer[ShownShare]):
    id = serializers.UUIDField()
    object_type = serializers.CharField(source="kind.name")
    object_id = serializers.UUIDField(source="share.content_object_id")
    user_id = serializers.UUIDField(source="user.pk", default=None, allow_null=True)
    user_name = serializers.CharField(source="user.name", default=None, allow_null=True)
    project_id = serializers.UUIDField(source="project.pk", default=None, allow_null=True)
    project_name = serializers.CharField(source="project.name", default=None, allow_null=True)
    level = serializers.ChoiceField(choices=Level.choices)
    created_at = serializers.DateTimeField(source="share.created_at")


class SharesSerializer(serializers.Serializer[Any]):
    results = ShareSerializer(many=True)


class AccessSerializer(serializers.Serializer[Access]):
    user_id = serializers.UUIDField(source="user.pk")
    user_name = serializers.CharField(source="user.name")
    level = serializers.ChoiceField(choices=Level.choices)
    reasons = serializers.ListField(child=serializers.CharField(), help_text="In the language of the request.")


class AccessTableSerializer(serializers.Serializer[Any]):
    people = AccessSerializer(many=True)
    everybody = serializers.ChoiceField(
        choices=Level.choices, allow_null=True, help_text="What every engineer of the organization holds beside them."
    )
    truncated = serializers.BooleanField(help_text="There are more people than are named.")
