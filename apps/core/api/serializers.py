"""What serializers need that offer a choice of what the actor may see."""

from typing import Any

from rest_framework import serializers

from apps.core.identity import Actor


def actor_of(part: serializers.Field[Any, Any, Any, Any]) -> Actor:
    """The actor of the request that a serializer or field works for; the anonymous one while the schema is drawn."""
    return getattr(part.context.get("request"), "actor", None) or Actor.anonymous()


class VisibleField(serializers.PrimaryKeyRelatedField[Any]):
    """Names a row that the actor may view. The policy is asked when a row is named, not when rows are listed."""

    def get_queryset(self) -> Any:
        declared: Any = vars(self)["queryset"]
        return declared.model.objects.visible(actor_of(self))
