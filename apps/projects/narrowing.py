"""What a key that is limited to some projects reaches: rows that lie in them.

Where a row lies is read off the models: by the shortest way of its keys to a project. Of the rows of no project only
those that work in a project cannot do without (`LOOKED_AT`) may be looked at, if the key was given that. The others
(exports, invitations, sign-in, server folders …) hold or tell what lies in other projects.
"""

from functools import cache
from typing import Any

from django.db.models import Model, Q

from apps.core.identity import Actor
from apps.core.policy import NOBODY, Rule
from apps.projects.models import Project

#: Permissions on rows of no project that a limited key may hold: the organization, its people, its machines.
LOOKED_AT = frozenset(
    {
        "accounts.view_user",
        "organizations.view_membership",
        "organizations.view_organization",
        "resources.view_node",
        "resources.view_resourcegroup",
    }
)


def within_projects(actor: Actor, rule: Rule) -> Q:
    """The rows of the rule's model that lie in the actor's projects."""
    path = path_to_project(rule.model)
    if path is None:
        return Q() if rule.permission in LOOKED_AT else NOBODY
    found = Q(**{f"{path[-1]}__in": actor.projects or ()})
    # From the row in the project back to the one that was asked for; subqueries, so that rows can still be locked.
    models: list[Any] = [rule.model]
    for name in path[:-1]:
        models.append(models[-1]._meta.get_field(name).related_model)
    for name, model in zip(reversed(path[:-1]), reversed(models[1:]), strict=True):
        found = Q(**{f"{name}__in": model._default_manager.filter(found)})
    return found


@cache
def path_to_project(model: type[Model]) -> tuple[str, ...] | None:
    """Names of the keys from a row to the id of its project, the shortest way; None for rows of no project."""
    if model is Project:
        return ("pk",)
    waiting: list[tuple[type[Model], tuple[str, ...]]] = [(model, ())]
    seen = {model}
    while waiting:
        current, path = waiting.pop(0)
        columns = {field.attname: field for field in current._meta.concrete_fields}
        if "project_id" in columns:
            return (*path, "project_id")
        for field in columns.values():
            target: Any = field.related_model if field.is_relation else None
            if isinstance(target, type) and target not in seen:
                seen.add(target)
                waiting.append((target, (*path, field.name)))
    return None
