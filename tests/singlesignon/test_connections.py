"""Setting single sign-on up: by whom, with what, at each door; the secret goes in and never comes out."""

import logging
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from cryptography.exceptions import InvalidTag
from django.db import IntegrityError, transaction
from django.db import connection as database

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core import ciphers
from apps.core.errors import Conflict, Invalid, NotFound
from apps.core.testing import Cast, PermissionMatrix
from apps.singlesignon import services
from apps.singlesignon.models import Connection
from apps.singlesignon.selectors import accounts_of, connection_answering
from tests.factories.organizations import OrganizationFactory
from tests.factories.singlesignon import CLIENT_ID, CLIENT_SECRET, NOWHERE, ConnectionFactory
from tests.singlesignon.provider import FakeProvider, Journey, say

SECRET = "canary-secret-5c1f"
FIELDS = {"short_name": "acme", "issuer": NOWHERE, "client_id": "portal", "client_secret": SECRET}


class TestDoors(PermissionMatrix):
    rest = """
                                                       owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET    /organizations/{with-connection}/single-sign-on         404  =  =  =  =  200  404  404  401  200
    PATCH  /organizations/{with-connection}/single-sign-on         404  =  =  =  =  200  404  404  401  200
    DELETE /organizations/{with-connection}/single-sign-on         404  =  =  =  =  204  404  404  401  204
    POST   /organizations/{with-connection}/single-sign-on/test    404  =  =  =  =  200  404  404  401  200
    POST   /organizations/{organization}/single-sign-on            403  =  =  =  =  201  403  404  401  201
    """
    bodies = {
        "PATCH /organizations/{with-connection}/single-sign-on": {"is_enabled": True},
        "POST /organizations/{organization}/single-sign-on": FIELDS,
    }
    portal = """
                                               owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET   /organization/single-sign-on/        403    =       =       =       =        200    403    200       302        404
    POST  /organization/single-sign-on/        403    =       =       =       =        200    403    200       302        404
    POST  /organization/single-sign-on/test/   403    =       =       =       =        404    403    404       302        404
    POST  /organization/single-sign-on/remove/ 403    =       =       =       =        404    403    404       302        404
    """
    admin = """
                                                          owner  admin  stranger  anonymous  platform
    GET    /admin/singlesignon/connection/                200    200    200       302        200
    GET    /admin/singlesignon/connection/{connection}/change/  302    200    302       302        200
    """


def created(cast: Cast, **changes: Any) -> Connection:
    organization = cast.sample("organization")
    return services.connection_create(actor=cast.admin.actor, organization=organization, **(FIELDS | changes))


# --- What is taken


def test_an_organization_has_one(cast: Cast) -> None:
    created(cast)
    with pytest.raises(Conflict) as caught:
        created(cast, short_name="another")
    assert caught.value.code == "connection_exists"


def test_short_names_are_of_one_organization_each(cast: Cast) -> None:
    ConnectionFactory(short_name="acme")
    with pytest.raises(Conflict) as caught:
        created(cast)
    assert caught.value.code == "short_name_taken"


@pytest.mark.parametrize(
    "wrong",
    [
        {"short_name": "No Spaces"},
        {"short_name": "-acme"},
        {"issuer": "http://idp.example"},
        {"issuer": "https://10.0.0.1:5432"},
        {"issuer": "https://testserver"},
        {"issuer": "javascript:alert(1)"},
        {"client_secret": " "},
        {"client_secret": "two\nlines"},
        {"role": "manager"},
        {"role": "admin"},
        {"admission": "everybody"},
        {"domains": ["no domain"]},
        {"domains": ["gmail.com"]},
        {"domains": ["not-mine.example"]},
        {"domains": [f"d{number}.example" for number in range(51)]},
    ],
)
def test_what_is_wrong_is_said_by_its_field_and_nothing_is_written(wrong: dict[str, Any], cast: Cast) -> None:
    with pytest.raises(Invalid) as caught:
        created(cast, **wrong)
    assert set(caught.value.fields) == set(wrong)
    assert not Connection.objects.exists()
    answer = cast.admin.rest.post(f"/organizations/{cast.sample('organization').pk}/single-sign-on", FIELDS | wrong)
    assert answer.status_code == 400
    assert not Connection.objects.exists()


def test_the_database_itself_makes_nobody_a_manager_by_signing_in(cast: Cast) -> None:
    made = created(cast)
    with pytest.raises(IntegrityError), transaction.atomic():
        Connection.objects.filter(pk=made.pk).update(role="manager")


def test_one_names_domains_of_ones_own_verified_addresses_and_the_platform_names_any(cast: Cast) -> None:
    admin = cast.admin.user
    EmailAddress.objects.create(user=admin, email="chief@acme.example", verified=False)
    with pytest.raises(Invalid):
        created(cast, domains=["acme.example"])
    EmailAddress.objects.filter(email="chief@acme.example").update(verified=True)
    made = created(cast, domains=["@Acme.example", "acme.example", ""])
    assert [row.name for row in made.domains.all()] == ["acme.example"]
    change = services.connection_change
    change(actor=cast.platform.actor, connection=made, domains=["acme.example", "also.example"])
    change(actor=cast.admin.actor, connection=made, domains=["also.example"])
    assert [row.name for row in made.domains.all()] == ["also.example"], "what stands there may stay"
    with pytest.raises(Invalid):
        change(actor=cast.platform.actor, connection=ConnectionFactory(), domains=["also.example"])


@pytest.mark.parametrize("name", ["gmail.com", "yahoo.de", "mail.hanmir.com", "GMX.ch"])
def test_a_domain_where_everybody_gets_an_address_is_refused_to_the_platform_too(name: str, cast: Cast) -> None:
    made = created(cast)
    services.connection_change(actor=cast.platform.actor, connection=made, domains=["acme.example"])
    with pytest.raises(Invalid, match="public mail service"):
        services.connection_change(actor=cast.platform.actor, connection=made, domains=["acme.example", name])
    assert [row.name for row in made.domains.all()] == ["acme.example"]


def test_a_domain_counts_however_it_is_written(cast: Cast) -> None:
    made = created(cast, is_enabled=True)
    services.connection_change(actor=cast.platform.actor, connection=made, domains=["Bücher.example"])
    assert [row.name for row in made.domains.all()] == ["xn--bcher-kva.example"]
    assert connection_answering("anna@BÜCHER.example") == made == connection_answering("anna@xn--bcher-kva.example")
    assert connection_answering("anna@other.example") is None


def test_the_issuer_is_taken_as_people_copy_it(cast: Cast) -> None:
    made = created(cast, issuer=f" {NOWHERE}/realms/x/.well-known/openid-configuration ")
    assert made.issuer == f"{NOWHERE}/realms/x"


# --- The secret


def test_the_secret_is_stored_encrypted_bound_to_its_row_and_shown_nowhere(cast: Cast, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    organization = cast.sample("organization")
    path = f"/organizations/{organization.pk}/single-sign-on"
    texts = [cast.admin.rest.post(path, FIELDS).content, cast.admin.rest.get(path).content]
    texts.append(cast.admin.rest.patch(path, {"client_secret": SECRET + "-2"}).content)
    made = Connection.objects.get()
    assert made.secret == SECRET + "-2"
    texts.append(cast.admin.portal.get("/organization/single-sign-on/").content)
    wrong = {"short_name": "Wrong Name", "issuer": NOWHERE, "client_id": "x", "client_secret": SECRET}
    texts.append(cast.admin.portal.post("/organization/single-sign-on/", wrong).content)
    texts.append(cast.platform.portal.get(f"/admin/singlesignon/connection/{made.pk}/change/").content)
    with database.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(c)::text FROM singlesignon_connection c")
        texts += [row[0].encode() for row in cursor.fetchall()]
    for event in AuditEvent.objects.all():
        [found] = readable([event])
        texts.append(f"{found.params} {found.before} {found.after}".encode())
    for text in texts:
        assert SECRET.encode() not in text
    assert SECRET not in caplog.text
    assert [event.params for event in readable(AuditEvent.objects.filter(action="single_sign_on.changed"))] == [
        {"secret": "replaced"}
    ]
    other = ConnectionFactory(organization=OrganizationFactory())
    other.client_secret = made.client_secret
    with pytest.raises(InvalidTag):
        assert other.secret
    assert ciphers.decrypt(made.client_secret, f"single-sign-on:{made.pk}") == SECRET + "-2"


def test_another_issuer_gets_neither_the_stored_secret_nor_the_people_of_the_old_one(
    cast: Cast, connection: Connection, journey: Journey
) -> None:
    journey.sign_in()
    assert accounts_of(connection).count() == 1
    with pytest.raises(Invalid) as caught:
        services.connection_change(actor=cast.admin.actor, connection=connection, issuer=NOWHERE)
    assert caught.value.code == "secret_needed"
    services.connection_change(actor=cast.admin.actor, connection=connection, issuer=NOWHERE, client_secret="new")
    assert not accounts_of(connection).exists()
    assert journey.client.get("/profile/").status_code == 302


# --- Trying it


def test_trying_tells_whether_the_provider_knows_the_client(
    cast: Cast, connection: Connection, provider: FakeProvider
) -> None:
    path = f"/organizations/{connection.organization_id}/single-sign-on"

    def tried() -> dict[str, Any]:
        found: dict[str, Any] = cast.admin.rest.post(f"{path}/test").json()
        return found

    assert tried() == {"works": True, "code": "", "detail": "", "hint": ""}
    cast.admin.rest.patch(path, {"client_secret": "another"})
    assert tried()["code"] == "client_refused"
    provider.answers["/keys"] = lambda handler: say(handler, b"<html>", kind="text/html")
    assert tried()["code"] == "answer_unreadable"
    provider.answers.clear()
    provider.document["issuer"] = "https://evil.example"
    assert tried()["code"] == "issuer_wrong"
    results = [event.params["result"] for event in readable(AuditEvent.objects.filter(action="single_sign_on.tested"))]
    assert sorted(results) == ["answer_unreadable", "client_refused", "issuer_wrong", "ok"]


def test_only_administrators_have_a_provider_asked(cast: Cast, connection: Connection, provider: FakeProvider) -> None:
    with pytest.raises(NotFound):
        services.connection_test(actor=cast.manager.actor, connection=connection, return_address="x")
    assert provider.asked == {}


# --- Pages


def test_an_administrator_sets_it_up_changes_it_tries_it_and_removes_it_on_its_page(
    cast: Cast, provider: FakeProvider
) -> None:
    client, address = cast.admin.portal, "/organization/single-sign-on/"
    EmailAddress.objects.create(user=cast.admin.user, email="chief@acme.example", verified=True)
    form = {"short_name": "acme", "issuer": provider.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    form |= {"domains": "acme.example,", "role": "guest", "admission": "approval"}
    assert client.post(address, form).status_code == 302
    made = Connection.objects.get()
    page = client.get(address).content.decode()
    assert f"http://testserver/account/single-sign-on/{made.pk}/callback/" in page
    assert "switched off" in page
    assert client.post(address, form | {"client_secret": "", "is_enabled": "on"}).status_code == 302
    made.refresh_from_db()
    assert (made.is_enabled, made.secret) == (True, CLIENT_SECRET)
    assert "accepts the client id" in client.post(f"{address}test/", follow=True).content.decode()
    assert "Single sign-on was removed" in client.post(f"{address}remove/", follow=True).content.decode()
    assert not Connection.objects.exists()
    codes = AuditEvent.objects.filter(action__startswith="single_sign_on.").order_by("time")
    assert [code.rpartition(".")[2] for code in codes.values_list("action", flat=True)] == [
        "created",
        "changed",
        "tested",
        "removed",
    ]


def test_the_tab_is_seen_by_administrators_alone(cast: Cast) -> None:
    assert "/organization/single-sign-on/" in cast.admin.portal.get("/organization/").content.decode()
    assert "/organization/single-sign-on/" not in cast.manager.portal.get("/organization/").content.decode()


def test_the_admin_keeps_the_secret_when_none_is_given_and_scopes_what_staff_see(cast: Cast) -> None:
    made = cast.sample("connection")
    cast.admin.user.is_staff = True
    cast.admin.user.save(update_fields=["is_staff"])
    path = f"/admin/singlesignon/connection/{made.pk}/change/"
    form = {"short_name": "renamed", "issuer": NOWHERE, "client_id": "x", "role": "guest", "admission": "member"}
    form |= {"new_secret": "", "domain_names": f"{cast.canary}.example", "is_enabled": "on"}
    secret = made.secret
    assert cast.admin.portal.post(path, form).status_code == 302
    made = Connection.objects.get(pk=made.pk)
    assert (made.short_name, made.secret, made.admission) == ("renamed", secret, "member")
    assert AuditEvent.objects.filter(action="single_sign_on.changed").count() == 1
