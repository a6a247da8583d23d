"""Writes on shares. Who manages an object shares it, within its organization."""

from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Model
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core import auditing, policy
from apps.core.auditing import Personal
from apps.core.errors import Conflict, Invalid
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.organizations.models import Membership
from apps.projects.models import Project
from apps.shares import actions
from apps.shares.kinds import Kind, kind_of, kinds
from apps.shares.models import GroupShare, Level, UserShare

#: Of one object.
MAX_SHARES = 200


@operation("shares.share_set", permission=lambda obj: kind_of(obj).manage, on="obj")
def share_set(
    *, actor: Actor, obj: Model, user: User | None = None, project: Project | None = None, level: Level
) -> UserShare | GroupShare:
    """Shares the object with a person or a project; one that has a share gets the new level.

    Raises the policy's errors for who does not manage the object, and `Invalid` for anybody outside its organization.
    """
    kind = kind_of(obj)
    # Shares of one object are written one after the other.
    locked: Any = kind.model._default_manager.select_for_update(of=("self",)).get(pk=obj.pk)
    table, grantee = _checked_grantee(actor, kind, locked, user, project)
    rows: Any = table.objects.filter(content_object=locked)
    found = rows.select_related("permission").filter(**grantee).first()
    before = found.level.value if found else None
    permission = Permission.objects.get(
        content_type__app_label=kind.model._meta.app_label, codename=level.codename(str(kind.model._meta.model_name))
    )
    if found is None:
        _check_room(kind, locked)
        found = table(content_object=locked, permission=permission, granted_by=actor.user, **grantee)
        found.save()
    else:
        found.change(permission=permission)
    name: Any = Personal(user.name, user.pk) if user else str(project)
    _note(actor, actions.SHARED, locked, before={"level": before} if before else None, grantee=name, level=level.value)
    return found


@operation(
    "shares.share_remove",
    permission=lambda share: f"{share._meta.app_label}.delete_{share._meta.model_name}",
    on="share",
)
def share_remove(*, actor: Actor, share: UserShare | GroupShare) -> None:
    """Takes a share back; a person may also give up their own."""
    rows: Any = type(share).objects.select_related("permission").select_for_update(of=("self",))
    found = rows.filter(pk=share.pk).first()
    if found is None:
        raise Conflict(_("This share was removed already."), code="share_gone")
    person = found.user if isinstance(found, UserShare) else None
    name: Any = Personal(person.name, person.pk) if person else str(found.group.project)
    before = {"level": found.level.value, "shared_with": name}
    auditing.record(actor, actions.REMOVED, found.content_object, before=before)
    found.delete()


def share_join(actor: Actor, obj: Any, user: User, level: str) -> UserShare | GroupShare:
    """Gives an invited person their share; raises `Conflict` (`already_member`) where they have one."""
    if kind_of(obj).users.objects.filter(content_object=obj, user=user).exists():
        raise Conflict(_("It is shared with this person already."), code="already_member")
    return share_set(actor=actor, obj=obj, user=user, level=Level(level))


def shares_release(actor: Actor, membership: Membership, heir: User | None) -> None:
    """Ends the shares of somebody who leaves the organization, so that none comes back with them."""
    for kind in kinds():
        inside = {f"content_object__{kind.organization}": membership.organization_id}
        kind.users.objects.filter(user_id=membership.user_id, **inside).delete()


def _checked_grantee(
    actor: Actor, kind: Kind, obj: Any, user: User | None, project: Project | None
) -> tuple[Any, dict[str, Any]]:
    if (user is None) == (project is None):
        message = _("Name a person or a project.")
        raise Invalid(message, code="grantee_missing", fields={"user_id": [message]})
    if user is not None:
        if user.pk == actor.user_id:
            message = _("You cannot share something with yourself: you manage it already.")
            raise Invalid(message, code="own_share", fields={"user_id": [message]})
        if not Membership.objects.active().filter(organization_id=obj.organization_id, user=user).exists():
            message = _("This person is not a member of the organization.")
            raise Invalid(message, code="not_in_organization", fields={"user_id": [message]})
        return kind.users, {"user": user}
    assert project is not None
    policy.require(actor, "projects.view_project", project)
    if project.organization_id != obj.organization_id:
        message = _("This project belongs to another organization.")
        raise Invalid(message, code="other_organization", fields={"project_id": [message]})
    if project.pk == kind.project_of(obj).pk:
        message = _("It belongs to this project already.")
        raise Invalid(message, code="own_project", fields={"project_id": [message]})
    return kind.groups, {"group": project.group}


def _check_room(kind: Kind, obj: Any) -> None:
    tables: Any = (kind.users, kind.groups)
    if sum(table.objects.filter(content_object=obj).count() for table in tables) >= MAX_SHARES:
        raise Conflict(
            _("This has %(limit)s shares already.") % {"limit": MAX_SHARES},
            code="too_many_shares",
            hint=_("Share it with a project instead of with single people."),
        )


def _note(actor: Actor, action: str, obj: Any, *, before: Any, grantee: Any, level: str) -> None:
    auditing.record(actor, action, obj, before=before, after={"level": level, "shared_with": grantee})
