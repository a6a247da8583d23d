"""Versions in a format of choice: what is lost, those that are there, fetching them."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.core import policy
from apps.core.errors import Invalid
from apps.core.identity.requests import PortalRequest
from apps.core.portal import error_messages, page_of, signed_in
from apps.datasets import services
from apps.datasets.models import Dataset, Export, ExportFormat, Task
from apps.datasets.selectors.exports import exports_of, preview_of, target_of, tasks_for, worded
from apps.datasets.selectors.versions import HEAD, version_named, version_names
from apps.datasets.views.frame import framed, origin_of, visible

SHOWN = 10
#: What is asked for by a form or an address.
ASKED = ("version", "format", "task")


@signed_in
@require_http_methods(["GET", "POST"])
def exports(request: PortalRequest, pk: str) -> HttpResponse:
    """What an export would hold, and those that are there; POST asks for one. `?part=list` is the list alone."""
    dataset = visible(request, pk)
    if request.method == "POST":
        return _ask(request, dataset)
    if request.GET.get("part") == "list":
        return render(request, "datasets/_exports.html", {"dataset": dataset, **_listed(request, dataset)})
    context = framed(request, dataset, "files", **_listed(request, dataset))
    if dataset.revision_no:
        context |= _chosen(request, dataset)
        context["may_export"] = policy.allows(request.actor, "datasets.add_export", dataset)
    return render(request, "datasets/exports.html", context)


def _ask(request: PortalRequest, dataset: Dataset) -> HttpResponse:
    policy.require(request.actor, "datasets.add_export", dataset)
    given = {name: request.POST[name] for name in ASKED if request.POST.get(name)}
    with error_messages(request):
        if given.get("format") not in ExportFormat.values:
            raise Invalid(_("Choose a format."), code="export_format")
        export = services.export_ask(
            actor=request.actor, dataset=dataset, partial=bool(request.POST.get("partial")), **given
        )
        done = _("This was exported already: download it below.")
        messages.success(request, done if export.is_there else _("The export is being written; it is listed below."))
    return redirect(f"{reverse('datasets:exports', args=[dataset.pk])}?{urlencode(given)}")


@signed_in
@require_POST
def download(request: PortalRequest, pk: str, export_pk: str) -> HttpResponse:
    """Sends the browser to a link that opens the archive for five minutes."""
    export = _export(request, pk, export_pk)
    answer = redirect("datasets:exports", pk=pk)
    with error_messages(request):
        link = services.export_link(actor=request.actor, export=export, session_key=request.session.session_key)
        answer = redirect(link.address)
    return answer


@signed_in
@require_POST
def cancel(request: PortalRequest, pk: str, export_pk: str) -> HttpResponse:
    with error_messages(request):
        services.export_cancel(actor=request.actor, export=_export(request, pk, export_pk))
        messages.success(request, _("The export was cancelled."))
    return redirect("datasets:exports", pk=pk)


@signed_in
@require_POST
def delete(request: PortalRequest, pk: str, export_pk: str) -> HttpResponse:
    with error_messages(request):
        services.export_delete(actor=request.actor, export=_export(request, pk, export_pk))
        messages.success(request, _("The export was deleted."))
    return redirect("datasets:exports", pk=pk)


def _export(request: PortalRequest, pk: str, export_pk: str) -> Export:
    rows = Export.objects.select_related("dataset")
    return rows.get_visible(request.actor, pk=export_pk, dataset_id=pk)


def _chosen(request: PortalRequest, dataset: Dataset) -> dict[str, Any]:
    """The version, the format and the task that the address names, as far as they go together, and their preview."""
    names = version_names(dataset)
    asked = {name: request.GET.get(name, "") for name in ASKED}
    version = asked["version"] if asked["version"] in dict(names) else HEAD
    formats = [found for found in ExportFormat if tasks_for(found, dataset)]
    format = asked["format"] if asked["format"] in formats else ExportFormat.YOLO
    tasks = tasks_for(format, dataset)
    task = asked["task"] if asked["task"] in tasks else tasks[0]
    preview = preview_of(target_of(version_named(dataset, version), format, task))
    return {
        "choices": names,
        "formats": [(found.value, found.label) for found in formats],
        "tasks": [(found, Task(found).label) for found in tasks] if len(tasks) > 1 else [],
        "wanted": {"version": version, "format": str(format), "task": task},
        "preview": preview,
        "losses": worded(preview.losses),
        "address": origin_of(request) + reverse("dataset-export-ask", args=[dataset.pk]).removesuffix("/export"),
    }


def _listed(request: PortalRequest, dataset: Dataset) -> dict[str, Any]:
    shown = Export.objects.visible(request.actor).values("pk")
    page = page_of(request, exports_of(dataset).filter(pk__in=shown), size=SHOWN)
    keys = [export.pk for export in page.rows]
    mine = Export.objects.held(request.actor, "datasets.delete_export", keys)
    rows = [{"export": row, "losses": worded(row.losses), "may_delete": row.pk in mine} for row in page.rows]
    return {"page": page, "rows": rows, "live": any(export.state_live for export in page.rows)}
