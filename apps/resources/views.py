"""Portal pages of resource groups and their nodes."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from apps.core import policy
from apps.core.identity.requests import PortalRequest
from apps.core.portal import form_errors, signed_in
from apps.organizations.models import Organization
from apps.resources import services
from apps.resources.forms import ResourceGroupForm
from apps.resources.models import Node, ResourceGroup
from apps.resources.selectors import groups_with_nodes, history, uses

#: Where the lines of a chart are drawn; the sample's share of the hour and of the whole become these units.
WIDTH, HEIGHT = 600, 120


def _may_add(request: PortalRequest) -> bool:
    organization = Organization.objects.visible(request.actor).filter(pk__in=[request.actor.organization_id]).first()
    return organization is not None and policy.allows(request.actor, "resources.add_resourcegroup", organization)


@signed_in
@require_GET
def group_list(request: PortalRequest) -> HttpResponse:
    """Every group with its nodes; htmx asks for the cards alone, every few seconds."""
    groups = list(groups_with_nodes(request.actor))
    by_node = {use.node.pk: use for use in uses(node for group in groups for node in group.nodes.all())}
    shown: list[dict[str, Any]] = [
        {"group": group, "uses": [by_node[node.pk] for node in group.nodes.all()]} for group in groups
    ]
    for entry in shown:
        entry["free_cpus"] = sum(use.free_cpus for use in entry["uses"])
        entry["free_gpus"] = sum(use.free_gpus for use in entry["uses"])
    context: dict[str, Any] = {"groups": shown}
    if request.htmx:
        return render(request, "resources/_groups.html", context)
    context |= {"may_add": _may_add(request), "needed": policy.rule_of("resources.add_resourcegroup").needs}
    return render(request, "resources/list.html", context)


@signed_in
@require_GET
def group_detail(request: PortalRequest, pk: str) -> HttpResponse:
    group = ResourceGroup.objects.select_related("organization").get_visible(request.actor, pk=pk)
    nodes = uses(Node.objects.visible(request.actor).filter(group=group).order_by("name"))
    context = {
        "group": group,
        "uses": nodes,
        "may_change": policy.allows(request.actor, "resources.change_resourcegroup", group),
        "needed": policy.rule_of("resources.change_resourcegroup").needs,
    }
    return render(request, "resources/detail.html", context)


@signed_in
@require_GET
def node_telemetry(request: PortalRequest, pk: str) -> HttpResponse:
    """One node's card: what it reports now and the last hour. The page asks for it every few seconds."""
    node = Node.objects.select_related("group").get_visible(request.actor, pk=pk)
    curves = {name: _points(points) for name, points in history(node).items()}
    context = {"use": uses([node])[0], "curves": curves, "width": WIDTH, "height": HEIGHT}
    return render(request, "resources/_node.html", context)


def _points(points: list[tuple[float, float]]) -> str:
    """`x,y x,y …` as SVG's polyline takes it."""
    return " ".join(f"{x * WIDTH:.1f},{(1 - y) * HEIGHT:.1f}" for x, y in points)


@signed_in
@require_http_methods(["GET", "POST"])
def group_create(request: PortalRequest) -> HttpResponse:
    organization = Organization.objects.get_visible(request.actor, pk=request.actor.organization_id)
    policy.require(request.actor, "resources.add_resourcegroup", organization)
    form = ResourceGroupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            group = services.group_create(actor=request.actor, organization=organization, **form.cleaned_data)
            messages.success(request, _("The resource group was created."))
            return redirect(group)
    return render(request, "resources/form.html", {"form": form}, status=422 if form.errors else 200)


@signed_in
@require_http_methods(["GET", "POST"])
def group_change(request: PortalRequest, pk: str) -> HttpResponse:
    group = ResourceGroup.objects.get_visible(request.actor, pk=pk)
    policy.require(request.actor, "resources.change_resourcegroup", group)
    form = ResourceGroupForm(request.POST or None, instance=ResourceGroup.objects.get_visible(request.actor, pk=pk))
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            services.group_change(actor=request.actor, group=group, **form.cleaned_data)
            messages.success(request, _("The resource group was changed."))
            return redirect(group)
    context = {"form": form, "group": group}
    return render(request, "resources/form.html", context, status=422 if form.errors else 200)
