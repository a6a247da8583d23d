"""The first page of the portal, and of the admin."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.core.portal import signed_in
from apps.projects.models import Project


@signed_in
def portal_dashboard(request: HttpRequest) -> HttpResponse:
    projects = Project.objects.visible(request.actor).filter(organization_id=request.actor.organization_id)
    return render(request, "dashboard/index.html", {"projects": projects.with_counts().order_by("-updated_at")[:6]})


def admin_dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    return context
