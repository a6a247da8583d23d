"""What serializers need that offer a choice of what the actor may see."""

from typing import Any

from rest_framework import serializers

from apps.core.identity import Actor


def actor_of(serializer: serializers.BaseSerializer[Any]) -> Actor:
    """The actor of the serializer's request; the anonymous one while the schema is drawn."""
    return getattr(serializer.context.get("request"), "actor", None) or Actor.anonymous()
