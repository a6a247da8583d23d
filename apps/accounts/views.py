"""The page on which one sees, and ends, where one is signed in."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from apps.accounts import services
from apps.accounts.selectors import SignIn, sign_ins_of
from apps.core.errors import NotFound
from apps.core.identity.requests import PortalRequest
from apps.core.portal import signed_in


def _sign_ins(request: PortalRequest) -> list[SignIn]:
    assert request.user.is_authenticated
    return sign_ins_of(request.user, session_key=request.session.session_key, vouched=request.actor.vouched)


@signed_in
@require_GET
def sessions(request: PortalRequest) -> HttpResponse:
    return render(request, "accounts/sessions.html", {"sign_ins": _sign_ins(request)})


@signed_in
@require_POST
def end(request: PortalRequest, pk: str) -> HttpResponse:
    assert request.user.is_authenticated
    sign_in = next((row for row in _sign_ins(request) if row.id == pk), None)
    if sign_in is None:
        raise NotFound()
    services.sign_in_end(actor=request.actor, user=request.user, sign_in=sign_in)
    if sign_in.is_current:
        request.session.flush()
        return redirect("account_login")
    messages.success(request, _("The sign-in was ended."))
    return redirect("accounts:sessions")


@signed_in
@require_POST
def end_others(request: PortalRequest) -> HttpResponse:
    assert request.user.is_authenticated
    count = services.sessions_end_others(
        actor=request.actor, user=request.user, session_key=request.session.session_key
    )
    messages.success(
        request, ngettext("%(count)s sign-in was ended.", "%(count)s sign-ins were ended.", count) % {"count": count}
    )
    return redirect("accounts:sessions")
