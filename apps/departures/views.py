"""Portal pages of leaving: an organization's export and deletion, and the end of one's own account."""

from collections.abc import Callable
from typing import Any

from allauth.account.internal.flows import reauthentication
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core import policy
from apps.core.errors import DomainError
from apps.core.identity import require_own_proof
from apps.core.identity.requests import PortalRequest
from apps.core.portal import error_messages, form_errors, page_of, signed_in
from apps.departures import services
from apps.departures.forms import AccountDeletionForm, DeletionForm, PurgeForm
from apps.departures.models import OrganizationExport
from apps.departures.selectors import leavings_of, scheduled_deletion
from apps.departures.services.accounts import prove
from apps.organizations.frame import framed, own_organization
from apps.organizations.models import Organization

EXPORTS_SHOWN = 10


def purge_page(
    request: PortalRequest,
    found: Any,
    purge: Callable[..., Any],
    *,
    obstacle: DomainError | None,
    trash: str,
    loss: str,
    done: str,
) -> HttpResponse:
    """The question before what was found in the `trash` (name of its page) is deleted for good by `purge(name=)`: what
    goes with it (`loss`), or the `obstacle`; `done` says that it is."""
    form = PurgeForm(request.POST or None, name=found.name)
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            purge(**form.cleaned_data)
            messages.success(request, done)
            return redirect(trash)
    context = {"object": found, "form": form, "obstacle": obstacle, "trash_href": reverse(trash), "loss": loss}
    return render(request, "departures/purge.html", context, status=422 if form.errors else 200)


def _shown(request: PortalRequest, organization: Organization, form: DeletionForm | None = None) -> dict[str, Any]:
    actor = request.actor
    exports = OrganizationExport.objects.visible(actor).filter(organization=organization)
    return framed(request, organization, "departure") | {
        "page": page_of(request, exports.select_related("requested_by"), size=EXPORTS_SHOWN),
        "live": exports.live().exists(),
        "deletion": scheduled_deletion(actor, organization.pk),
        "form": form or DeletionForm(name=str(organization)),
        "grace_days": settings.ORGANIZATION_DELETION_GRACE_DAYS,
        "may_export": policy.allows(actor, "departures.add_organizationexport", organization),
        "may_delete": policy.allows(actor, "departures.add_organizationdeletion", organization),
    }


@signed_in
@require_GET
def overview(request: PortalRequest) -> HttpResponse:
    """The exports, and the deletion. htmx asks for the exports alone while one is written."""
    context = _shown(request, own_organization(request))
    return render(request, "departures/_exports.html" if request.htmx else "departures/overview.html", context)


@signed_in
@require_POST
def export(request: PortalRequest) -> HttpResponse:
    organization = own_organization(request)
    policy.require(request.actor, "departures.add_organizationexport", organization)
    with error_messages(request):
        services.export_request(actor=request.actor, organization=organization)
        messages.success(
            request, _("The export is being written. It is listed here, and a mail tells when it is ready.")
        )
    return redirect("departures:overview")


@signed_in
@require_POST
def schedule(request: PortalRequest) -> HttpResponse:
    organization = own_organization(request)
    policy.require(request.actor, "departures.add_organizationdeletion", organization)
    form = DeletionForm(request.POST, name=str(organization))
    if form.is_valid():
        with form_errors(form):
            services.deletion_schedule(actor=request.actor, organization=organization, **form.cleaned_data)
            messages.success(request, _("The organization is closed. The deletion can be cancelled until it is due."))
            return redirect("departures:overview")
    return render(request, "departures/overview.html", _shown(request, organization, form), status=422)


@signed_in
@require_POST
def cancel(request: PortalRequest) -> HttpResponse:
    deletion = scheduled_deletion(request.actor, own_organization(request).pk)
    if deletion is None:
        messages.error(request, _("No deletion of this organization is scheduled."))
        return redirect("departures:overview")
    policy.require(request.actor, "departures.change_organizationdeletion", deletion)
    with error_messages(request):
        services.deletion_cancel(actor=request.actor, deletion=deletion)
        messages.success(request, _("The deletion was cancelled. Everything is as it was."))
    return redirect("departures:overview")


@login_required
@require_http_methods(["GET", "POST"])
def account(request: PortalRequest) -> HttpResponse:
    """Says what happens, what stands in the way, and asks for the password; people of no organization too."""
    assert request.user.is_authenticated
    user = request.user
    with error_messages(request):
        require_own_proof(request.actor)
    if request.actor.vouched is not None:
        return redirect("profile")
    if not user.has_usable_password() and not reauthentication.did_recently_reauthenticate(request):
        return redirect(f"{reverse('account_reauthenticate')}?next={request.path}")
    leavings = leavings_of(user)
    blocked = [leaving.organization for leaving in leavings if leaving.is_last_admin]
    if blocked and request.method == "POST":
        messages.error(request, _("You are the last administrator of an organization."))
        return redirect("departures:account")
    form = AccountDeletionForm(request.POST or None, leavings=leavings, has_password=user.has_usable_password())
    if request.method == "POST" and form.is_valid() and _deleted(request, form):
        return redirect("account_login")
    is_handed_on = any(leaving.belongings and not leaving.chooses_heir for leaving in leavings)
    context = {"form": form, "is_handed_on": is_handed_on, "blocked": blocked}
    return render(request, "departures/account.html", context, status=422 if form.errors else 200)


def _deleted(request: PortalRequest, form: AccountDeletionForm) -> bool:
    """Whether the account is gone; otherwise the form says why not."""
    assert request.user.is_authenticated
    done = False
    with form_errors(form):
        if "password" in form.fields:
            prove(request, request.user, form.cleaned_data["password"])
        email = form.cleaned_data["email"]
        services.account_delete(actor=request.actor, user=request.user, email=email, heirs=form.heirs)
        request.session.flush()
        messages.success(request, _("Your account was deleted."))
        done = True
    return done
