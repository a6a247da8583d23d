"""One's own profile, theme and chosen organization."""

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.models import Theme, User
from apps.accounts.services import profile_update
from apps.core.identity.middleware import CHOSEN_ORGANIZATION
from apps.core.portal import form_errors, signed_in
from apps.organizations.models import Membership

YEAR = 365 * 86400


class ProfileForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ["name", "language", "time_zone", "theme"]


@signed_in
@require_http_methods(["GET", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    form = ProfileForm(request.POST or None, instance=User.objects.get_visible(request.actor, pk=request.user.pk))
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            profile_update(actor=request.actor, user=request.user, **form.cleaned_data)
            messages.success(request, _("Your profile was saved."))
            response = redirect("profile")
            response.set_cookie("theme", form.cleaned_data["theme"], max_age=YEAR, samesite="Lax")
            response.set_cookie("django_language", form.cleaned_data["language"], max_age=YEAR, samesite="Lax")
            return response
    memberships = Membership.objects.visible(request.actor).filter(user=request.user).select_related("organization")
    return render(
        request,
        "accounts/profile.html",
        {"form": form, "memberships": memberships.order_by("created_at"), "language": get_language()},
    )


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Keeps the theme in a cookie, so that the page arrives in it without a flash."""
    response = HttpResponseRedirect(_back(request))
    theme = request.POST.get("theme", "")
    if theme in Theme.values:
        response.set_cookie("theme", theme, max_age=YEAR, samesite="Lax")
    return response


@signed_in
@require_POST
def choose_organization(request: HttpRequest) -> HttpResponse:
    try:
        chosen = UUID(request.POST.get("organization", ""))
    except ValueError:
        return redirect("dashboard")
    if chosen in request.actor.memberships:
        request.session[CHOSEN_ORGANIZATION] = str(chosen)
    return redirect("dashboard")


def _back(request: HttpRequest) -> str:
    target = request.POST.get("next") or request.META.get("HTTP_REFERER", "")
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if safe else "/"
