"""Portal pages of the chosen organization: what it uses, who belongs to it, its settings; and the page behind the link
that proves an address."""

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.logout import logout
from allauth.account.utils import perform_login
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core import policy
from apps.core.identity import Role
from apps.core.identity.middleware import CHOSEN_ORGANIZATION
from apps.core.identity.requests import PortalRequest
from apps.core.portal import error_messages, form_errors, page_of, search_of, signed_in
from apps.organizations import services
from apps.organizations.forms import AskForm, HeirForm, OrganizationForm, ProofForm, RoleForm
from apps.organizations.frame import framed, own_organization
from apps.organizations.models import Membership, MembershipState
from apps.organizations.services import addresses
from apps.organizations.services.handing_over import belongings_of, chooses_heir
from apps.organizations.services.memberships import grantable
from apps.organizations.services.quotas import uses

# So many of those who wait stand above the members.
WAITING_SHOWN = 10
COLORS = {"pending": "yellow", "active": "green", "suspended": "secondary"}


@signed_in
@require_GET
def overview(request: PortalRequest) -> HttpResponse:
    """What the organization uses of what it may."""
    organization = own_organization(request)
    return render(
        request,
        "organizations/overview.html",
        framed(request, organization, "overview") | {"uses": uses(organization)},
    )


@signed_in
@require_GET
def members(request: PortalRequest) -> HttpResponse:
    """Everybody, the first of those who wait above them; `?q=` searches names and addresses, `?state=pending` shows all
    who wait."""
    organization = own_organization(request)
    rows = Membership.objects.visible(request.actor).filter(organization=organization).select_related("user")
    pending = rows.filter(state=MembershipState.PENDING)
    waiting_only = request.GET.get("state") == MembershipState.PENDING
    waiting = [] if waiting_only else list(pending.order_by("pk")[: WAITING_SHOWN + 1])
    others = rows.exclude(state=MembershipState.PENDING).search(search_of(request))
    page = page_of(request, pending if waiting_only else others)
    roles = grantable(request.actor, organization.pk)
    may_manage = policy.allows(request.actor, "organizations.add_membership", organization)
    for row in page:
        row.is_self = row.user_id == request.actor.user_id
        row.is_below = may_manage and Role(row.role) in roles
        row.color = COLORS[row.state]
    context = framed(request, organization, "members") | {
        "waiting_only": waiting_only,
        "waiting": waiting[:WAITING_SHOWN],
        "more": f"{request.path}?state=pending" if len(waiting) > WAITING_SHOWN else "",
        "page": page,
        "roles": [(role.value, role.label) for role in roles],
        "may_manage": may_manage,
    }
    return render(request, "organizations/members.html", context)


@signed_in
@require_http_methods(["GET", "POST"])
def change(request: PortalRequest) -> HttpResponse:
    """The settings: shown to every member, changed by those who may."""
    organization = own_organization(request)
    if request.method == "POST":
        policy.require(request.actor, "organizations.change_organization", organization)
    form = OrganizationForm.of(request.POST or None, organization)
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            services.organization_change(actor=request.actor, organization=organization, **form.cleaned_data)
            messages.success(request, _("The organization was changed."))
            return redirect("organizations:change")
    context = framed(request, organization, "settings") | {"form": form}
    return render(request, "organizations/settings.html", context, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def ask(request: PortalRequest) -> HttpResponse:
    """One more organization, or the first one of somebody who belongs to none: founded, or asked for."""
    form = AskForm(request.POST or None)
    if form.is_valid():
        with form_errors(form):
            membership = services.organization_ask(actor=request.actor, **form.cleaned_data)
            return _asked(request, membership)
    return render(request, "organizations/ask.html", {"form": form}, status=422 if form.errors else 200)


def _asked(request: PortalRequest, membership: Membership | None) -> HttpResponse:
    """Says what came of it; one in which the person is a member at once is the chosen one from now on."""
    if membership is None:
        messages.warning(
            request, _("This organization takes people by invitation only. Its managers see that you asked.")
        )
        return redirect("dashboard")
    name = {"name": membership.organization}
    if membership.state != MembershipState.ACTIVE:
        messages.success(request, _("You asked to join %(name)s. One of its managers has to let you in.") % name)
        return redirect("dashboard")
    request.session[CHOSEN_ORGANIZATION] = str(membership.organization_id)
    is_founder = membership.role == Role.ADMIN
    text = (
        _("%(name)s is there, and you are its administrator.")
        if is_founder
        else _("You are a member of %(name)s now.")
    )
    messages.success(request, text % name)
    return redirect("organizations:overview" if is_founder else "dashboard")


def _membership(request: PortalRequest, pk: str, permission: str = "organizations.change_membership") -> Membership:
    """The membership, with which the person may do what they ask for."""
    membership = Membership.objects.select_related("user", "organization").get_visible(request.actor, pk=pk)
    policy.require(request.actor, permission, membership)
    return membership


@signed_in
@require_POST
def member_role(request: PortalRequest, pk: str) -> HttpResponse:
    membership = _membership(request, pk)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose a role."))
        return redirect("organizations:members")
    role = form.cleaned_data["role"]
    with error_messages(request):
        services.membership_change_role(actor=request.actor, membership=membership, role=role)
        messages.success(request, _("The role was changed."))
    return redirect("organizations:members")


@signed_in
@require_POST
def member_approve(request: PortalRequest, pk: str) -> HttpResponse:
    membership = _membership(request, pk)
    form = RoleForm(request.POST)
    role = form.cleaned_data["role"] if form.is_valid() else Role.ENGINEER_I
    with error_messages(request):
        services.membership_approve(actor=request.actor, membership=membership, role=role)
        messages.success(request, _("%(name)s is a member now.") % {"name": membership.user})
    return redirect("organizations:members")


@signed_in
@require_POST
def member_suspend(request: PortalRequest, pk: str) -> HttpResponse:
    membership = _membership(request, pk)
    with error_messages(request):
        services.membership_suspend(actor=request.actor, membership=membership)
        messages.success(request, _("%(name)s is suspended.") % {"name": membership.user})
    return redirect("organizations:members")


@signed_in
@require_POST
def member_reinstate(request: PortalRequest, pk: str) -> HttpResponse:
    membership = _membership(request, pk)
    with error_messages(request):
        services.membership_reinstate(actor=request.actor, membership=membership)
        messages.success(request, _("%(name)s is a member again.") % {"name": membership.user})
    return redirect("organizations:members")


@signed_in
@require_http_methods(["GET", "POST"])
def member_remove(request: PortalRequest, pk: str) -> HttpResponse:
    """Asks, before it removes, who takes over what the person alone answers for; everybody may leave."""
    membership = _membership(request, pk, "organizations.delete_membership")
    data = request.POST if request.method == "POST" else None
    form = HeirForm(data, actor=request.actor, membership=membership)
    is_self = membership.user_id == request.actor.user_id
    names_heir = not is_self or chooses_heir(request.actor.memberships, membership)
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            services.membership_remove(actor=request.actor, membership=membership, heir=form.cleaned_data["heir"])
            messages.success(request, _("The membership has ended."))
            return redirect("dashboard" if is_self else "organizations:members")
    context = framed(request, membership.organization, "members") | {
        "membership": membership,
        "is_self": is_self,
        "belongings": belongings_of(membership),
        "names_heir": names_heir,
        "form": form,
    }
    return render(request, "organizations/remove.html", context, status=422 if form.errors else 200)


# --- Behind the link that proves an address


@never_cache
@require_http_methods(["GET", "POST"])
def confirm_email(request: PortalRequest, key: str) -> HttpResponse:
    """Opening it changes nothing: mail scanners do that. `?new` asks for a new password instead of the account's."""
    address = addresses.address_of(key)
    if address is None or not address.can_set_verified():
        return render(request, "account/email_confirm.html", {"taken": address})
    may_choose = addresses.is_first(address)
    asks = "new_password" if may_choose and "new" in request.GET else "password"
    asks = "" if addresses.is_known_here(request, address) else asks
    form = ProofForm(request.POST if request.method == "POST" else None, asks=asks)
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            user = addresses.verify_email(request=request, key=key, by_page=True, **form.cleaned_data)
            if request.user.pk != user.pk:
                logout(request, show_message=False)
            if asks:
                return perform_login(request, user)
            return redirect(get_adapter(request).get_email_verification_redirect_url(address))
    context = {"address": address, "asks": asks, "may_choose": may_choose, "form": form}
    return render(request, "account/email_confirm.html", context, status=422 if form.errors else 200)
