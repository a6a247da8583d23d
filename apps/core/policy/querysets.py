"""The queryset through which edges see rows."""

from collections.abc import Iterable
from typing import Any, Self, TypeVar

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db.models import Model, Q, QuerySet

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

    def held(self, actor: Actor, permission: str, keys: Iterable[Any]) -> set[Any]:
        """Those of the keys on whose rows the actor holds the permission: for what a page offers beside its rows.

        The terms of the rule are asked in turn, each about the rows that those before it left: mostly a single one.
        """
        asked = rules.condition(actor, permission)
        alone = asked.connector != Q.OR or asked.negated
        left, found = set(keys), set()
        for term in [asked] if alone else asked.children:
            if left:
                found |= set(self.filter(Q(term), pk__in=left).order_by().values_list("pk", flat=True))
                left -= found
        return found

    def visible(self, actor: Actor) -> Self:
        """The rows that the actor may view."""
        return self.permitted(actor, f"{self.model._meta.app_label}.view_{self.model._meta.model_name}")

    def get_visible(self, actor: Actor, **lookup: Any) -> M:
        """The one row of the lookup that the actor may view; `NotFound` when absent or hidden."""
        try:
            return self.visible(actor).get(**lookup)
        except (ObjectDoesNotExist, ValueError, ValidationError) as error:
            raise NotFound() from error
