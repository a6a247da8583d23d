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


class PurgeDueField(serializers.DateTimeField):
    """When a row in the trash goes by itself."""

    def __init__(self) -> None:
        super().__init__(
            read_only=True,
            allow_null=True,
            help_text="When it is deleted for good, if nothing stands in the way; null: never by itself.",
        )
