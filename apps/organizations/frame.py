"""The frame of the organization's pages: its tabs, which apps above add to, and which of the acts the policy allows."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from apps.core import policy
from apps.core.identity.requests import PortalRequest
from apps.core.portal import shown_tabs
from apps.organizations.models import Organization


@dataclass(frozen=True, slots=True)
class Tab:
    """`permission`, on the organization, decides who sees it; of two the one with the lower `place` comes first."""

    name: str
    label: Any
    page: str
    icon: str
    permission: str
    place: int = 0


_registered: dict[str, Tab] = {}


def register_tab(tab: Tab) -> None:
    """Adds a tab behind the app's own; one of the same name is replaced."""
    _registered[tab.name] = tab


def own_organization(request: PortalRequest) -> Organization:
    """The chosen one."""
    return Organization.objects.get_visible(request.actor, pk=request.actor.organization_id)


def framed(request: PortalRequest, organization: Organization, tab: str) -> dict[str, Any]:
    """What `organizations/base_organization.html` needs."""
    tabs = [
        ("overview", _("Overview"), "organizations:overview", "layout-dashboard"),
        ("members", _("Members"), "organizations:members", "users"),
        ("settings", _("Settings"), "organizations:change", "settings"),
    ]
    tabs += [
        (found.name, found.label, found.page, found.icon)
        for found in sorted(_registered.values(), key=lambda found: found.place)
        if policy.allows(request.actor, found.permission, organization)
    ]
    return {
        "own": organization,
        "may_change": policy.allows(request.actor, "organizations.change_organization", organization),
        "needed": policy.rule_of("organizations.change_organization").needs,
        "tabs": shown_tabs(tab, ((name, label, reverse(page), icon, None) for name, label, page, icon in tabs)),
    }
