"""Writes on projects. Each authorises (the decorator), locks and checks, changes, and audits, in this order."""

from typing import Any
from uuid import UUID

from django.contrib.auth.models import Group
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core import auditing
from apps.core.auditing import Personal
from apps.core.errors import Conflict, Forbidden, Invalid, refuse_unknown
from apps.core.identity import Actor, Role
from apps.core.operations import operation
from apps.departures.services import trash
from apps.departures.trash import require_in_trash, require_name
from apps.organizations.models import Membership, Organization
from apps.projects import actions
from apps.projects.contents import contents_obstacle
from apps.projects.models import Project, ProjectMembership, ProjectRole
from apps.projects.selectors import going_on

CHANGEABLE = ("name", "description")


@operation("projects.project_create", permission="projects.add_project", on="organization")
def project_create(*, actor: Actor, organization: Organization, name: str, description: str = "") -> Project:
    """A new project, owned by the actor. Guests own at most one, however they come by it."""
    if actor.user is not None:
        _check_guest_limit(organization.pk, [actor.user.pk])
    project = Project(organization=organization, name=name.strip(), description=description, created_by=actor.user)
    _check_name(project, name)
    project.group = Group.objects.create(name=f"project:{project.pk}")
    project.full_clean()
    project.save()
    if actor.user is not None:
        ProjectMembership.objects.create(project=project, user=actor.user, role=ProjectRole.OWNER)
        actor.user.groups.add(project.group)
    auditing.record(actor, actions.CREATED, project, project_id=project.pk, after={"name": project.name})
    return project


@operation("projects.project_change", permission="projects.change_project", on="project")
def project_change(*, actor: Actor, project: Project, expected: int | None = None, **fields: Any) -> Project:
    """Changes name or description; not in the archive."""
    refuse_unknown(fields, CHANGEABLE)
    project = Project.objects.select_for_update().get(pk=project.pk)
    project.expect(expected)
    if project.archived_at is not None:
        raise Conflict(
            _("The project is in the archive."), code="project_archived", hint=_("Take it out of the archive first.")
        )
    _check_name(project, fields.get("name", project.name))
    changes = project.change(**fields)
    auditing.record(actor, actions.CHANGED, project, project_id=project.pk, changes=changes)
    return project


@operation("projects.project_archive", permission="projects.change_project", on="project")
def project_archive(*, actor: Actor, project: Project) -> Project:
    """Puts the project away: everybody still sees it, nothing in it changes. Refused while work is going on."""
    project = Project.objects.select_for_update().get(pk=project.pk)
    if project.archived_at is not None:
        raise Conflict(_("The project is in the archive already."), code="archived_already")
    if going_on(project):
        raise Conflict(
            _("Work in this project is going on."),
            code="project_busy",
            hint=_("Stop what runs or waits in the queue first."),
        )
    changes = project.change(archived_at=timezone.now())
    auditing.record(actor, actions.ARCHIVED, project, project_id=project.pk, changes=changes)
    return project


@operation("projects.project_unarchive", permission="projects.change_project", on="project")
def project_unarchive(*, actor: Actor, project: Project) -> Project:
    """Takes the project out of the archive."""
    project = Project.objects.select_for_update().get(pk=project.pk)
    if project.archived_at is None:
        raise Conflict(_("The project is not in the archive."), code="not_archived")
    changes = project.change(archived_at=None)
    auditing.record(actor, actions.UNARCHIVED, project, project_id=project.pk, changes=changes)
    return project


@operation("projects.project_transfer", permission="projects.change_project", on="project")
def project_transfer(*, actor: Actor, project: Project, user: User) -> Project:
    """Makes a member of the organization the owner. The actor, or every owner where the actor is none, stays as editor."""
    project = Project.objects.select_for_update().get(pk=project.pk)
    _check_in_organization(project, user)
    _check_guest_limit(project.organization_id, [user.pk], but=project)
    owners = ProjectMembership.objects.select_for_update().owners().filter(project=project).exclude(user=user)
    handing = [row for row in owners.order_by("pk") if row.user_id == actor.user_id] or list(owners.order_by("pk"))
    for membership in handing:
        membership.change(role=ProjectRole.EDITOR)
    found, created = ProjectMembership.objects.get_or_create(
        project=project, user=user, defaults={"role": ProjectRole.OWNER}
    )
    if not created:
        found.change(role=ProjectRole.OWNER)
    user.groups.add(project.group)
    before = {f"owner_{number}": _person(membership) for number, membership in enumerate(handing, 1)}
    after = {"owner": Personal(user.name, user.pk)}
    auditing.record(actor, actions.TRANSFERRED, project, project_id=project.pk, before=before, after=after)
    return project


@operation("projects.project_trash", permission="projects.delete_project", on="project", hides=True)
def project_trash(*, actor: Actor, project: Project) -> Project:
    """Moves the project, with all it holds, out of sight; `project_restore` brings it back."""
    project = Project.objects.select_for_update().get(pk=project.pk)
    project.change(deleted_at=timezone.now())
    auditing.record(actor, actions.TRASHED, project, project_id=project.pk)
    return project


@operation("projects.project_restore", permission="projects.restore_project", on="project")
def project_restore(*, actor: Actor, project: Project) -> Project:
    """Brings a project back from the trash; refused while another carries its name."""
    project = Project.objects.select_for_update().get(pk=project.pk)
    require_in_trash(project)
    owners = project.memberships.filter(role=ProjectRole.OWNER).values_list("user_id", flat=True)
    _check_guest_limit(project.organization_id, list(owners), but=project)
    _check_name(project, project.name)
    project.change(deleted_at=None)
    auditing.record(actor, actions.RESTORED, project, project_id=project.pk)
    return project


@operation("projects.project_purge", permission="projects.purge_project", on="project", hides=True)
def project_purge(*, actor: Actor, project: Project, name: str) -> Project:
    """Deletes a project in the trash for good, with all it holds: nothing brings it back. `name` repeats its name.

    Nobody sees it from now on; workers take it away batch by batch. `Conflict` while work in it goes on, or something
    outside of it needs what it holds.
    """
    project = Project.objects.select_for_update().get(pk=project.pk)
    require_in_trash(project)
    require_name(project, name)
    if obstacle := purge_obstacle(project):
        raise obstacle
    project.change(purged_at=timezone.now())
    trash.empty_on_commit()
    auditing.record(actor, actions.PURGED, project, project_id=project.pk)
    return project


def purge_obstacle(project: Project) -> Conflict | None:
    """Why the project cannot be deleted for good, whoever asks; None when it can."""
    if going_on(project):
        return Conflict(
            _("Work in this project is going on."),
            code="project_busy",
            hint=_("Bring the project back, and stop what runs or waits in the queue."),
        )
    return contents_obstacle(project)


@operation("projects.member_add", permission="projects.add_projectmembership", on="project")
def member_add(*, actor: Actor, project: Project, user: User, role: ProjectRole) -> ProjectMembership:
    """Adds a member of the same organization."""
    project = Project.objects.select_for_update().get(pk=project.pk)
    _check_in_organization(project, user)
    if role == ProjectRole.OWNER:
        _check_guest_limit(project.organization_id, [user.pk], but=project)
    membership, created = ProjectMembership.objects.get_or_create(project=project, user=user, defaults={"role": role})
    if not created:
        raise Conflict(_("This person is a member of the project already."), code="already_member")
    user.groups.add(project.group)
    auditing.record(
        actor,
        actions.MEMBER_ADDED,
        membership,
        project_id=project.pk,
        name=Personal(user.name, user.pk),
        after={"role": role},
    )
    return membership


@operation("projects.member_change", permission="projects.change_projectmembership", on="membership")
def member_change(*, actor: Actor, membership: ProjectMembership, role: ProjectRole) -> ProjectMembership:
    """Gives a member another role; the last owner keeps theirs."""
    membership = _locked(membership)
    if role == ProjectRole.OWNER:
        _check_guest_limit(membership.organization_id, [membership.user_id], but=membership.project)
    else:
        _check_not_last_owner(membership)
    changes = membership.change(role=role)
    auditing.record(
        actor,
        actions.MEMBER_CHANGED,
        membership,
        project_id=membership.project_id,
        name=_person(membership),
        changes=changes,
    )
    return membership


@operation("projects.member_remove", permission="projects.delete_projectmembership", on="membership")
def member_remove(*, actor: Actor, membership: ProjectMembership) -> None:
    """Takes a member out; the last owner stays."""
    membership = _locked(membership)
    _check_not_last_owner(membership)
    membership.user.groups.remove(membership.project.group)
    auditing.record(
        actor,
        actions.MEMBER_REMOVED,
        membership,
        project_id=membership.project_id,
        name=_person(membership),
        before={"role": membership.role},
    )
    membership.delete()


def sole_ownerships(membership: Membership) -> list[str]:
    """Names of the organization's projects that nobody else owns."""
    return list(_owned_alone(membership).values_list("name", flat=True).order_by("name"))


def member_release(actor: Actor, membership: Membership, heir: User | None) -> None:
    """Makes the heir owner of what the person alone owns, and takes the person out of the organization's projects."""
    for project in _owned_alone(membership).select_for_update().select_related("group"):
        if heir is None:
            raise Conflict(_("A project needs an owner."), code="last_owner")
        _check_guest_limit(project.organization_id, [heir.pk], but=project)
        ProjectMembership.objects.update_or_create(project=project, user=heir, defaults={"role": ProjectRole.OWNER})
        heir.groups.add(project.group)
    own = ProjectMembership.objects.filter(
        project__organization_id=membership.organization_id, user_id=membership.user_id
    )
    membership.user.groups.remove(*Group.objects.filter(project__in=own.values("project")))
    own.delete()


def _owned_alone(membership: Membership) -> QuerySet[Project]:
    owners = ProjectMembership.objects.owners()
    others = owners.filter(project=OuterRef("pk")).exclude(user_id=membership.user_id)
    return Project.objects.filter(
        Exists(owners.filter(project=OuterRef("pk"), user_id=membership.user_id)),
        ~Exists(others),
        organization_id=membership.organization_id,
    )


def _check_in_organization(project: Project, user: User) -> None:
    if not Membership.objects.active().filter(organization_id=project.organization_id, user=user).exists():
        raise Invalid(
            _("This person is not a member of the organization."),
            code="not_in_organization",
            fields={"user": [_("This person is not a member of the organization.")]},
        )


def _check_guest_limit(organization_id: UUID, user_ids: list[UUID], *, but: Project | None = None) -> None:
    """Refuses to make guests of the organization owners while they own a project other than `but`."""
    # The lock makes two requests at once count one after the other.
    guests = Membership.objects.select_for_update().filter(
        organization_id=organization_id, user_id__in=user_ids, role=Role.GUEST
    )
    owned = ProjectMembership.objects.owners().filter(
        user_id__in=[membership.user_id for membership in guests.order_by("pk")],
        project__organization_id=organization_id,
        project__deleted_at__isnull=True,
    )
    if owned.exclude(project=but).exists():
        raise Forbidden(
            _("Guests own one project at most."),
            code="guest_project_limit",
            hint=_("An administrator or manager of the organization can give them another role."),
        )


def _check_name(project: Project, name: str) -> None:
    # Names of one organization are given one after the other.
    Organization.objects.select_for_update(no_key=True).get(pk=project.organization_id)
    same = Project.objects.filter(
        organization_id=project.organization_id, name__iexact=name.strip(), deleted_at__isnull=True
    )
    if same.exclude(pk=project.pk).exists():
        message = _("The organization has a project of this name.")
        raise Conflict(message, code="name_taken", fields={"name": [message]})


def _locked(membership: ProjectMembership) -> ProjectMembership:
    """The membership, with its project locked so that owners are counted one after the other."""
    Project.objects.select_for_update().get(pk=membership.project_id)
    return ProjectMembership.objects.select_for_update().select_related("project__group").get(pk=membership.pk)


def _check_not_last_owner(membership: ProjectMembership) -> None:
    others = ProjectMembership.objects.owners().filter(project_id=membership.project_id).exclude(pk=membership.pk)
    if membership.role == ProjectRole.OWNER and not others.exists():
        raise Conflict(_("A project needs an owner."), code="last_owner", hint=_("Make somebody else an owner first."))


def _person(membership: ProjectMembership) -> Personal:
    return Personal(membership.user.name, membership.user_id)
