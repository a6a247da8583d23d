"""The queryset through which edges see rows."""

from typing import Any, Self, TypeVar

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db.models import Model, QuerySet

from apps.core.errors import NotFound
from apps.core.identity import Actor
from apps.core.policy import rules

M = TypeVar("M", bound=Model)


class PermittedQuerySet(QuerySet[M]):
    """Base of every app's querysets."""

    def permitted(self, actor: Actor, permission: str) -> Self:
        """The rows on which the actor holds the permission."""
        found = rules.rule_of(permission)
        if found.model is not self.model:
            raise TypeError(f"{permission} is a permission on {found.on}, not on {self.model._meta.label}.")
        return self.filter(rules.condition(actor, permission))

    def visible(self, actor: Actor) -> Self:
        """The rows that the actor may view."""
        return self.permitted(actor, f"{self.model._meta.app_label}.view_{self.model._meta.model_name}")

    def get_visible(self, actor: Actor, **lookup: Any) -> M:
        """The one row of the lookup that the actor may view; `NotFound` when absent or hidden."""
        try:
            return self.visible(actor).get(**lookup)
        except (ObjectDoesNotExist, ValueError, ValidationError) as error:
            raise NotFound() from error
