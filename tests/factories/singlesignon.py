from typing import Any

import factory
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.test import Client
from factory.django import DjangoModelFactory

from apps.core.identity import VOUCHED, Role, Vouched
from apps.core.testing import Cast, sample
from apps.singlesignon.models import Admission, Connection, Domain
from tests.factories.organizations import OrganizationFactory

CLIENT_ID = "portal"
CLIENT_SECRET = "a secret that only the provider knows"
#: Of documentation: no request is made to it, and no name has to be resolved to know that.
NOWHERE = "https://192.0.2.1"


class ConnectionFactory(DjangoModelFactory):
    """Switched on, without a domain; people wait for approval."""

    class Meta:
        model = Connection
        skip_postgeneration_save = True

    organization = factory.SubFactory(OrganizationFactory)
    short_name = factory.Sequence(lambda number: f"organization-{number}")
    issuer = NOWHERE
    client_id = CLIENT_ID
    role = Role.ENGINEER_I
    admission = Admission.APPROVAL
    is_enabled = True

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **fields: Any) -> Connection:
        secret, domains = fields.pop("secret", CLIENT_SECRET), fields.pop("domains", ())
        connection = Connection(**fields)
        connection.client_secret = connection.seal(secret)
        connection.save()
        Domain.objects.bulk_create(Domain(connection=connection, name=name) for name in domains)
        return connection


@sample("connection", "singlesignon.Connection", "organizations/single-sign-on")
def connection(cast: Cast) -> Connection:
    return ConnectionFactory(
        organization=cast.sample("organization"),
        short_name=f"short-{cast.canary}",
        client_id=f"client-{cast.canary}",
        secret=f"secret-{cast.canary}",
        domains=[f"{cast.canary}.example"],
    )


@sample("provider-account")
def provider_account(cast: Cast) -> SocialAccount:
    """A member whom the provider of the first organization signs in."""
    return SocialAccount.objects.create(
        user=cast.member.user, provider=cast.sample("connection").provider_id, uid=f"subject-{cast.canary}"
    )


@sample("vouched-session")
def vouched_session(cast: Cast) -> UserSession:
    """One that the provider of the first organization has opened."""
    client = Client()
    client.force_login(cast.member.user, backend="apps.accounts.backends.AccountBackend")
    organization = cast.sample("connection").organization
    session = client.session
    session[VOUCHED] = Vouched(organization.pk, factor=False).as_dict()
    session.save()
    found: UserSession = UserSession.objects.create(
        user=cast.member.user, session_key=session.session_key, ip="127.0.0.1", data={VOUCHED: str(organization.pk)}
    )
    return found


@sample("with-connection")
def organization_with_connection(cast: Cast) -> Any:
    """The first organization, once it has its connection."""
    return cast.sample("connection").organization
