"""The personas, as people of two organizations."""

from apps.core.identity import Actor, Role, Via
from apps.core.testing import Cast, Person, Persona
from apps.organizations.services import token_issue
from apps.projects.models import ProjectRole
from tests.factories.accounts import UserFactory
from tests.factories.organizations import MembershipFactory
from tests.factories.projects import ProjectMembershipFactory

ROLES = {
    Persona.OWNER: Role.ENGINEER_I,
    Persona.EDITOR: Role.ENGINEER_I,
    Persona.VIEWER: Role.ENGINEER_I,
    Persona.MEMBER: Role.ENGINEER_I,
    Persona.SENIOR: Role.ENGINEER_II,
    Persona.MANAGER: Role.MANAGER,
    Persona.ADMIN: Role.ADMIN,
    Persona.GUEST: Role.GUEST,
    Persona.ADDED: Role.GUEST,
    Persona.STRANGER: Role.ADMIN,
}
PROJECT_ROLES = {
    Persona.OWNER: ProjectRole.OWNER,
    Persona.EDITOR: ProjectRole.EDITOR,
    Persona.VIEWER: ProjectRole.VIEWER,
    Persona.ADDED: ProjectRole.EDITOR,
}


def access_token(person: Person) -> str:
    """A real access token, as the token endpoint issues it (which itself allows ten a minute)."""
    actor = Actor.of(person.user, organization_id=person.organization_id, via=Via.TOKEN)
    return token_issue(actor=actor, organization_id=person.organization_id).access


def build(cast: Cast, persona: Persona) -> Person:
    if persona == Persona.ANONYMOUS:
        return Person(persona, None, None, access_token)
    if persona == Persona.PLATFORM:
        user = UserFactory(email="platform@example.com", name="platform", is_staff=True, is_superuser=True)
        return Person(persona, user, None, access_token)
    foreign = persona == Persona.STRANGER
    # The stranger's own name may stand in the stranger's own pages.
    mark = "" if foreign else f"-{cast.canary}"
    user = UserFactory(email=f"{persona}{mark}@example.com", name=f"{persona}{mark}")
    organization = cast.sample("foreign-organization" if foreign else "organization")
    MembershipFactory(organization=organization, user=user, role=ROLES[persona])
    if persona in PROJECT_ROLES:
        ProjectMembershipFactory(project=cast.sample("project"), user=user, role=PROJECT_ROLES[persona])
    return Person(persona, user, organization.pk, access_token)
