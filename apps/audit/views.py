"""Portal pages of the audit log: one's own activity, the organization's for those who manage it, and the history of one
object, which other apps' pages take in by htmx."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.models import User
from apps.audit import services
from apps.audit.downloads import export_response, verifier_response
from apps.audit.forms import ActivityForm, entity_name
from apps.audit.models import AuditCheck, AuditHead
from apps.audit.pages import activity_rows
from apps.audit.selectors import (
    EventFilter,
    Scope,
    entity_scope,
    narrowed,
    object_of,
    organization_scope,
    project_scope,
    rows_of,
)
from apps.audit.terms import is_id
from apps.audit.verification import statement_of
from apps.core import policy
from apps.core.errors import Forbidden, NotFound
from apps.core.identity import Actor
from apps.core.identity.requests import PortalRequest
from apps.core.portal import error_messages, page_of, signed_in
from apps.organizations.models import Membership, Organization

PAGE_SIZE = 50
MOST_PEOPLE = 200


def _follows(actor: Actor) -> bool:
    """Whether the chosen organization's whole activity is among what the policy lets the person see."""
    chosen = Organization.objects.permitted(actor, "audit.follow_organization").filter(pk__in=[actor.organization_id])
    return (actor.is_platform_admin and actor.organization_id is None) or chosen.exists()


def _followed(request: PortalRequest) -> Scope:
    if not _follows(request.actor):
        needs = policy.rule_of("audit.follow_organization").needs
        raise Forbidden(
            _("You may see your own activity only."),
            hint=_("Needed: %(role)s.") % {"role": needs},
            params={"permission": "audit.follow_organization", "needs": str(needs)},
        )
    return organization_scope(request.actor)


def _form(request: PortalRequest, scope: Scope) -> ActivityForm:
    return ActivityForm(request.GET, people=_people(request, scope) if scope.kind == "organization" else ())


def _people(request: PortalRequest, scope: Scope) -> list[tuple[Any, str]]:
    """Whom one can choose, by name. Among very many nobody chooses: then it is who was asked for, and the search finds
    people by their names."""
    people, organization_id = User.objects.visible(request.actor), scope.organization_id
    members = Membership.objects.visible(request.actor).filter(organization=organization_id)
    found: list[tuple[Any, str]] = []
    # Counted before they are looked up: among a hundred thousand people the question of whom one sees takes 40 ms.
    if not organization_id or members[: MOST_PEOPLE + 1].count() <= MOST_PEOPLE:
        listed = people.filter(memberships__organization=organization_id) if organization_id else people
        found = list(listed.order_by().values_list("pk", "name")[: MOST_PEOPLE + 1])
    if not 0 < len(found) <= MOST_PEOPLE:
        asked = request.GET.get("person", "")
        found = list(people.filter(pk=asked).values_list("pk", "name")) if is_id(asked) else []
    return sorted(found, key=lambda person: person[1].casefold())


def _context(request: PortalRequest, scope: Scope, wanted: EventFilter) -> dict[str, Any]:
    rows = narrowed(rows_of(request.actor, scope), request.actor, scope, wanted)
    page = page_of(request, rows, size=PAGE_SIZE)
    return {"page": page, "rows": activity_rows(page.rows, request.actor, scope), "scope": scope}


def _page(request: PortalRequest, scope: Scope) -> HttpResponse:
    form = _form(request, scope)
    wanted = form.wanted
    context = _context(request, scope, wanted) | {
        "form": form,
        "filtered": any(request.GET.get(name) for name in form.fields),
        "may_see_organization": scope.kind == "organization" or _follows(request.actor),
        "needed": policy.rule_of("audit.follow_organization").needs,
        "asked": urlencode([(name, request.GET[name]) for name in form.fields if request.GET.get(name)]),
    }
    if scope.kind == "organization":
        context |= _soundness(request.actor, scope)
    return render(request, "audit/list.html", context)


def _soundness(actor: Actor, scope: Scope) -> dict[str, Any]:
    """The last verification and the last signed head of the organization's chain."""
    chain = scope.organization_id or services.PLATFORM
    return {
        "check": AuditCheck.objects.visible(actor).filter(chain=chain).first(),
        "head": AuditHead.objects.visible(actor).filter(chain=chain).first(),
    }


@signed_in
@require_GET
def my_activity(request: PortalRequest) -> HttpResponse:
    return _page(request, Scope("me"))


@signed_in
@require_GET
def organization_activity(request: PortalRequest) -> HttpResponse:
    """Platform administrators without an organization see the events of all."""
    return _page(request, _followed(request))


def _export(request: PortalRequest, scope: Scope) -> HttpResponseBase:
    form = request.GET.get("as", "csv")
    return export_response(request.actor, scope, _form(request, scope).wanted, form)


@signed_in
@require_GET
def my_export(request: PortalRequest) -> HttpResponseBase:
    return _export(request, Scope("me"))


@signed_in
@require_GET
def organization_export(request: PortalRequest) -> HttpResponseBase:
    return _export(request, _followed(request))


@signed_in
@require_POST
def check(request: PortalRequest) -> HttpResponse:
    scope = _followed(request)
    with error_messages(request):
        services.check_request(actor=request.actor, chain=scope.organization_id or services.PLATFORM)
        messages.success(request, _("The log is being verified; the result is shown here."))
    return redirect("audit:organization")


@signed_in
@require_GET
def head(request: PortalRequest, pk: str) -> HttpResponse:
    """A signed head as a file, to be kept elsewhere."""
    found = AuditHead.objects.get_visible(request.actor, pk=pk)
    name = f"audit-head-{found.chain}-{found.seq}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return JsonResponse(statement_of(found), json_dumps_params={"indent": 1}, headers=headers)


@signed_in
@require_GET
def verifier(request: PortalRequest) -> HttpResponse:
    return verifier_response()


def _history_scope(actor: Actor, label: str, pk: str) -> Scope:
    """Everything in a project for those who may follow it, else what happened to the object itself."""
    if label == "projects.project":
        try:
            return project_scope(actor, pk)
        except (Forbidden, NotFound):
            # Of its own history, which members see and which outlives the trash.
            pass
    return entity_scope(actor, label, pk)


@signed_in
@require_GET
def history(request: PortalRequest, label: str, pk: str) -> HttpResponse:
    """What happened to one object. htmx asks for the list alone, from the object's own page."""
    scope = _history_scope(request.actor, label, pk)
    context = _context(request, scope, EventFilter()) | {"label": label, "pk": pk}
    if request.htmx:
        return render(request, "audit/_history.html", context)
    found = object_of(request.actor, label, pk)
    address = getattr(found, "get_absolute_url", None)
    context |= {"object": found, "kind": entity_name(label), "address": address() if address else ""}
    return render(request, "audit/history.html", context)


@signed_in
@require_GET
def history_export(request: PortalRequest, label: str, pk: str) -> HttpResponseBase:
    return _export(request, _history_scope(request.actor, label, pk))
