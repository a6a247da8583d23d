"""The sign-in by an organization's provider, and the page on which an administrator sets it up."""

from typing import Any
from urllib.parse import urlsplit

from allauth.account.utils import get_next_redirect_url
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal import ratelimit
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core import policy
from apps.core.errors import NotFound
from apps.core.identity.requests import PortalRequest
from apps.core.portal import error_messages, form_errors, signed_in
from apps.organizations.frame import framed, own_organization
from apps.organizations.models import Organization
from apps.singlesignon import services
from apps.singlesignon.adapter import refuse
from apps.singlesignon.forms import BeginForm, ConnectionForm
from apps.singlesignon.models import Connection
from apps.singlesignon.provider import OrganizationOAuth2Adapter, OrganizationProvider
from apps.singlesignon.reasons import Refused
from apps.singlesignon.selectors import connection_answering, enabled_connection, return_address


@never_cache
@require_http_methods(["GET", "POST"])
def begin(request: HttpRequest) -> HttpResponse:
    """Asks for an address or an organization, and goes on to its provider.

    An unknown organization gets the same answer as one without single sign-on. The page that leads to the provider is
    a page and not a redirect: browsers follow none from a form to an address that the portal's policy does not name.
    """
    form = BeginForm(request.POST or None)
    limited = request.method == "POST" and _is_too_often(request)
    if limited:
        form.add_error(None, _("Too many attempts. Try again in a minute."))
    elif request.method == "POST" and form.is_valid():
        found = connection_answering(form.cleaned_data["who"])
        if found is not None:
            return _to_provider(request, found)
        form.add_error(
            "who",
            _("There is no single sign-on for this address or name. Use your password, or ask an administrator."),
        )
    context = {"form": form, "next": get_next_redirect_url(request)}
    status = 429 if limited else 422 if form.errors else 200
    return render(request, "singlesignon/begin.html", context, status=status)


def _is_too_often(request: HttpRequest) -> bool:
    config = {"begin": settings.RATE_SINGLE_SIGN_ON}
    return not ratelimit.consume(request, app="singlesignon", action="begin", config=config)


def _to_provider(request: HttpRequest, found: Connection) -> HttpResponse:
    try:
        response = OrganizationProvider(request, found).begin(request, get_next_redirect_url(request))
    except Refused as refusal:
        return _refused(request, found, refusal)
    target = response["Location"]
    return render(request, "singlesignon/leaving.html", {"target": target, "host": urlsplit(target).netloc})


def _refused(request: HttpRequest, found: Connection, refusal: Refused) -> HttpResponse:
    try:
        refuse(request, found, refusal)
    except ImmediateHttpResponse as answer:
        response: HttpResponse = answer.response
        return response


class Callback(OAuth2CallbackView):
    """allauth's, which hands the kept state on: the nonce is in it."""

    def _get_state(self, request: HttpRequest, provider: OrganizationProvider) -> tuple[Any, Any]:
        state, response = super()._get_state(request, provider)
        self.adapter.state = state or {}
        return state, response


@never_cache
@require_GET
def callback(request: HttpRequest, pk: Any) -> HttpResponse:
    """Where the provider sends people back to."""
    found = enabled_connection(pk)
    try:
        response: HttpResponse = Callback.adapter_view(OrganizationOAuth2Adapter(request, found.provider_id))(request)
    except Refused as refusal:
        return _refused(request, found, refusal)
    return response


def _connection(request: PortalRequest, organization: Organization) -> Connection | None:
    rows = Connection.objects.visible(request.actor).with_parts()
    return rows.filter(organization=organization).first()


def _own_connection(request: PortalRequest) -> Connection:
    organization = own_organization(request)
    policy.require(request.actor, "singlesignon.add_connection", organization)
    found = _connection(request, organization)
    if found is None:
        raise NotFound()
    return found


@sensitive_post_parameters("client_secret")
@signed_in
@require_http_methods(["GET", "POST"])
def connection(request: PortalRequest) -> HttpResponse:
    """Sets single sign-on up, or changes it."""
    organization = own_organization(request)
    policy.require(request.actor, "singlesignon.add_connection", organization)
    found = _connection(request, organization)
    form = ConnectionForm.of(request.POST or None, found)
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            if found is None:
                services.connection_create(actor=request.actor, organization=organization, **form.given())
            else:
                services.connection_change(actor=request.actor, connection=found, **form.given())
            messages.success(request, _("Single sign-on was saved."))
            return redirect("singlesignon:connection")
    context = framed(request, organization, "single-sign-on") | {"form": form, "connection": found}
    context["return_address"] = return_address(found, request) if found else ""
    return render(request, "singlesignon/connection.html", context, status=422 if form.errors else 200)


@signed_in
@require_POST
def test(request: PortalRequest) -> HttpResponse:
    found = _own_connection(request)
    check = services.connection_test(
        actor=request.actor, connection=found, return_address=return_address(found, request)
    )
    if check.works:
        messages.success(request, _("The provider answers, and accepts the client id and its secret."))
    else:
        messages.error(request, f"{check.detail} {check.hint}".strip())
    return redirect("singlesignon:connection")


@signed_in
@require_POST
def remove(request: PortalRequest) -> HttpResponse:
    with error_messages(request):
        services.connection_remove(actor=request.actor, connection=_own_connection(request))
        messages.success(request, _("Single sign-on was removed."))
    return redirect("singlesignon:connection")
