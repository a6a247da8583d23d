"""People who leave for good: their account, and what is kept about them."""

from collections.abc import Mapping
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.services import lockout
from apps.accounts.services.people import require_another_platform_admin
from apps.accounts.services.sessions import end_everything
from apps.core import auditing
from apps.core.errors import Conflict, Forbidden, Invalid
from apps.core.identity import Actor, require_own_proof
from apps.core.operations import operation
from apps.departures import actions
from apps.departures.contributions import contributions, forgetting
from apps.departures.models import PersonErasure
from apps.departures.selectors import Leaving, leavings_of
from apps.departures.services.deletion import required_reason
from apps.organizations.models import Membership, Organization
from apps.organizations.services import membership_remove
from apps.organizations.services.handing_over import oldest_administrators

Heirs = Mapping[UUID, User]


def prove(request: HttpRequest, user: User, password: str) -> None:
    """Raises `Invalid` unless this is the person's password. Guessing it is paused as at sign-in."""
    ip = request.META.get("REMOTE_ADDR")
    lockout.attempt(user.email, ip)
    if not user.check_password(password):
        raise Invalid(_("The input is not valid."), fields={"password": [_("This is not your password.")]})
    lockout.forget(user.email, ip)


@operation("departures.account_delete")
def account_delete(*, actor: Actor, user: User, email: str, heirs: Mapping[UUID, UUID]) -> None:
    """Deletes one's own account; `email` is its address, typed by the person, who has just proven who they are.

    `heirs` (organization id → person id) take over what nobody else answers for; where the person sees no members, its
    oldest administrator does. `Conflict`: `last_admin` and `heir_needed` name the organizations in `params`.
    """
    if actor.user_id != user.pk:
        raise Forbidden(_("You may delete your own account only."))
    require_own_proof(actor)
    if email.strip().lower() != user.email:
        message = _("This is not the address of your account.")
        raise Invalid(_("The input is not valid."), code="email_differs", fields={"email": [message]})
    unseen = {leaving.organization.pk for leaving in leavings_of(user) if not leaving.chooses_heir}
    oldest = {pk: person for pk, person in oldest_administrators(user).items() if pk in unseen}
    _leave(user, _chosen(user, {pk: person for pk, person in heirs.items() if pk not in unseen}) | oldest)
    PersonErasure.objects.create(person_id=user.pk)
    target = auditing.Mention("accounts.user", str(user.pk), "")
    auditing.record(actor, actions.ACCOUNT_DELETED, None, about=[target])


@operation("departures.person_erase", permission="departures.add_personerasure", on="user")
def person_erase(*, actor: Actor, user: User, reason: str) -> PersonErasure:
    """Deletes somebody's account, for platform administrators. What nobody else answers for goes to the administrator
    of the organization who has been there longest."""
    reason = required_reason(reason)
    if actor.user_id == user.pk:
        raise Forbidden(_("Another administrator has to do this."))
    _leave(user, oldest_administrators(user))
    target = auditing.Mention("accounts.user", str(user.pk), "")
    auditing.record(actor, actions.PERSON_ERASED, None, about=[target], params={"reason": reason})
    return PersonErasure.objects.create(person_id=user.pk, erased_by=actor.user, reason=reason)


def _leave(user: User, heirs: Heirs) -> None:
    """Out of every organization, those that wait for their deletion too, signed out everywhere, and forgotten."""
    person_id = user.pk
    require_another_platform_admin(user)
    user = User.objects.select_for_update().get(pk=person_id)
    # Of two administrators who leave at once, one comes first, and the other is the last.
    own = Membership.objects.filter(user=user).values("organization_id")
    list(Organization.objects.select_for_update().filter(pk__in=own).order_by("pk"))
    leavings = leavings_of(user)
    _check_not_last(leavings)
    _check_heirs(leavings, heirs)
    for leaving in leavings:
        heir = heirs.get(leaving.organization.pk) if leaving.belongings else None
        membership_remove(actor=Actor.system("departures"), membership=leaving.membership, heir=heir)
    end_everything(user)
    subjects = [found for app in contributions() if app.erase is not None for found in app.erase(user)]
    # By a queryset: the row in hand keeps its id, which the audit events name.
    User.objects.filter(pk=person_id).delete()
    if forgetting.person is not None:
        for subject in [person_id, *subjects]:
            forgetting.person(subject)


def _check_not_last(leavings: list[Leaving]) -> None:
    last = [leaving.organization for leaving in leavings if leaving.is_last_admin]
    if last:
        raise Conflict(
            _("These organizations would have no administrator: %(names)s.") % {"names": ", ".join(map(str, last))},
            code="last_admin",
            hint=_("Make somebody else an administrator there, or delete the organization, first."),
            params={"organizations": _named(last)},
        )


def _check_heirs(leavings: list[Leaving], heirs: Heirs) -> None:
    needed = [leaving for leaving in leavings if leaving.belongings and leaving.organization.pk not in heirs]
    if needed:
        names = [name for leaving in needed for name in leaving.belongings]
        raise Conflict(
            _("Somebody has to take over what this person alone answers for: %(what)s.") % {"what": ", ".join(names)},
            code="heir_needed",
            hint=_("Name a member who takes it over."),
            params={"organizations": _named([leaving.organization for leaving in needed])},
        )


def _chosen(user: User, given: Mapping[UUID, UUID]) -> dict[UUID, User]:
    """The people named. Who is no active member of the person's own organization is no successor, whoever they are."""
    own = Membership.objects.filter(user=user).values("organization_id")
    rows = Membership.objects.active().filter(organization__in=own, user_id__in=given.values()).exclude(user=user)
    members = {(row.organization_id, row.user_id): row.user for row in rows.select_related("user")}
    if not all(pair in members for pair in given.items()):
        message = _("Choose an active member of the organization.")
        raise Invalid(message, code="heir_invalid", fields={"heirs": [message]})
    return {organization_id: members[organization_id, person] for organization_id, person in given.items()}


def _named(organizations: list[Organization]) -> list[dict[str, str]]:
    return [{"id": str(organization.pk), "name": str(organization)} for organization in organizations]
