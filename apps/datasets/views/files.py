"""The files of a dataset: fetching them, whether they are whole, and what is there more than once."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.core.identity.requests import PortalRequest
from apps.core.portal import error_messages, signed_in
from apps.datasets import services
from apps.datasets.models import Dataset, Entry
from apps.datasets.selectors import integrity
from apps.datasets.selectors.contents import totals_of
from apps.datasets.selectors.images import thumbnail_address
from apps.datasets.selectors.versions import HEAD, version_named, version_names
from apps.datasets.services import downloads
from apps.datasets.views.frame import framed, origin_of, visible

SHOWN = 50
DUPLICATES = 12


@signed_in
@require_GET
def files(request: PortalRequest, pk: str) -> HttpResponse:
    """Download, integrity and duplicates; htmx asks for the integrity alone while a check runs."""
    dataset = visible(request, pk)
    context = _integrity(dataset)
    if request.htmx:
        return render(request, "datasets/_integrity.html", {"dataset": dataset, **context})
    wanted = request.GET.get("version") or HEAD
    names = version_names(dataset)
    wanted = wanted if wanted in dict(names) else HEAD
    context |= {"choices": names, "wanted": wanted, "same": integrity.same_as(request.actor, dataset)}
    context["duplicates"] = [
        (blob, [entry.item for entry in entries])
        for blob, entries in integrity.duplicate_images(dataset, size=DUPLICATES)
    ]
    context |= _alike(dataset)
    if dataset.revision_no:
        version = version_named(dataset, wanted)
        context |= {"version": version, "totals": totals_of(version), **_snippets(request, dataset, wanted)}
        context["archive"] = downloads.file_name(version, "zip")
    return render(request, "datasets/files.html", framed(request, dataset, "files", **context))


@signed_in
@require_POST
def download(request: PortalRequest, pk: str) -> HttpResponse:
    """Sends the browser to a link that opens the wanted version, or its manifest, for five minutes."""
    dataset = visible(request, pk)
    given = request.POST
    partial, manifest = bool(given.get("partial")), given.get("what") == "manifest"
    wanted = downloads.Wanted(given.get("version", HEAD), given.get("path", ""), manifest, partial)
    answer = redirect("datasets:files", pk=pk)
    with error_messages(request):
        link = downloads.link_sign(
            actor=request.actor, dataset=dataset, wanted=wanted, session_key=request.session.session_key
        )
        damaged = totals_of(version_named(dataset, wanted.version)).damaged
        if damaged and not (partial or manifest or wanted.path):
            raise downloads.damaged_error(damaged)
        answer = redirect(link.address)
    return answer


@signed_in
@require_POST
def check(request: PortalRequest, pk: str) -> HttpResponse:
    with error_messages(request):
        services.integrity_check(actor=request.actor, dataset=visible(request, pk))
        messages.success(request, _("The files are being checked."))
    return redirect("datasets:files", pk=pk)


def _integrity(dataset: Dataset) -> dict[str, Any]:
    found = integrity.latest_check(dataset)
    damaged = integrity.damaged_files(dataset)
    return {
        "check": found,
        "fraction": found.done_count / found.file_count if found and found.file_count else None,
        "damaged": damaged[:SHOWN],
        "damaged_count": damaged.count(),
    }


def _alike(dataset: Dataset) -> dict[str, Any]:
    compared, groups = integrity.alike_images(dataset, size=DUPLICATES)
    found = [{"leaks": group.leaks, "tiles": [_small(entry) for entry in group.images]} for group in groups]
    return {"compared": compared, "alike": found}


def _small(entry: Entry) -> dict[str, str]:
    return {
        "path": entry.item.path,
        "src": thumbnail_address(entry.dataset_id, entry.item_id, entry.blob.sha256, 128),
        "href": reverse("datasets:image", args=[entry.dataset_id, entry.item_id]),
    }


def _snippets(request: PortalRequest, dataset: Dataset, version: str) -> dict[str, str]:
    """What fetches the version elsewhere."""
    path = f"{reverse('dataset-download', args=[dataset.pk])}?version={version}"
    return {"address": f"{origin_of(request)}{path}"}
