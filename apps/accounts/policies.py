"""Who may see and change people. Sharing an organization is what makes a person visible; `organizations` adds that
condition through `register_visibility`, because it stands above this app."""

from collections.abc import Callable

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor
from apps.core.policy import rule

_visibility: list[Callable[[Actor], Q]] = []


def register_visibility(condition: Callable[[Actor], Q]) -> None:
    _visibility.append(condition)


@rule("accounts.view_user", on="accounts.User")
def view_user(actor: Actor) -> Q:
    """Oneself, and the people of one's organizations."""
    found = Q(pk=actor.user_id)
    for condition in _visibility:
        found |= condition(actor)
    return found


@rule("accounts.change_user", on="accounts.User", needs=_("the person themselves"))
def change_user(actor: Actor) -> Q:
    return Q(pk=actor.user_id)


@rule("accounts.view_refreshtoken", on="accounts.RefreshToken")
def view_refreshtoken(actor: Actor) -> Q:
    """When somebody's programs signed in is their own business."""
    return Q(user_id=actor.user_id)
