"""Portal pages of the audit log: one's own activity, and the organization's for those who manage it."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from apps.accounts.models import User
from apps.audit.forms import ActivityForm
from apps.audit.models import AuditEvent
from apps.audit.pages import activity_rows
from apps.audit.querysets import AuditEventQuerySet
from apps.core import policy
from apps.core.errors import Forbidden
from apps.core.identity import Actor, Role
from apps.core.identity.requests import PortalRequest
from apps.core.portal import page_of, signed_in

PAGE_SIZE = 50


def _manages(actor: Actor) -> bool:
    """Whether the chosen organization's whole activity is among what the policy lets the person see."""
    return actor.is_platform_admin or actor.organization_id in actor.organizations(Role.MANAGER)


def _entities() -> list[str]:
    """Kinds of things that operations are registered for."""
    return sorted({policy.rule_of(name).model._meta.label_lower for name in policy.names()})


def _page(request: PortalRequest, rows: AuditEventQuerySet, form: ActivityForm, scope: str) -> HttpResponse:
    page = page_of(request, form.narrow(rows), size=PAGE_SIZE)
    context = {
        "page": page,
        "rows": activity_rows(page.rows),
        "form": form,
        "scope": scope,
        "filtered": any(request.GET.get(name) for name in form.fields),
        "may_see_organization": _manages(request.actor),
        "needed": policy.rule_of("audit.view_auditevent").needs,
    }
    return render(request, "audit/list.html", context)


@signed_in
@require_GET
def my_activity(request: PortalRequest) -> HttpResponse:
    rows = AuditEvent.objects.visible(request.actor).filter(actor_id=request.actor.user_id)
    return _page(request, rows, ActivityForm(request.GET, entities=_entities()), "own")


@signed_in
@require_GET
def organization_activity(request: PortalRequest) -> HttpResponse:
    """Platform administrators without an organization see the events of all."""
    actor = request.actor
    if not _manages(actor):
        needs = policy.rule_of("audit.view_auditevent").needs
        raise Forbidden(
            _("You may see your own activity only."),
            hint=_("Needed: %(role)s.") % {"role": needs},
            params={"permission": "audit.view_auditevent", "needs": str(needs)},
        )
    rows, people = AuditEvent.objects.visible(actor), User.objects.visible(actor)
    if actor.organization_id:
        rows = rows.filter(organization_id=actor.organization_id)
        people = people.filter(memberships__organization=actor.organization_id)
    choices = people.order_by("name").values_list("pk", "name")[:500]
    return _page(request, rows, ActivityForm(request.GET, entities=_entities(), people=choices), "organization")
