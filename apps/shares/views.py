"""The Share panel: a part of an object's page that htmx loads and swaps."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.core import policy
from apps.core.errors import Conflict, Invalid
from apps.core.identity.requests import PortalRequest
from apps.core.portal import form_errors, signed_in, with_notice
from apps.shares import selectors, services
from apps.shares.forms import LevelForm, ShareForm
from apps.shares.kinds import kind_of
from apps.shares.models import Level
from apps.shares.panels import share_panel


def _shown(request: PortalRequest, obj: Any, form: ShareForm | None = None) -> HttpResponse:
    status = 422 if form is not None and form.errors else 200
    return render(request, "shares/_panel.html", share_panel(request.actor, obj, form), status=status)


@signed_in
@require_http_methods(["GET", "POST"])
def panel(request: PortalRequest) -> HttpResponse:
    """The panel of the object that `?object_type=` and `?object_id=` name; a POST shares it."""
    named = request.GET
    obj = selectors.object_for(request.actor, named.get("object_type", ""), named.get("object_id", ""))
    if request.method == "GET":
        return _shown(request, obj)
    policy.require(request.actor, kind_of(obj).manage, obj)
    form = ShareForm(request.POST, actor=request.actor, obj=obj)
    if form.is_valid():
        fields = {**form.cleaned_data, "level": Level(form.cleaned_data["level"])}
        with form_errors(form):
            services.share_set(actor=request.actor, obj=obj, **fields)
            return with_notice(_shown(request, obj), _("It is shared."))
    return _shown(request, obj, form)


@signed_in
@require_POST
def change(request: PortalRequest, share_pk: str) -> HttpResponse:
    found = selectors.share_for(request.actor, share_pk)
    form = LevelForm(request.POST)
    obj = found.share.content_object
    policy.require(request.actor, found.kind.manage, obj)
    if not form.is_valid():
        raise Invalid(str(form.errors["level"][0]))
    level = Level(form.cleaned_data["level"])
    services.share_set(actor=request.actor, obj=obj, user=found.user, project=found.project, level=level)
    return with_notice(_shown(request, obj), _("The share was changed."))


@signed_in
@require_POST
def remove(request: PortalRequest, share_pk: str) -> HttpResponse:
    found = selectors.share_for(request.actor, share_pk)
    obj = found.share.content_object
    try:
        services.share_remove(actor=request.actor, share=found.share)
    except Conflict:
        # Somebody else was faster: what is wanted is so.
        pass
    if policy.allows(request.actor, found.kind.permission(Level.VIEW), obj):
        return with_notice(_shown(request, obj), _("The share was ended."))
    # One's own share was the only reason to see it.
    return HttpResponse(status=204, headers={"HX-Redirect": "/"})
