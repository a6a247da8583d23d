"""Organizations and who belongs to them."""

from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.services import sessions
from apps.accounts.services.factors import has_factor
from apps.core import auditing, policy
from apps.core.auditing import Personal
from apps.core.errors import Conflict, Forbidden, Invalid, NotFound, refuse_unknown
from apps.core.identity import Actor, Role
from apps.core.operations import operation
from apps.organizations import actions
from apps.organizations.models import JoinPolicy, Membership, MembershipState, Organization
from apps.organizations.services import barring, quotas
from apps.organizations.services.domains import domain_by_which, domains_taken, require_domain
from apps.organizations.services.handing_over import chooses_heir, hand_over, oldest_administrators

#: Organizations that one person may have founded and administer still: who wants more asks the platform.
MOST_FOUNDED = 10


@operation("organizations.organization_create")
def organization_create(*, actor: Actor, company: str, division: str = "", admin: User) -> Organization:
    """A new organization with its first administrator. For the platform's own use."""
    if not actor.is_platform:
        raise Forbidden(_("Only platform administrators create organizations."))
    if Organization.objects.named(company, division).exists():
        raise Conflict(_("This organization exists already."), code="organization_exists")
    organization = _new_organization(company, division)
    Membership.objects.create(organization=organization, user=admin, role=Role.ADMIN, state=MembershipState.ACTIVE)
    auditing.record(
        actor,
        actions.ORGANIZATION_CREATED,
        organization,
        organization_id=organization.pk,
        after={"admin": Personal(admin.email, admin.pk)},
    )
    return organization


@operation("organizations.organization_join")
def organization_join(*, actor: Actor, user: User) -> Membership | None:
    """Acts on what a person asked for at sign-up, once the address is verified.

    A company and division that nobody has yet becomes an organization with this person as its administrator. In an
    existing one the person is a member at once where its domains let them in and a seat is left, and waits without any
    right elsewhere. Returns None where joining is by invitation only, and where the organization waits for its deletion.
    """
    # Others may add memberships of the person meanwhile; the organization is locked after the person.
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    company, division = user.signup_company.strip(), user.signup_division.strip()
    if not company:
        raise Conflict(_("Nothing was asked for."), code="nothing_requested")
    user.change(signup_company="", signup_division="")
    return _joined(actor, user, company, division)


@operation("organizations.organization_ask")
def organization_ask(*, actor: Actor, company: str, division: str = "") -> Membership | None:
    """What `organization_join` does, for a person who has an account already: they found one more organization, or ask to
    join one that is there.

    Raises `Forbidden` for programs with a key, for a sign-in by an organization's provider, and without a verified
    address; `Conflict` where the person belongs there, or asked, and where they found too many.
    """
    if actor.user is None or actor.bound_organization_id is not None:
        raise Forbidden(
            _("This sign-in is for one organization alone."), hint=_("Sign in with your address and password.")
        )
    user = User.objects.select_for_update(no_key=True).get(pk=actor.user_id)
    if not EmailAddress.objects.filter(user=user, verified=True).exists():
        raise Forbidden(_("Verify your address first."), code="address_unverified")
    own = Membership.objects.filter(user=user)
    there = own.filter(organization__in=Organization.objects.named(company.strip(), division.strip())).first()
    if there is not None and there.state == MembershipState.PENDING:
        raise Conflict(_("You have asked already. One of its managers has to let you in."), code="already_asked")
    if there is not None:
        raise Conflict(_("You belong to this organization already."), code="already_member")
    founds = not Organization.objects.named(company.strip(), division.strip()).exists()
    if founds and own.filter(role=Role.ADMIN, state=MembershipState.ACTIVE).count() >= MOST_FOUNDED:
        raise Conflict(
            _("You administer %(most)s organizations already.") % {"most": MOST_FOUNDED},
            code="organizations_too_many",
            hint=_("Ask those who run the platform for another one."),
        )
    return _joined(actor, user, company.strip(), division.strip())


def _joined(actor: Actor, user: User, company: str, division: str) -> Membership | None:
    """The user is locked."""
    found = Organization.objects.select_for_update(no_key=True).named(company, division).first()
    name = Personal(user.name, user.pk)
    if found is None:
        organization = _new_organization(company, division)
        membership = Membership.objects.create(
            organization=organization, user=user, role=Role.ADMIN, state=MembershipState.ACTIVE
        )
        auditing.record(
            actor, actions.ORGANIZATION_CREATED, organization, organization_id=organization.pk, after={"admin": name}
        )
        return membership
    if found.join_policy == JoinPolicy.INVITATION or found.closure:
        auditing.record(actor, actions.MEMBERSHIP_REQUESTED, None, organization_id=found.pk, name=name)
        return None
    domain = domain_by_which(found, user)
    at_once = domain != "" and quotas.has_seat(found) and not barring.is_barred(found.pk, user)
    defaults = {"role": found.join_role, "state": MembershipState.ACTIVE} if at_once else {"role": Role.ENGINEER_I}
    membership, created = Membership.objects.get_or_create(organization=found, user=user, defaults=defaults)
    if created and at_once:
        auditing.record(
            actor,
            actions.MEMBERSHIP_JOINED,
            membership,
            name=name,
            after={"role": membership.role, "state": membership.state},
            params={"domain": domain},
        )
    else:
        auditing.record(actor, actions.MEMBERSHIP_REQUESTED, membership, name=name)
    return membership


@operation("organizations.organization_change", permission="organizations.change_organization", on="organization")
def organization_change(
    *, actor: Actor, organization: Organization, expected: int | None = None, **fields: Any
) -> Organization:
    """Changes company, division, how people join, whether members need a second factor, and whether its datasets may
    be public."""
    known = {"company", "division", "join_policy", "join_domains", "join_role", "require_mfa", "allows_public"}
    refuse_unknown(fields, known)
    shut_out = actor.user is not None and not actor.is_platform_admin and not has_factor(actor.user)
    if fields.get("require_mfa") and shut_out:
        message = _("Set up a second factor of your own first: without one you would be shut out.")
        raise Invalid(message, code="mfa_setup_required", fields={"require_mfa": [message]})
    organization = Organization.objects.select_for_update().get(pk=organization.pk)
    organization.expect(expected)
    if "join_domains" in fields:
        fields["join_domains"] = domains_taken(actor, organization, fields["join_domains"])
    require_domain(
        fields.get("join_policy", organization.join_policy), fields.get("join_domains", organization.join_domains)
    )
    for name, value in fields.items():
        setattr(organization, name, value)
    organization.full_clean()
    organization.refresh_from_db(fields=list(fields))
    changes = organization.change(**fields)
    auditing.record(
        actor, actions.ORGANIZATION_CHANGED, organization, organization_id=organization.pk, changes=changes
    )
    return organization


@operation("organizations.membership_add", permission="organizations.add_membership", on="organization")
def membership_add(*, actor: Actor, organization: Organization, user: User, role: Role) -> Membership:
    """Adds a person at once, with a role that the actor may grant."""
    require_grantable(actor, organization, role)
    quotas.require_seat(organization.pk)
    membership, created = Membership.objects.get_or_create(
        organization=organization, user=user, defaults={"role": role, "state": MembershipState.ACTIVE}
    )
    if not created:
        raise Conflict(_("This person is a member already."), code="already_member")
    barring.let_in(membership)
    auditing.record(
        actor, actions.MEMBERSHIP_ADDED, membership, name=Personal(user.name, user.pk), after={"role": role}
    )
    return membership


@operation("organizations.membership_approve", permission="organizations.change_membership", on="membership")
def membership_approve(*, actor: Actor, membership: Membership, role: Role = Role.ENGINEER_I) -> Membership:
    """Lets a person in who asked to join."""
    membership = _locked(membership)
    if membership.state != MembershipState.PENDING:
        raise Conflict(_("This membership is not waiting for approval."), code="not_pending")
    require_grantable(actor, membership.organization, role)
    quotas.require_seat(membership.organization_id)
    changes = membership.change(state=MembershipState.ACTIVE, role=role)
    barring.let_in(membership)
    auditing.record(actor, actions.MEMBERSHIP_APPROVED, membership, name=_person(membership), changes=changes)
    return membership


@operation("organizations.membership_change_role", permission="organizations.change_membership", on="membership")
def membership_change_role(
    *, actor: Actor, membership: Membership, role: Role, expected: int | None = None
) -> Membership:
    """Gives another role; the last administrator keeps theirs."""
    membership = _locked(membership)
    membership.expect(expected)
    require_grantable(actor, membership.organization, Role(membership.role))
    require_grantable(actor, membership.organization, role)
    if role != Role.ADMIN:
        _check_not_last_admin(membership)
    changes = membership.change(role=role)
    auditing.record(actor, actions.MEMBERSHIP_ROLE_CHANGED, membership, name=_person(membership), changes=changes)
    return membership


@operation("organizations.membership_suspend", permission="organizations.change_membership", on="membership")
def membership_suspend(*, actor: Actor, membership: Membership) -> Membership:
    """Takes every right away at once, and keeps the place; the last administrator keeps theirs."""
    membership = _locked(membership)
    if membership.state != MembershipState.ACTIVE:
        raise Conflict(_("This membership is not active."), code="not_active")
    require_grantable(actor, membership.organization, Role(membership.role))
    _check_not_last_admin(membership)
    changes = membership.change(state=MembershipState.SUSPENDED)
    sessions.end_vouched(membership.organization_id, membership.user)
    auditing.record(actor, actions.MEMBERSHIP_SUSPENDED, membership, name=_person(membership), changes=changes)
    return membership


@operation("organizations.membership_reinstate", permission="organizations.change_membership", on="membership")
def membership_reinstate(*, actor: Actor, membership: Membership) -> Membership:
    """Gives a suspended person their role back; it takes a seat again."""
    membership = _locked(membership)
    if membership.state != MembershipState.SUSPENDED:
        raise Conflict(_("This membership is not suspended."), code="not_suspended")
    require_grantable(actor, membership.organization, Role(membership.role))
    quotas.require_seat(membership.organization_id)
    changes = membership.change(state=MembershipState.ACTIVE)
    auditing.record(actor, actions.MEMBERSHIP_REINSTATED, membership, name=_person(membership), changes=changes)
    return membership


@operation("organizations.membership_remove", permission="organizations.delete_membership", on="membership")
def membership_remove(*, actor: Actor, membership: Membership, heir: User | None = None) -> None:
    """Ends a membership: somebody's below the actor, or the actor's own.

    What the person alone answers for goes to `heir`, an active member; without one it is refused (`heir_needed`, with
    what it is in `params`). Who leaves and sees no members names nobody: it goes to the oldest administrator.
    """
    membership = _locked(membership)
    if membership.user_id != actor.user_id:
        require_grantable(actor, membership.organization, Role(membership.role))
    _check_not_last_admin(membership)
    if heir is not None and not _is_heir(membership, heir):
        message = _("Choose an active member of the organization.")
        raise Invalid(message, code="heir_invalid", fields={"heir": [message]})
    is_unseen = membership.user_id == actor.user_id and not chooses_heir(actor.memberships, membership)
    if is_unseen:
        heir = oldest_administrators(membership.user).get(membership.organization_id)
    handed = hand_over(actor, membership, heir)
    # The event is the leaver's too: it names nobody whom they do not see.
    taker = heir and (str(heir.pk) if is_unseen else Personal(heir.name, heir.pk))
    auditing.record(
        actor,
        actions.MEMBERSHIP_REMOVED,
        membership,
        name=_person(membership),
        before={"role": membership.role, "state": membership.state, "handed_over": handed},
        after={"heir": taker} if taker and handed else None,
    )
    sessions.end_vouched(membership.organization_id, membership.user)
    barring.bar(actor, membership)
    membership.delete()


def _is_heir(membership: Membership, heir: User) -> bool:
    members = Membership.objects.active().filter(organization_id=membership.organization_id)
    return members.filter(user=heir).exclude(pk=membership.pk).exists()


def _locked(membership: Membership) -> Membership:
    """The membership, with its organization locked first: two administrators cannot remove each other at once."""
    Organization.objects.select_for_update().get(pk=membership.organization_id)
    rows = Membership.objects.select_for_update(of=("self",)).select_related("organization", "user")
    found = rows.filter(pk=membership.pk).first()
    if found is None:
        raise NotFound()
    return found


def _check_not_last_admin(membership: Membership) -> None:
    others = Membership.objects.active().filter(organization_id=membership.organization_id, role=Role.ADMIN)
    is_admin = membership.role == Role.ADMIN and membership.state == MembershipState.ACTIVE
    if is_admin and not others.exclude(pk=membership.pk).exists():
        raise Conflict(
            _("An organization needs an administrator."),
            code="last_admin",
            hint=_("Make somebody else an administrator first."),
        )


def _new_organization(company: str, division: str) -> Organization:
    organization = Organization(company=company.strip(), division=division.strip())
    # Whether the name is free the database says, also where two ask at once.
    organization.full_clean(validate_constraints=False)
    organization.save()
    return organization


def require_grantable(actor: Actor, organization: Organization, role: Role, refusal: str = "") -> None:
    """Raises `Forbidden` (`role_above_own`) for a role that the actor may not grant; `refusal` is its message, in which
    `%(role)s` is the role."""
    if actor.is_system or role in grantable(actor, organization.pk):
        return
    lack = policy.lack_of_role(actor, "organizations.add_membership", organization, Role.ADMIN)
    message = (refusal or _("You cannot grant or change the role %(role)s.")) % {"role": role.label}
    raise Forbidden(message, code="role_above_own", hint=lack.text, params=lack.facts)


def grantable(actor: Actor, organization_id: UUID) -> list[Role]:
    """The roles that the actor may grant in the organization, the highest first: administrators every one, managers
    those below their own."""
    own = actor.memberships.get(organization_id, Role.GUEST)
    every = sorted(Role, key=lambda role: role.rank, reverse=True)
    if actor.is_platform_admin or own == Role.ADMIN:
        return every
    return [role for role in every if own == Role.MANAGER and role.rank < own.rank]


def _person(membership: Membership) -> Personal:
    return Personal(membership.user.name, membership.user_id)
