"""Rules on projects. The apps above compose theirs from these with `through("project", actor, permission)`."""

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor, Role
from apps.core.policy import lies_in, rule, through
from apps.projects.models import ProjectMembership, ProjectRole

lies_in("projects.ProjectMembership", "project")


def _managed(actor: Actor) -> Q:
    """Projects of the organizations that the actor manages."""
    return Q(organization_id__in=actor.organizations(Role.MANAGER))


def _member(actor: Actor, *roles: ProjectRole, minimum: Role = Role.GUEST) -> Q:
    """Projects in which the actor holds one of the roles, while being at least `minimum` in the organization."""
    own = ProjectMembership.objects.filter(project_id=OuterRef("pk"), user=actor.user_id, role__in=roles)
    return Q(Exists(own)) & Q(organization_id__in=actor.organizations(minimum))


@rule("projects.view_project", on="projects.Project")
def view_project(actor: Actor) -> Q:
    """Members, and the organization's managers and administrators."""
    return _managed(actor) | _member(actor, *ProjectRole)


@rule("projects.add_project", on="organizations.Organization", needs=_("member of the organization"))
def add_project(actor: Actor) -> Q:
    return Q(pk__in=actor.organizations())


@rule("projects.change_project", on="projects.Project", needs=_("owner of the project"))
def change_project(actor: Actor) -> Q:
    return _managed(actor) | _member(actor, ProjectRole.OWNER)


@rule("projects.contribute_project", on="projects.Project", needs=_("editor of the project"))
def contribute_project(actor: Actor) -> Q:
    """Adding and changing what the project holds: its trainings, predictions, notes. Nothing of that in an archive."""
    working = _managed(actor) | _member(actor, ProjectRole.OWNER, ProjectRole.EDITOR)
    return working & Q(archived_at__isnull=True)


@rule("projects.delete_project", on="projects.Project", needs=_("owner of the project"))
def delete_project(actor: Actor) -> Q:
    return change_project(actor)


@rule("projects.restore_project", on="projects.Project", needs=_("owner of the project"), trashed=True)
def restore_project(actor: Actor) -> Q:
    return _managed(actor) | _member(actor, ProjectRole.OWNER)


@rule("projects.purge_project", on="projects.Project", needs=_("owner of the project"), trashed=True)
def purge_project(actor: Actor) -> Q:
    """Deleting it for good: those who moved it to the trash, or could have."""
    return restore_project(actor)


@rule("projects.add_projectmembership", on="projects.Project", needs=_("owner of the project"))
def add_projectmembership(actor: Actor) -> Q:
    return change_project(actor)


@rule("projects.view_projectmembership", on="projects.ProjectMembership")
def view_projectmembership(actor: Actor) -> Q:
    return through("project", actor, "projects.view_project")


@rule("projects.change_projectmembership", on="projects.ProjectMembership", needs=_("owner of the project"))
def change_projectmembership(actor: Actor) -> Q:
    return through("project", actor, "projects.change_project")


@rule("projects.delete_projectmembership", on="projects.ProjectMembership", needs=_("owner of the project"))
def delete_projectmembership(actor: Actor) -> Q:
    """An owner removes anybody; everybody may leave."""
    return through("project", actor, "projects.change_project") | Q(user_id=actor.user_id)
