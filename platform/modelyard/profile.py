"""One's own profile, theme and chosen organization, and what of them every page is drawn with."""

import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.functional import SimpleLazyObject
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST
from django.views.i18n import set_language

from apps.accounts.models import Theme, User
from apps.accounts.services import profile_update
from apps.core import time_zones
from apps.core.identity.middleware import CHOSEN_ORGANIZATION
from apps.core.identity.requests import PortalRequest
from apps.core.portal import form_errors, signed_in
from apps.organizations.models import Membership, Organization

YEAR = 365 * 86400


class ProfileForm(forms.ModelForm):
    time_zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        help_text=gettext_lazy("Times on pages are shown in it; pointing at one shows UTC."),
        choices=time_zones.choices,
    )

    class Meta:
        model = User
        fields = ("name", "language", "time_zone", "theme")
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "nickname"})}
        help_texts = {
            "name": gettext_lazy("As others see you. It need not be your real name."),
            "language": gettext_lazy("Of pages and mails."),
        }


@signed_in
@require_http_methods(["GET", "POST"])
def profile(request: PortalRequest) -> HttpResponse:
    assert request.user.is_authenticated
    person = User.objects.get_visible(request.actor, pk=request.user.pk)
    # The language of the page at hand, which a browser may have chosen: saving keeps what is seen.
    form = ProfileForm(request.POST or None, instance=person, initial={"language": translation.get_language()})
    if request.actor.vouched is not None:
        form.fields["name"].disabled = True
        form.fields["name"].help_text = _("To change it, sign in with your password.")
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            profile_update(actor=request.actor, user=request.user, **form.cleaned_data)
            with translation.override(form.cleaned_data["language"]):
                messages.success(request, _("Your profile was saved."))
            response = redirect("profile")
            _remember(response, "theme", form.cleaned_data["theme"])
            _remember(response, settings.LANGUAGE_COOKIE_NAME, form.cleaned_data["language"])
            return response
    memberships = Membership.objects.visible(request.actor).filter(user=request.user).select_related("organization")
    context = {"form": form, "memberships": memberships.order_by("created_at")}
    return render(request, "accounts/profile.html", context, status=422 if form.errors else 200)


@require_POST
def choose_theme(request: PortalRequest) -> HttpResponse:
    """Keeps the theme in a cookie, so that the page arrives in it without a flash."""
    response = HttpResponseRedirect(_back(request))
    theme = request.POST.get("theme", "")
    if theme in Theme.values:
        _remember(response, "theme", theme)
    return response


@require_POST
def choose_language(request: PortalRequest) -> HttpResponse:
    """Keeps the language in a cookie, and in the profile of who is signed in: mails and other browsers follow."""
    response = set_language(request)
    chosen = request.POST.get("language", "")
    person = request.user
    if person.is_authenticated and chosen in dict(settings.LANGUAGES) and chosen != person.language:
        profile_update(actor=request.actor, user=person, language=chosen)
    return response


@login_required
@require_POST
def choose_organization(request: PortalRequest) -> HttpResponse:
    try:
        chosen = UUID(request.POST.get("organization", ""))
    except ValueError:
        return redirect("dashboard")
    # One that demands a second factor may be chosen too: its page says what is missing.
    assert request.user.is_authenticated
    own = Membership.objects.active().filter(user=request.user, organization_id=chosen)
    if own.exists() and request.actor.vouched is None:
        request.session[CHOSEN_ORGANIZATION] = str(chosen)
    return redirect("dashboard")


class PreferencesMiddleware:
    """Draws pages in the person's time zone, and in their language until a browser has chosen another.

    Programs get every time in UTC, and times that they send without a zone are taken as UTC. Stands behind the one that
    knows the person. Visitors without a session cost no query.
    """

    def __init__(self, get_response: Callable[[PortalRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: PortalRequest) -> HttpResponse:
        zone: tzinfo | None = None
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            zone = _zone(request.user.time_zone)
            if settings.LANGUAGE_COOKIE_NAME not in request.COOKIES:
                translation.activate(request.user.language)
                request.LANGUAGE_CODE = translation.get_language()
        if request.path.startswith("/api/"):
            zone = UTC
        if zone is None:
            return self.get_response(request)
        with timezone.override(zone):
            return self.get_response(request)


@dataclass(frozen=True, slots=True)
class Choice:
    """An organization as the top bar names it."""

    id: UUID
    name: str


def organizations(request: PortalRequest) -> dict[str, Any]:
    """Context of every page: `organizations` that may be chosen and the chosen `organization`. One query, if asked."""
    # A request that was refused early, such as one for a foreign host, has no user.
    if not hasattr(request, "user") or not request.user.is_authenticated:
        return {}

    def mine() -> list[Choice]:
        own = Membership.objects.active().filter(user=request.user)  # type: ignore[misc]
        if request.actor.vouched is not None:
            own = own.filter(organization_id=request.actor.vouched.organization_id)
        rows = Organization.objects.filter(pk__in=own.values("organization_id")).order_by("company", "division")
        return [Choice(row.pk, str(row)) for row in rows]

    def chosen() -> Choice | None:
        return next((choice for choice in choices if choice.id == request.actor.organization_id), None)

    choices: Any = SimpleLazyObject(mine)
    return {"organizations": choices, "organization": SimpleLazyObject(chosen)}


def _remember(response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=YEAR, samesite="Lax", secure=settings.HTTPS)


def _zone(name: str) -> zoneinfo.ZoneInfo:
    """The zone of this name; the portal's own for a name that this machine does not know (any more)."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):  # a part of a name is a folder
        return zoneinfo.ZoneInfo(settings.TIME_ZONE)


def _back(request: PortalRequest) -> str:
    target = request.POST.get("next") or request.META.get("HTTP_REFERER", "")
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if safe else "/"
