"""Portal pages of API keys and of the API's endpoints."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.apikeys import selectors, services
from apps.apikeys.endpoints import catalogue
from apps.apikeys.forms import CatalogueForm, KeyChangeForm, KeyFilterForm, KeyForm, RotateForm
from apps.apikeys.models import ApiKey
from apps.apikeys.plots import plot_of
from apps.apikeys.scopes import by_area
from apps.core import policy
from apps.core.identity import require_own_proof
from apps.core.identity.requests import PortalRequest
from apps.core.portal import error_messages, form_errors, page_of, search_of, signed_in
from apps.organizations.models import Organization
from apps.projects.models import Project

USAGE_DAYS = 30


def _key(request: PortalRequest, pk: str) -> ApiKey:
    return ApiKey.objects.with_parts().get_visible(request.actor, pk=pk)


def _may_add(request: PortalRequest) -> bool:
    organization = Organization.objects.visible(request.actor).filter(pk__in=[request.actor.organization_id]).first()
    may = organization is not None and policy.allows(request.actor, "apikeys.add_apikey", organization)
    return may and request.actor.vouched is None


@signed_in
@require_GET
def key_list(request: PortalRequest) -> HttpResponse:
    """One's own keys, and for managers those of the organization; `?q=` searches names and how secrets begin."""
    form, search = KeyFilterForm(request.GET), search_of(request)
    form.is_valid()
    rows = ApiKey.objects.visible(request.actor).filter(organization=request.actor.organization_id)
    rows = rows.search(search).in_state(form.cleaned_data.get("state", ""))
    if form.cleaned_data.get("owner") == "me":
        rows = rows.filter(owner=request.actor.user_id)
    context = {
        "page": page_of(request, rows.with_parts()),
        "form": form,
        "filtered": bool(search or any(form.cleaned_data.values())),
        "may_add": _may_add(request),
        "needed": policy.rule_of("apikeys.add_apikey").needs,
        "vouched": request.actor.vouched is not None,
    }
    return render(request, "apikeys/list.html", context)


@signed_in
@never_cache
@require_http_methods(["GET", "POST"])
def key_create(request: PortalRequest) -> HttpResponse:
    """The form; then, once, the secret. It is in no address and no session: reloading makes no second one by itself."""
    organization = Organization.objects.get_visible(request.actor, pk=request.actor.organization_id)
    policy.require(request.actor, "apikeys.add_apikey", organization)
    with error_messages(request):
        require_own_proof(request.actor)
    if request.actor.vouched is not None:
        return redirect("apikeys:list")
    form = KeyForm(request.POST or None, actor=request.actor)
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            key, secret = services.key_create(actor=request.actor, organization=organization, **form.given())
            return _shown_once(request, key, secret, status=201)
    context = {"form": form, "areas": by_area(form.offered), "chosen": form.chosen()}
    return render(request, "apikeys/form.html", context, status=422 if form.errors else 200)


def _shown_once(request: PortalRequest, key: ApiKey, secret: str, status: int = 200) -> HttpResponse:
    context = {"key": key, "secret": secret, "address": request.build_absolute_uri("/api/v1/me/permissions")}
    return render(request, "apikeys/secret.html", context, status=status)


@signed_in
@require_GET
def key_detail(request: PortalRequest, pk: str) -> HttpResponse:
    """What the key may do, its secrets, and what it was used for."""
    key = _key(request, pk)
    usage = selectors.key_usage(selectors.usage_rows(request.actor, days=USAGE_DAYS, key=key), days=USAGE_DAYS)
    projects = Project.objects.visible(request.actor).filter(pk__in=[row.pk for row in key.projects.all()])
    context = {
        "key": key,
        "areas": by_area(key.scopes),
        "projects": projects.order_by("name"),
        "hidden_projects": len(key.projects.all()) - len(projects),
        "usage": usage,
        "plot": plot_of(usage["days"]),
        "rotate_form": RotateForm(),
        "may_change": policy.allows(request.actor, "apikeys.change_apikey", key),
        "may_rotate": key.owner_id == request.actor.user_id and request.actor.vouched is None,
        "may_revoke": policy.allows(request.actor, "apikeys.revoke_apikey", key),
        "change_needs": policy.rule_of("apikeys.change_apikey").needs,
        "revoke_needs": policy.rule_of("apikeys.revoke_apikey").needs,
        "vouched": request.actor.vouched is not None,
    }
    return render(request, "apikeys/detail.html", context)


@signed_in
@require_http_methods(["GET", "POST"])
def key_change(request: PortalRequest, pk: str) -> HttpResponse:
    key = _key(request, pk)
    policy.require(request.actor, "apikeys.change_apikey", key)
    form = KeyChangeForm.of(request.POST or None, key)
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            services.key_change(actor=request.actor, key=key, **form.limits())
            messages.success(request, _("The API key was changed."))
            return redirect(key)
    return render(request, "apikeys/change.html", {"form": form, "key": key}, status=422 if form.errors else 200)


@signed_in
@never_cache
@require_POST
def key_rotate(request: PortalRequest, pk: str) -> HttpResponse:
    key, form = _key(request, pk), RotateForm(request.POST)
    policy.require(request.actor, "apikeys.change_apikey", key)
    if not form.is_valid():
        messages.error(request, _("Choose what happens to the secret in use."))
        return redirect(key)
    answer: HttpResponse = redirect(key)
    with error_messages(request):
        answer = _shown_once(request, *services.key_rotate(actor=request.actor, key=key, **form.cleaned_data))
    return answer


@signed_in
@require_POST
def key_revoke(request: PortalRequest, pk: str) -> HttpResponse:
    key = _key(request, pk)
    policy.require(request.actor, "apikeys.revoke_apikey", key)
    with error_messages(request):
        services.key_revoke(actor=request.actor, key=key)
        messages.success(request, _("The API key was revoked. It opens nothing any more."))
    return redirect(key)


@signed_in
@require_GET
def endpoints(request: PortalRequest) -> HttpResponse:
    """Every endpoint of the API with its calls; `?q=` searches paths and what they are for."""
    form, search = CatalogueForm(request.GET, actor=request.actor), search_of(request).lower()
    days, key = form.picked()
    rows = selectors.usage_rows(request.actor, days=days, key=key)
    keys = selectors.keys_with_traffic(rows)
    found = [row for row in catalogue() if search in f"{row.method} {row.path} {row.summary} {row.said}".lower()]
    listed = selectors.catalogue_with_traffic(found, rows)
    context: dict[str, Any] = {
        "form": form,
        "groups": selectors.by_tag(listed),
        "keys": keys,
        "total": selectors.total_of(traffic for _key, traffic in keys),
        "search": search,
        "plot": plot_of(selectors.calls_by_day(rows, days=days)),
    }
    return render(request, "apikeys/endpoints.html", context)
