"""Setting up, changing and removing an organization's single sign-on."""

from collections.abc import Iterable
from typing import Any

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from apps.accounts.services import sessions
from apps.core import auditing
from apps.core.errors import Conflict, Invalid, refuse_unknown
from apps.core.errors.inputs import invalid_of
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.core.outbound import OutboundError, origin_of
from apps.organizations.domains import domain_of, is_public, normal
from apps.organizations.models import Organization
from apps.singlesignon import actions
from apps.singlesignon.models import DOMAIN, Connection, Domain
from apps.singlesignon.protocol import WELL_KNOWN
from apps.singlesignon.selectors import accounts_of

FIELDS = ("short_name", "issuer", "client_id", "role", "admission", "is_enabled")
MOST_DOMAINS = 50
LONGEST_SECRET = 2000


@operation("singlesignon.connection_create", permission="singlesignon.add_connection", on="organization")
def connection_create(
    *, actor: Actor, organization: Organization, client_secret: str, domains: Iterable[str] = (), **fields: Any
) -> Connection:
    """Sets up the organization's single sign-on. Raises `Conflict` when it has one."""
    refuse_unknown(fields, FIELDS)
    organization = Organization.objects.select_for_update().get(pk=organization.pk)
    if Connection.objects.filter(organization=organization).exists():
        raise Conflict(_("This organization has single sign-on already."), code="connection_exists")
    connection = Connection(organization=organization, **_cleaned(fields))
    connection.client_secret = connection.seal(_checked_secret(client_secret))
    names = _checked_domains(actor, connection, domains)
    _check(connection)
    connection.save()
    Domain.objects.bulk_create(Domain(connection=connection, name=name) for name in names)
    shown = {name: getattr(connection, name) for name in FIELDS}
    auditing.record(actor, actions.CREATED, connection, after={**shown, "domains": names})
    return connection


@operation("singlesignon.connection_change", permission="singlesignon.change_connection", on="connection")
def connection_change(
    *,
    actor: Actor,
    connection: Connection,
    expected: int | None = None,
    client_secret: str | None = None,
    domains: Iterable[str] | None = None,
    **fields: Any,
) -> Connection:
    """Changes what is given. Another issuer needs the secret anew, and knows nobody yet.

    Switching it off, or another issuer or client, ends the sign-ins that were made by it.
    """
    refuse_unknown(fields, FIELDS)
    connection = (
        Connection.objects.select_for_update(of=("self",)).select_related("organization").get(pk=connection.pk)
    )
    connection.expect(expected)
    fields = _cleaned(fields)
    is_other = fields.get("issuer", connection.issuer) != connection.issuer
    if is_other and not client_secret:
        # Who may change the issuer could otherwise have the stored secret sent to themselves.
        message = _("Another issuer needs the client secret again.")
        raise Invalid(message, code="secret_needed", fields={"client_secret": [message]})
    if client_secret:
        fields["client_secret"] = connection.seal(_checked_secret(client_secret))
    before = sorted(connection.domains.values_list("name", flat=True))
    names = before if domains is None else _checked_domains(actor, connection, domains)
    for name, value in fields.items():
        setattr(connection, name, value)
    _check(connection)
    connection.refresh_from_db(fields=list(fields))
    changes = connection.change(**fields)
    has_new_secret = changes.pop("client_secret", None) is not None
    if names != before:
        connection.domains.exclude(name__in=names).delete()
        Domain.objects.bulk_create(Domain(connection=connection, name=name) for name in names if name not in before)
        changes["domains"] = (before, names)
    if is_other:
        accounts_of(connection).delete()
    if is_other or "client_id" in changes or (not connection.is_enabled and "is_enabled" in changes):
        sessions.end_vouched(connection.organization_id)
    facts = {"secret": "replaced"} if has_new_secret else {}
    auditing.record(actor, actions.CHANGED, connection, changes=changes, params=facts)
    return connection


@operation("singlesignon.connection_remove", permission="singlesignon.delete_connection", on="connection")
def connection_remove(*, actor: Actor, connection: Connection) -> None:
    """Removes it and ends the sign-ins made by it. People stay what they are and sign in with a password."""
    connection = (
        Connection.objects.select_for_update(of=("self",)).select_related("organization").get(pk=connection.pk)
    )
    ended = sessions.end_vouched(connection.organization_id)
    accounts_of(connection).delete()
    auditing.record(
        actor, actions.REMOVED, connection, before={"issuer": connection.issuer}, params={"ended_sign_ins": ended}
    )
    connection.delete()


def _cleaned(fields: dict[str, Any]) -> dict[str, Any]:
    """The issuer without what people copy along with it: the path of the discovery document, a slash at the end."""
    found = dict(fields)
    if "issuer" in found:
        found["issuer"] = str(found["issuer"]).strip().removesuffix(WELL_KNOWN).rstrip("/")
    return {name: value.strip() if isinstance(value, str) else value for name, value in found.items()}


def _check(connection: Connection) -> None:
    try:
        origin_of(connection.issuer)
    except OutboundError as error:
        message = _("Enter an address that begins with https:// and is not in a private network.")
        hint = _("Those who run the portal can allow it (OUTBOUND_PRIVATE_ORIGINS).")
        raise Invalid(message, code="issuer_refused", hint=hint, fields={"issuer": [message]}) from error
    same = Connection.objects.filter(short_name=connection.short_name).exclude(pk=connection.pk)
    if same.exists():
        message = _("Another organization has this short name.")
        raise Conflict(message, code="short_name_taken", fields={"short_name": [message]})
    try:
        connection.full_clean(exclude=["organization"], validate_constraints=False)
    except ValidationError as error:
        raise invalid_of(error) from error


def _checked_secret(secret: str) -> str:
    secret = secret.strip()
    if not secret or len(secret) > LONGEST_SECRET or not secret.isprintable():
        message = _("Enter the client secret as the provider shows it.")
        raise Invalid(message, code="secret_invalid", fields={"client_secret": [message]})
    return secret


def _checked_domains(actor: Actor, connection: Connection, domains: Iterable[str]) -> list[str]:
    """The names, each once, sorted. A new one has to be of an address that the actor has verified: it decides whose
    people come to this provider. Platform administrators may name any."""
    names = sorted({normal(name) or name.strip().lower() for name in domains if name.strip()})
    if len(names) > MOST_DOMAINS:
        raise _refused_domain(_("At most %(count)s domains.") % {"count": MOST_DOMAINS})
    known = set(connection.domains.values_list("name", flat=True)) if not connection._state.adding else set()
    own = EmailAddress.objects.filter(user_id=actor.user_id, verified=True).values_list("email", flat=True)
    proven = {domain_of(email) for email in own}
    for name in names:
        try:
            DOMAIN(name)
        except ValidationError as error:
            raise _refused_domain(f"{name}: {error.message}") from error
        if is_public(name):
            raise _refused_domain(_("%(name)s belongs to a public mail service.") % {"name": name})
        if name not in known | proven and not actor.is_platform:
            text = _("You have no verified address at %(name)s. Those who run the portal can enter it.")
            raise _refused_domain(text % {"name": name})
        if Domain.objects.filter(name=name).exclude(connection_id=connection.pk).exists():
            raise _refused_domain(_("Another organization signs in with %(name)s.") % {"name": name})
    return names


def _refused_domain(message: str) -> Invalid:
    return Invalid(message, code="domain_refused", fields={"domains": [message]})
