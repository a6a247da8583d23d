"""Pages of those who invite, and the page behind the mailed link."""

from typing import Any

from allauth.account.utils import perform_login
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core import policy
from apps.core.errors import NotFound
from apps.core.identity.context_processors import mail_kept
from apps.core.identity.middleware import CHOSEN_ORGANIZATION
from apps.core.identity.requests import PortalRequest
from apps.core.portal import error_messages, form_errors, page_of, search_of, signed_in
from apps.invitations import selectors, services
from apps.invitations.forms import BulkForm, InviteForm, SignUpForm
from apps.invitations.models import Invitation, InvitationState
from apps.invitations.targets import target_named, target_of
from apps.organizations.models import Organization
from apps.organizations.services import quotas


@signed_in
@require_GET
def invitation_list(request: PortalRequest) -> HttpResponse:
    """Invitations of the chosen organization to what the person may invite to; `?q=` and `?state=` narrow them."""
    rows = Invitation.objects.visible(request.actor).filter(organization=request.actor.organization_id)
    state, search = request.GET.get("state", ""), search_of(request)
    if state in InvitationState.values:
        rows = rows.filter(state=state)
    page = page_of(request, rows.search(search).select_related("invited_by"))
    managed = Organization.objects.permitted(request.actor, "organizations.add_membership")
    context = {
        "page": page,
        "rows": selectors.described(page.rows),
        "states": InvitationState.choices,
        "state": state,
        "filtered": bool(search or state),
        "may_add": managed.filter(pk__in=[request.actor.organization_id]).exists(),
        "needed": policy.rule_of("organizations.add_membership").needs,
    }
    return render(request, "invitations/list.html", context)


def _wanted(request: PortalRequest) -> Any:
    """What `?type=` and `?id=` name, else the chosen organization; the person may invite to it."""
    name = request.GET.get("type", "organization")
    pk = request.GET.get("id") or request.actor.organization_id
    if pk is None:
        raise NotFound()
    target = selectors.target_for(request.actor, name, pk)
    policy.require(request.actor, target_named(name).permission, target)
    return target


def _inviting(request: PortalRequest, target: Any, **context: Any) -> dict[str, Any]:
    kind = target_of(target)
    forms = {"actor": request.actor, "kind": kind, "target": target}
    query = f"?type={kind.name}&id={target.pk}"
    return {
        "target": target,
        "kind": kind,
        "form": InviteForm(**forms),
        "bulk_form": BulkForm(prefix="bulk", **forms),
        "bulk_action": reverse("invitations:bulk") + query,
        "has_seat": quotas.has_seat(getattr(target, "organization", target)),
        "back": "" if kind.name == "organization" else target.get_absolute_url(),
        **context,
    }


@signed_in
@require_http_methods(["GET", "POST"])
def invitation_create(request: PortalRequest) -> HttpResponse:
    target = _wanted(request)
    form = InviteForm(request.POST or None, actor=request.actor, kind=target_of(target), target=target)
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            found = services.invitation_create(actor=request.actor, target=target, **form.cleaned_data)
            joined = found.outcome == "joined"
            messages.success(request, _("The member joined at once.") if joined else _on_its_way())
            return redirect(_back(request))
    status = 422 if form.errors else 200
    return render(request, "invitations/form.html", _inviting(request, target, form=form), status=status)


@signed_in
@require_POST
def invitation_bulk(request: PortalRequest) -> HttpResponse:
    """Invites from a file, and shows what became of each line."""
    target = _wanted(request)
    shared = {"actor": request.actor, "kind": target_of(target), "target": target}
    form = BulkForm(request.POST, request.FILES, prefix="bulk", **shared)
    lines = None
    if form.is_valid():
        fields = form.cleaned_data
        with form_errors(form):
            lines = services.invitations_create(
                actor=request.actor, target=target, text=fields["file"], role=fields["role"], message=fields["message"]
            )
    context = _inviting(request, target, bulk_form=form, lines=lines)
    return render(request, "invitations/form.html", context, status=422 if form.errors else 200)


@signed_in
@require_POST
def invitation_resend(request: PortalRequest, pk: str) -> HttpResponse:
    invitation = Invitation.objects.get_visible(request.actor, pk=pk)
    with error_messages(request):
        services.invitation_resend(actor=request.actor, invitation=invitation)
        kept, sent = (
            _("A new mail was made; the old link is dead."),
            _("A new mail is on its way; the old link is dead."),
        )
        messages.success(request, kept if mail_kept() else sent)
    return redirect(_back(request))


@signed_in
@require_POST
def invitation_cancel(request: PortalRequest, pk: str) -> HttpResponse:
    invitation = Invitation.objects.get_visible(request.actor, pk=pk)
    with error_messages(request):
        services.invitation_cancel(actor=request.actor, invitation=invitation)
        messages.success(request, _("The invitation was withdrawn."))
    return redirect(_back(request))


def _on_its_way() -> str:
    return (
        _("The invitation was made; no mail leaves this portal.")
        if mail_kept()
        else _("The invitation is on its way.")
    )


def _back(request: PortalRequest) -> str:
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if safe else reverse("invitations:list")


# --- Behind the link


@never_cache
@require_GET
def invite(request: PortalRequest, token: str) -> HttpResponse:
    """What the link invites to, with the ways to answer. Opening it changes nothing: mail scanners do that."""
    return _invite_page(request, token, SignUpForm())


def _invite_page(request: PortalRequest, token: str, form: SignUpForm, status: int = 200) -> HttpResponse:
    invitation = selectors.invitation_of(token)
    context = {
        "token": token,
        "invitation": invitation,
        "shown": selectors.described([invitation])[0] if invitation.is_open else None,
        "form": form,
        "is_invited": selectors.is_invited(request.actor, invitation),
        "login_href": f"{reverse('account_login')}?next={reverse('invitations:invite', args=[token])}",
    }
    return render(request, "invitations/invite.html", context, status=status)


@never_cache
@require_POST
def accept(request: PortalRequest, token: str) -> HttpResponse:
    if request.actor.user is None:
        return redirect(f"{reverse('account_login')}?next={reverse('invitations:invite', args=[token])}")
    answer: HttpResponse = redirect("invitations:invite", token=token)
    with error_messages(request):
        answer = _welcome(request, services.invitation_accept(actor=request.actor, token=token))
    return answer


@never_cache
@require_POST
def decline(request: PortalRequest, token: str) -> HttpResponse:
    with error_messages(request):
        services.invitation_decline(actor=request.actor, token=token)
    return redirect("invitations:invite", token=token)


@never_cache
@require_POST
def sign_up(request: PortalRequest, token: str) -> HttpResponse:
    """A new account for the invited address, signed in at once and let in."""
    form = SignUpForm(request.POST)
    if request.actor.user is None and form.is_valid():
        with form_errors(form):
            user = services.invitation_sign_up(actor=request.actor, token=token, **form.cleaned_data)
            response: HttpResponse = perform_login(request, user)
            # A stage of signing in that is left (a second factor) goes first.
            return _welcome(request, selectors.invitation_of(token)) if request.user.is_authenticated else response
    return _invite_page(request, token, form, 422 if form.errors else 200)


def _welcome(request: PortalRequest, invitation: Invitation) -> HttpResponse:
    request.session[CHOSEN_ORGANIZATION] = str(invitation.organization_id)
    target = selectors.target_object(invitation)
    messages.success(request, _("Welcome to %(name)s.") % {"name": target})
    return redirect(target_named(invitation.target_type).address(target))
