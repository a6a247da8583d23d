"""Rules on jobs of every kind, composed from the project's. A kind that can be shared adds its grants here."""

from collections.abc import Callable

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor
from apps.core.policy import lies_in, rule, through

lies_in("jobs.Job", "project")

#: Permission on a job → permission on its project that gives it.
IN_PROJECT = {"jobs.view_job": "projects.view_project", "jobs.change_job": "projects.contribute_project"}

Grants = Callable[[Actor, str, str], Q]
_grants: list[Grants] = []


def register_grants(condition: Grants) -> None:
    """`condition(actor, permission, path)`: jobs on which a share gives the permission; for `path` see `of_job`."""
    _grants.append(condition)


def of_job(actor: Actor, permission: str, path: str = "") -> Q:
    """The rule of a job. With `path` (`job__`) it is said of rows that have their job's key, on the job's own columns:
    for a list that shows them anyway this costs less than a subquery."""
    held = through(f"{path}project", actor, IN_PROJECT[permission])
    for condition in _grants:
        held |= condition(actor, permission, path)
    return held


@rule("jobs.view_job", on="jobs.Job")
def view_job(actor: Actor) -> Q:
    return of_job(actor, "jobs.view_job")


@rule("jobs.change_job", on="jobs.Job", needs=_("editor of the project"))
def change_job(actor: Actor) -> Q:
    """Editing a draft; starting, stopping, resuming."""
    return of_job(actor, "jobs.change_job")
