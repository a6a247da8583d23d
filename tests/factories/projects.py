from typing import Any
from uuid import uuid4

import factory
from django.contrib.auth.models import Group
from django.utils import timezone
from factory.django import DjangoModelFactory

from apps.core.testing import Cast, sample
from apps.projects.models import Project, ProjectMembership, ProjectRole
from tests.factories.accounts import UserFactory
from tests.factories.organizations import MembershipFactory, OrganizationFactory


class ProjectFactory(DjangoModelFactory):
    class Meta:
        model = Project

    organization = factory.SubFactory(OrganizationFactory)
    name = factory.Sequence(lambda number: f"Project {number}")
    description = ""
    group = factory.LazyFunction(lambda: Group.objects.create(name=f"project:{uuid4()}"))


class ProjectMembershipFactory(DjangoModelFactory):
    class Meta:
        model = ProjectMembership

    project = factory.SubFactory(ProjectFactory)
    user = factory.SubFactory(UserFactory)
    role = ProjectRole.VIEWER

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **kwargs: Any) -> ProjectMembership:
        membership = super()._create(model_class, *args, **kwargs)
        membership.user.groups.add(membership.project.group)
        return membership


@sample("project", "projects", "projects.Project")
def project(cast: Cast) -> Project:
    """The project that the personas owner, editor and viewer belong to."""
    return ProjectFactory(organization=cast.sample("organization"), name=f"Project {cast.canary}")


@sample("trashed-project")
def trashed_project(cast: Cast) -> Project:
    """A project of the persona owner, in the trash; editor and viewer belong to it too."""
    found = ProjectFactory(
        organization=cast.sample("organization"), name=f"Trashed {cast.canary}", deleted_at=timezone.now()
    )
    for persona in (cast.owner, cast.editor, cast.viewer):
        ProjectMembershipFactory(project=found, user=persona.user, role=ProjectRole(persona.persona))
    return found


@sample("archived-project")
def archived_project(cast: Cast) -> Project:
    """A project of the persona owner that was archived."""
    found = ProjectFactory(
        organization=cast.sample("organization"), name=f"Archived {cast.canary}", archived_at=timezone.now()
    )
    ProjectMembershipFactory(project=found, user=cast.owner.user, role=ProjectRole.OWNER)
    return found


@sample("project-member", "projects/members", "projects.ProjectMembership")
def project_member(cast: Cast) -> ProjectMembership:
    """A member of the project who is no persona."""
    user = MembershipFactory(organization=cast.sample("organization"), user__name=f"helper-{cast.canary}").user
    return ProjectMembershipFactory(project=cast.sample("project"), user=user)
