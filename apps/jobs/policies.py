"""Rules on jobs of every kind, composed from the project's. A kind that can be shared adds its grants here."""

from collections.abc import Callable

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor
from apps.core.policy import lies_in, rule, through

lies_in("jobs.Job", "project")

_grants: list[Callable[[Actor, str], Q]] = []


def register_grants(condition: Callable[[Actor, str], Q]) -> None:
    """`condition(actor, permission)`: jobs on which a share gives the permission."""
    _grants.append(condition)


def _granted(actor: Actor, permission: str, base: Q) -> Q:
    for condition in _grants:
        base |= condition(actor, permission)
    return base


@rule("jobs.view_job", on="jobs.Job")
def view_job(actor: Actor) -> Q:
    return _granted(actor, "jobs.view_job", through("project", actor, "projects.view_project"))


@rule("jobs.change_job", on="jobs.Job", needs=_("editor of the project"))
def change_job(actor: Actor) -> Q:
    """Editing a draft; starting, stopping, resuming."""
    return _granted(actor, "jobs.change_job", through("project", actor, "projects.contribute_project"))
