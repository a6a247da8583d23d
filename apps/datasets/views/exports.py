"""Versions in a format of choice: what is lost, those that are there, fetching them."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.core import policy
from apps.core.errors import DomainError, Invalid
from apps.core.identity.requests import PortalRequest
from apps.core.portal import error_messages, page_of, signed_in
from apps.datasets import services
from apps.datasets.models import Dataset, Export, ExportFormat, Task
from apps.datasets.selectors.exports import chosen_in, exports_of, preview_of, target_of, tasks_for, worded
from apps.datasets.selectors.versions import HEAD, version_named, version_names
from apps.datasets.views.choosing import choice_of, filter_query
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
    given = {name: request.POST[name] for name in ASKED if request.POST.get(name)}
    with error_messages(request):
        _begin(request, dataset, **given)
    return redirect(f"{reverse('datasets:exports', args=[dataset.pk])}?{urlencode(given)}")


def _begin(request: PortalRequest, dataset: Dataset, format: str = "", **given: Any) -> None:
    policy.require(request.actor, "datasets.add_export", dataset)
    if format not in ExportFormat.values:
        raise Invalid(_("Choose a format."), code="export_format")
    partial = bool(request.POST.get("partial"))
    export = services.export_ask(actor=request.actor, dataset=dataset, format=format, partial=partial, **given)
    done = _("This was exported already: download it below.")
    messages.success(request, done if export.is_there else _("The export is being written; it is listed below."))


@signed_in
@require_POST
def images_export(request: PortalRequest, pk: str) -> HttpResponse:
    """Has the images written that were chosen, or (`all`) all that match the filters of the address."""
    dataset = visible(request, pk)
    query = filter_query(request, "cursor")
    answer = redirect(reverse("datasets:detail", args=[pk]) + (f"?{query}" if query else ""))
    given = {name: request.POST[name] for name in ("format", "task") if request.POST.get(name)}
    with error_messages(request):
        _begin(request, dataset, choice=choice_of(request, dataset), **given)
        answer = redirect("datasets:exports", pk=pk)
    return answer


@signed_in
@require_POST
def images_export_choice(request: PortalRequest, pk: str) -> HttpResponse:
    """What the dialog asks before that: the format, and what it would lose of these images. Nothing is begun."""
    dataset = visible(request, pk)
    policy.require(request.actor, "datasets.add_export", dataset)
    context = {"dataset": dataset, "query": filter_query(request, "cursor")}
    try:
        context |= _previewed(dataset, request.POST, choice=choice_of(request, dataset))
    except DomainError as error:
        context["refusal"] = error
    return render(request, "datasets/_export_choice.html", context)


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
    asked = request.GET.get("version", "")
    found = _previewed(dataset, request.GET, version=asked if asked in dict(names) else HEAD)
    address = origin_of(request) + reverse("dataset-export-ask", args=[dataset.pk]).removesuffix("/export")
    return {"choices": names, "address": address, **found}


def _previewed(
    dataset: Dataset, given: QueryDict, *, version: str = HEAD, choice: services.ImageChoice | None = None
) -> dict[str, Any]:
    """What there is to choose from, the format and the task that are given as far as they go together, and what an
    export of the version, or of the images of it that are chosen, would be. Raises what `chosen_in` raises."""
    asked = {name: given.get(name, "") for name in ASKED}
    formats = [found for found in ExportFormat if tasks_for(found, dataset)]
    format = asked["format"] if asked["format"] in formats else ExportFormat.YOLO
    tasks = tasks_for(format, dataset)
    task = asked["task"] if asked["task"] in tasks else tasks[0]
    target = target_of(version_named(dataset, version), format, task)
    preview = preview_of(target if choice is None else chosen_in(target, choice))
    return {
        "formats": [(found.value, found.label) for found in formats],
        "tasks": [(found, Task(found).label) for found in tasks] if len(tasks) > 1 else [],
        "wanted": {"version": version, "format": str(format), "task": task},
        "preview": preview,
        "losses": worded(preview.losses),
    }


def _listed(request: PortalRequest, dataset: Dataset) -> dict[str, Any]:
    shown = Export.objects.visible(request.actor).values("pk")
    page = page_of(request, exports_of(dataset).filter(pk__in=shown), size=SHOWN)
    keys = [export.pk for export in page.rows]
    mine = Export.objects.held(request.actor, "datasets.delete_export", keys)
    rows = [{"export": row, "losses": worded(row.losses), "may_delete": row.pk in mine} for row in page.rows]
    return {"page": page, "rows": rows, "live": any(export.state_live for export in page.rows)}
