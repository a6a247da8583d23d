"""Makes one engineer with a project in the portal whose variables it runs with; prints token and project as JSON."""

import json
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelyard.settings.base")
django.setup()

from apps.core.identity import Actor, Role, Via
from apps.organizations.services import token_issue
from apps.projects.models import ProjectRole
from tests.factories.organizations import MembershipFactory
from tests.factories.projects import ProjectFactory, ProjectMembershipFactory


def main() -> None:
    membership = MembershipFactory(role=Role.ENGINEER_II, organization__company="Resilience")
    project = ProjectFactory(organization=membership.organization, name="Resilience")
    ProjectMembershipFactory(project=project, user=membership.user, role=ProjectRole.OWNER)
    actor = Actor.of(membership.user, organization_id=membership.organization_id, via=Via.TOKEN)
    token = token_issue(actor=actor, organization_id=membership.organization_id).access
    print(json.dumps({"token": token, "project_id": str(project.pk)}))


main()
