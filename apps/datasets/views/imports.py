"""The other ways into a dataset than sending files: an address, an S3 bucket, a folder of the server."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.core import policy
from apps.core.errors import DomainError
from apps.core.identity.requests import PortalRequest
from apps.core.portal import error_messages, form_errors, shown_tabs, signed_in
from apps.datasets import services
from apps.datasets.forms import AddressForm, BucketForm, FormatForm
from apps.datasets.models import Dataset, ServerFolder
from apps.datasets.views.frame import framed, visible


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def address(request: PortalRequest, pk: str) -> HttpResponse:
    """Takes one file at a web address in."""
    dataset, form = _changeable(request, pk), AddressForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            upload = services.upload_import(
                actor=request.actor,
                dataset=dataset,
                wanted=services.from_address(form.cleaned_data["url"]),
                format=form.cleaned_data["format"],
            )
            return redirect("datasets:upload-detail", pk=pk, upload_pk=upload.pk)
    return _page(request, dataset, "address", form=form)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def bucket(request: PortalRequest, pk: str) -> HttpResponse:
    """Takes what lies under a prefix of an S3 bucket in."""
    dataset, form = _changeable(request, pk), BucketForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            upload = services.upload_import(
                actor=request.actor,
                dataset=dataset,
                wanted=services.from_bucket(**form.arguments),
                format=form.cleaned_data["format"],
            )
            return redirect("datasets:upload-detail", pk=pk, upload_pk=upload.pk)
    return _page(request, dataset, "bucket", form=form)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def folder(request: PortalRequest, pk: str) -> HttpResponse:
    """The folders that were allowed, what lies in one of them, and (POST) the taking in of what was chosen."""
    dataset = _changeable(request, pk)
    rows = ServerFolder.objects.visible(request.actor).filter(organization_id=dataset.organization_id)
    asked = request.POST if request.method == "POST" else request.GET
    path = asked.get("path", "").replace("\0", "").strip("/")
    chosen = rows.get_visible(request.actor, pk=asked["folder"]) if asked.get("folder") else None
    if request.method == "POST" and chosen is not None:
        with error_messages(request):
            upload = services.upload_import(
                actor=request.actor,
                dataset=dataset,
                wanted=services.from_folder(chosen, path),
                format=request.POST.get("format", ""),
            )
            return redirect("datasets:upload-detail", pk=pk, upload_pk=upload.pk)
    shown = {"folders": rows, "chosen": chosen, "format_form": FormatForm(), **_inside(request, chosen, path)}
    return _page(request, dataset, "folder", **shown)


def import_tabs(dataset: Dataset, active: str) -> list[dict[str, Any]]:
    """The ways into the dataset, one of them open."""
    ways = [
        ("computer", _("This computer"), "datasets:upload", "device-desktop"),
        ("address", _("Web address"), "datasets:import-address", "link"),
        ("bucket", _("S3 bucket"), "datasets:import-bucket", "database"),
        ("folder", _("Server folder"), "datasets:import-folder", "server-2"),
    ]
    addresses = ((name, label, reverse(route, args=[dataset.pk]), icon, None) for name, label, route, icon in ways)
    return shown_tabs(active, addresses)


def _changeable(request: PortalRequest, pk: str) -> Dataset:
    dataset = visible(request, pk)
    policy.require(request.actor, "datasets.change_dataset", dataset)
    return dataset


def _page(request: PortalRequest, dataset: Dataset, way: str, **context: Any) -> HttpResponse:
    ways = import_tabs(dataset, way)
    refused = bool(context["form"].errors) if "form" in context else "problem" in context
    whole = framed(request, dataset, "uploads", ways=ways, way=way, **context)
    return render(request, "datasets/import.html", whole, status=422 if refused else 200)


def _inside(request: PortalRequest, chosen: ServerFolder | None, path: str) -> dict[str, Any]:
    """What lies in the folder, with the paths below it, and the way up."""
    if chosen is None:
        return {}
    try:
        found = services.folder_entries(actor=request.actor, folder=chosen, path=path)
    except DomainError as error:
        return {"problem": error}
    above = f"{path}/" if path else ""
    parts = path.split("/") if path else []
    return {
        "path": path,
        "crumbs": [(part, "/".join(parts[: number + 1])) for number, part in enumerate(parts)],
        "inner": [(name, above + name) for name in found.folders],
        "files": [(name, above + name, size) for name, size in found.files],
        "more": found.more,
    }
