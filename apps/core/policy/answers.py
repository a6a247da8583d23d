"""Django's `has_perm`, answered from the policy for the actor attached to the user.

With an object: the policy's answer for that row. Without: whether the permission could be held anywhere. Without an
actor: no. Models without a rule (those of third-party apps) belong to platform administrators.
"""

from typing import Any

from django.db.models import Model

from apps.core.policy import rules


def has_perm(user: Any, permission: str, obj: Model | None = None) -> bool:
    actor = getattr(user, "actor", None)
    if actor is None or not user.is_active:
        return False
    if not rules.is_ruled(permission):
        return actor.is_platform_admin and actor.scopes is None
    if obj is not None and isinstance(obj, rules.rule_of(permission).model):
        return rules.allows(actor, permission, obj)
    return rules.anywhere(actor, permission)


def has_module_perms(user: Any, app_label: str) -> bool:
    actor = getattr(user, "actor", None)
    if actor is None or not user.is_active:
        return False
    return actor.is_platform_admin or any(rules.anywhere(actor, name) for name in rules.views_in(app_label))
