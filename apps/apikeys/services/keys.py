"""Keys: made, changed, given a new secret, revoked, and recognised.

A secret is returned by the operation that made it and is never there again.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.apikeys import actions
from apps.apikeys.models import ApiKey, ApiKeySecret, KeyState
from apps.apikeys.scopes import completed
from apps.apikeys.secret_text import SHOWN, digest_of, is_well_formed, new_secret
from apps.apikeys.selectors import grant_of
from apps.core import auditing, policy
from apps.core.errors import Conflict, Forbidden, Invalid, refuse_unknown
from apps.core.errors.inputs import invalid_of
from apps.core.identity import Actor, KeyGrant, KeyRefused, require_own_proof
from apps.core.operations import ingest, operation
from apps.organizations.models import Membership, Organization
from apps.projects.models import Project

LONGEST = timedelta(days=366)
LONGEST_OVERLAP_HOURS = 168
#: Live keys that one person may have in one organization.
MOST_KEYS = 100
KEPT_SECRETS = 4
USE_NOTED_EVERY = timedelta(seconds=60)
CHANGEABLE = ("name", "expires_at", "calls_per_minute")


@operation("apikeys.key_create", permission="apikeys.add_apikey", on="organization")
def key_create(
    *,
    actor: Actor,
    organization: Organization,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime,
    projects: Iterable[Project] | None = None,
    calls_per_minute: int | None = None,
) -> tuple[ApiKey, str]:
    """A key of the actor's, and its secret. Without `projects` it reaches all that its owner reaches.

    Scopes are completed by those that they are useless without (`view_…` of what they act on). A key that makes a key
    cannot give it more than it has itself. A sign-in by an organization's provider makes none, which would outlast it.
    """
    require_own_proof(actor)
    if actor.user is None:
        raise Forbidden(_("Only people have API keys."))
    # Keys of one person are made one after the other.
    member = Membership.objects.select_for_update().active().filter(organization=organization, user=actor.user)
    if not member.exists():
        raise Forbidden(_("Only members of the organization can have API keys for it."), code="not_a_member")
    key = ApiKey(
        organization=organization,
        owner=actor.user,
        name=name.strip(),
        scopes=sorted(_given(actor, organization, scopes)),
        limited_to_projects=projects is not None,
        expires_at=_end(expires_at),
        calls_per_minute=calls_per_minute,
    )
    within = _given_projects(actor, organization, projects)
    _check_not_above_own_key(actor, key, within)
    if ApiKey.objects.live().filter(owner=actor.user, organization=organization).count() >= MOST_KEYS:
        raise Conflict(_("You have too many API keys."), code="too_many_keys", hint=_("Revoke those not in use."))
    _check(key)
    key.save()
    key.projects.set(within or ())
    auditing.record(actor, actions.CREATED, key, after=_told(key, within))
    return key, _new_secret(key)


@operation("apikeys.key_change", permission="apikeys.change_apikey", on="key")
def key_change(*, actor: Actor, key: ApiKey, expected: int | None = None, **fields: Any) -> ApiKey:
    """Changes name, end or limit of a live key."""
    refuse_unknown(fields, CHANGEABLE)
    key = _locked_live(key)
    key.expect(expected)
    if "expires_at" in fields:
        fields["expires_at"] = _end(fields["expires_at"])
    if "name" in fields:
        fields["name"] = fields["name"].strip()
    draft = ApiKey.objects.get(pk=key.pk)
    for name, value in fields.items():
        setattr(draft, name, value)
    _check_not_above_own_key(actor, draft, _projects(key))
    _check(draft)
    auditing.record(actor, actions.CHANGED, key, changes=key.change(**fields))
    return key


@operation("apikeys.key_rotate", permission="apikeys.change_apikey", on="key")
def key_rotate(*, actor: Actor, key: ApiKey, overlap_hours: int = 24) -> tuple[ApiKey, str]:
    """A new secret for a live key. The one before ends after the overlap, an older one at once.

    For the owner alone, who has proven it themselves: a secret of somebody else's key would be somebody else's rights.
    """
    require_own_proof(actor)
    key = _locked_live(key)
    if actor.user_id != key.owner_id:
        raise Forbidden(_("Only the owner of a key can have a new secret for it."), code="not_the_owner")
    if not 0 <= overlap_hours <= LONGEST_OVERLAP_HOURS:
        message = _("Between 0 and %(most)s hours.") % {"most": LONGEST_OVERLAP_HOURS}
        raise Invalid(message, fields={"overlap_hours": [message]})
    _check_not_above_own_key(actor, key, _projects(key))
    now = timezone.now()
    key.secrets.filter(expires_at__gt=now).update(expires_at=now)
    key.secrets.filter(expires_at__isnull=True).update(expires_at=now + timedelta(hours=overlap_hours))
    # The last ones are shown; those before are in the audit log.
    key.secrets.exclude(pk__in=list(key.secrets.order_by("-id").values_list("pk", flat=True)[:KEPT_SECRETS])).delete()
    key.change(updated_at=now)
    secret = _new_secret(key)
    auditing.record(
        actor, actions.ROTATED, key, params={"overlap_hours": overlap_hours}, after={"secret": secret[:SHOWN]}
    )
    return key, secret


@operation("apikeys.key_revoke", permission="apikeys.revoke_apikey", on="key")
def key_revoke(*, actor: Actor, key: ApiKey) -> ApiKey:
    """Ends the key, for ever: the next request with it is refused, its open sockets are closed within seconds."""
    key = ApiKey.objects.select_for_update().get(pk=key.pk)
    if key.revoked_at is not None:
        raise Conflict(_("This API key was revoked already."), code="already_revoked")
    key.change(revoked_at=timezone.now(), revoked_by=actor.user)
    auditing.record(actor, actions.REVOKED, key, before={"state": "active"}, after={"state": "revoked"})
    return key


def member_release(actor: Actor, membership: Membership, heir: User | None) -> None:
    """Ends the keys of a person who is taken out of the organization, so that none works again if they come back.
    Part of the operation that removes them."""
    keys = ApiKey.objects.select_for_update().filter(
        organization_id=membership.organization_id, owner_id=membership.user_id, revoked_at__isnull=True
    )
    for key in keys:
        key.change(revoked_at=timezone.now(), revoked_by=actor.user)


@operation("apikeys.outside_scope_note")
def outside_scope_note(*, actor: Actor, key: ApiKey, request: str, lacking: list[str], status: int) -> None:
    """Writes down that the actor's key was refused what it was not given; the refusal itself undid everything."""
    if actor.key_id != key.pk:
        raise Forbidden(_("This is noted of the key at hand alone."))
    auditing.record(
        actor, actions.OUTSIDE_SCOPE, key, params={"request": request, "lacking": lacking, "status": status}
    )


@ingest("apikeys.key_note_use")
def key_note_use(*, key: ApiKey) -> None:
    """Notes that the key was used; of many uses in a minute one is written."""
    now = timezone.now()
    thin = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - USE_NOTED_EVERY)
    ApiKey.objects.filter(thin, pk=key.pk).update(last_used_at=now)


def grant_of_secret(text: str) -> KeyGrant:
    """What a presented key allows at this moment. Raises `KeyRefused`; a mistyped key costs no query."""
    if not is_well_formed(text):
        raise KeyRefused("key_invalid")
    secrets = ApiKeySecret.objects.select_related("key__owner")
    found = secrets.filter(digest=digest_of(text)).first()
    if found is None or not found.key.owner.is_active:
        raise KeyRefused("key_invalid")
    key = found.key
    if key.revoked_at is not None:
        raise KeyRefused("key_revoked")
    if key.state != KeyState.ACTIVE or not found.is_live:
        raise KeyRefused("key_expired")
    if key.last_used_at is None or key.last_used_at < timezone.now() - USE_NOTED_EVERY:
        key_note_use(key=key)
    return grant_of(key)


def _new_secret(key: ApiKey) -> str:
    secret = new_secret()
    ApiKeySecret.objects.create(key=key, shown=secret[:SHOWN], digest=digest_of(secret))
    return secret


def _locked_live(key: ApiKey) -> ApiKey:
    key = ApiKey.objects.select_for_update().get(pk=key.pk)
    if key.state != KeyState.ACTIVE:
        raise Conflict(
            _("This API key has ended."), code="key_ended", hint=_("Make a new one; keys that ended do not come back.")
        )
    return key


def _projects(key: ApiKey) -> list[Project] | None:
    return list(key.projects.all()) if key.limited_to_projects else None


def _end(moment: datetime) -> datetime:
    now = timezone.now()
    if not now < moment <= now + LONGEST:
        message = _("It has to be in the future, within %(days)s days.") % {"days": LONGEST.days}
        raise Invalid(message, fields={"expires_at": [message]})
    return moment


def _given(actor: Actor, organization: Organization, scopes: Iterable[str]) -> frozenset[str]:
    """The permissions, completed. Raises `Invalid` for one that is none, or that the actor could hold nowhere."""
    wanted, known = frozenset(scopes), set(policy.names())
    owner = actor.bound_to(organization.pk)
    wrong = sorted(name for name in wanted if name not in known or not policy.anywhere(owner, name))
    if wrong or not wanted:
        told = [_("You do not have the permission %(name)s.") % {"name": name} for name in wrong]
        raise Invalid(_("The input is not valid."), fields={"scopes": told or [_("Choose at least one permission.")]})
    completing = completed(wanted) - wanted
    return wanted | {name for name in completing if policy.anywhere(owner, name)}


def _given_projects(
    actor: Actor, organization: Organization, projects: Iterable[Project] | None
) -> list[Project] | None:
    if projects is None:
        return None
    wanted = {project.pk for project in projects}
    found = list(Project.objects.visible(actor).filter(pk__in=wanted, organization=organization).order_by("pk"))
    if not found or len(found) != len(wanted):
        message = _("Choose projects of this organization.")
        raise Invalid(message, fields={"project_ids": [message]})
    return found


def _check_not_above_own_key(actor: Actor, key: ApiKey, projects: list[Project] | None) -> None:
    """Where a key makes or changes keys: none may do more, reach more, call more often or last longer than
    the one at hand."""
    if actor.key_id is None:
        return
    own = ApiKey.objects.get(pk=actor.key_id)
    reach = _projects(own)
    more = set(key.scopes) - set(own.scopes)
    wider = reach is not None and (projects is None or {row.pk for row in projects} - {row.pk for row in reach})
    most, given = own.calls_per_minute, key.calls_per_minute
    faster = most is not None and (given is None or given > most)
    if more or wider or faster or key.expires_at > own.expires_at:
        raise Forbidden(
            _("A key cannot give more than it has itself."),
            code="above_own_key",
            hint=_("Permissions, projects, expiry and calls per minute are limited to its own."),
            params={"permissions": sorted(more)},
        )


def _check(key: ApiKey) -> None:
    try:
        key.clean_fields(exclude=["organization", "owner", "revoked_by"])
    except ValidationError as error:
        raise invalid_of(error) from error
    same = ApiKey.objects.filter(
        owner_id=key.owner_id, organization_id=key.organization_id, name=key.name, revoked_at__isnull=True
    )
    if same.exclude(pk=key.pk).exists():
        message = _("You have an API key of this name.")
        raise Conflict(message, code="name_taken", fields={"name": [message]})


def _told(key: ApiKey, projects: list[Project] | None) -> dict[str, Any]:
    """What the audit log says of a new key."""
    return {
        "name": key.name,
        "scopes": key.scopes,
        "projects": "" if projects is None else ", ".join(project.name for project in projects),
        "expires_at": key.expires_at,
        "calls_per_minute": key.calls_per_minute,
    }
