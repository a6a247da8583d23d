"""Makes one engineer with a project in the portal whose variables it runs with; prints token and project as JSON."""

import json
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelyard.settings.base")
django.setup()

from apps.core.identity import Actor, Role, Via  # noqa: E402 - models load after Django's set-up
from apps.organizations.services import token_issue  # noqa: E402
from apps.projects.models import ProjectRole  # noqa: E402
from tests.factories.organizations import MembershipFactory  # noqa: E402
from tests.factories.projects import ProjectFactory, ProjectMembershipFactory  # noqa: E402


def main() -> None:
    membership = MembershipFactory(role=Role.ENGINEER_II, organization__company="Resilience")
    project = ProjectFactory(organization=membership.organization, name="Resilience")
    ProjectMembershipFactory(project=project, user=membership.user, role=ProjectRole.OWNER)
    actor = Actor.of(membership.user, organization_id=membership.organization_id, via=Via.TOKEN)
    token = token_issue(actor=actor, organization_id=membership.organization_id).access
    print(json.dumps({"token": token, "project_id": str(project.pk)}))


main()
