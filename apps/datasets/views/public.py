"""Public versions as readers of every organization see them; their pages say nothing of the dataset's people and project."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.core.identity.requests import PortalRequest
from apps.core.portal import error_messages, page_of, search_of, shown_tabs, signed_in
from apps.datasets.forms import PictureFilterForm
from apps.datasets.models import Dataset, Entry
from apps.datasets.selectors.contents import totals_of
from apps.datasets.selectors.public import (
    image_in,
    images_in,
    is_outsider,
    public_address,
    public_covers,
    public_dataset,
    public_datasets,
    public_version,
    public_versions,
    shown_revisions,
)
from apps.datasets.selectors.versions import HEAD, Version
from apps.datasets.services import downloads
from apps.datasets.services.public_downloads import public_link_sign
from apps.datasets.services.statistics import statistics_ask
from apps.datasets.views.frame import class_table, origin_of, tile, with_query
from apps.datasets.views.images import image_page
from apps.datasets.views.lists import list_tabs
from apps.datasets.views.statistics import shown_figures
from apps.datasets.views.viewer import viewer_context


@signed_in
@require_GET
def public_list(request: PortalRequest) -> HttpResponse:
    """Datasets of every organization that are public; `?q=` searches their names."""
    search = search_of(request)
    page = page_of(request, public_datasets(request.actor).search(search))
    covers, revisions = public_covers(page.rows), shown_revisions(page.rows)
    rows = [(dataset, covers.get(dataset.pk), revisions[dataset.pk].counts) for dataset in page.rows]
    context = {"page": page, "rows": rows, "search": search, "tabs": list_tabs("public")}
    return render(request, "datasets/public/list.html", context)


@signed_in
@require_GET
def detail(request: PortalRequest, pk: str) -> HttpResponse:
    """The images of a public version, narrowed by what they show."""
    version = _version(request, pk)
    classes = version.revision.classes
    form = PictureFilterForm(request.GET, classes=classes)
    page = image_page(request, images_in(version, form.wanted))
    query = _query(request, version)
    context = _framed(
        request,
        version,
        "images",
        page=page,
        tiles=[_tile(entry, version, query) for entry in page.rows],
        class_table=class_table(classes),
        form=form,
    )
    return render(request, "datasets/public/detail.html", context)


@signed_in
@require_GET
def image(request: PortalRequest, pk: str, item: int) -> HttpResponse:
    """One image; the filters of the address say among which it has neighbours."""
    version = _version(request, pk)
    entry = image_in(version, item)
    classes = version.revision.classes
    form = PictureFilterForm(request.GET, classes=classes)
    query = _query(request, version)
    context = _framed(
        request,
        version,
        "images",
        entry=entry,
        shown=_tile(entry, version, query, 512),
        **viewer_context(
            entry,
            images_in(version, form.wanted),
            classes,
            content=public_address(version.dataset.pk, version.no, item, entry.blob.sha256, "content"),
            page=lambda other: with_query(reverse("datasets:public-image", args=[pk, other]), query),
            back=with_query(reverse("datasets:public-detail", args=[pk]), query, f"cursor={item - 1}"),
        ),
    )
    return render(request, "datasets/public/image.html", context)


@signed_in
@require_GET
def statistics(request: PortalRequest, pk: str) -> HttpResponse:
    """htmx asks for the figures alone while a worker counts them."""
    version = _version(request, pk)
    dataset = version.dataset
    found = statistics_ask(version)
    figures = reverse("datasets:public-statistics", args=[dataset.pk])
    context = _framed(
        request,
        version,
        "statistics",
        figures=shown_figures(found.figures) if found else None,
        figures_href=f"{figures}?version={version.name}",
    )
    template = "datasets/_figures.html" if request.htmx else "datasets/public/statistics.html"
    return render(request, template, context)


@signed_in
@require_GET
def versions(request: PortalRequest, pk: str) -> HttpResponse:
    """What is public, and fetching it."""
    version = _version(request, pk)
    dataset = version.dataset
    address = reverse("public-dataset-download", args=[dataset.pk])
    context = _framed(
        request,
        version,
        "versions",
        totals=totals_of(version),
        archive=downloads.file_name(version, "zip"),
        address=f"{origin_of(request)}{address}?version={version.name}",
    )
    return render(request, "datasets/public/versions.html", context)


@signed_in
@require_POST
def download(request: PortalRequest, pk: str) -> HttpResponse:
    """Sends the browser to a link that opens the public version, or its manifest, for five minutes."""
    given = request.POST
    answer = redirect("datasets:public-versions", pk=pk)
    dataset = public_dataset(request.actor, pk)
    with error_messages(request):
        version = public_version(dataset, given.get("version") or HEAD)
        partial, manifest = bool(given.get("partial")), given.get("what") == "manifest"
        damaged = totals_of(version).damaged
        if damaged and not (partial or manifest):
            raise downloads.damaged_error(damaged)
        wanted = downloads.Wanted(f"r{version.no}", manifest=manifest, partial=partial)
        key = request.session.session_key
        answer = redirect(
            public_link_sign(actor=request.actor, dataset=dataset, wanted=wanted, session_key=key).address
        )
    return answer


def _version(request: PortalRequest, pk: str) -> Version:
    """The public version that the address names; for a name that is none, the last one."""
    dataset = public_dataset(request.actor, pk)
    asked = request.GET.get("version", "")
    return public_version(dataset, asked if asked in {f"r{no}" for no in dataset.public_revisions} else HEAD)


def _framed(request: PortalRequest, version: Version, tab: str, /, **context: Any) -> dict[str, Any]:
    """The context of `datasets/public/base.html`, with the page's own."""
    dataset, counts = version.dataset, version.revision.counts
    query, line = f"?version={version.name}", public_versions(dataset)
    tabs = [
        ("images", _("Images"), "datasets:public-detail", "photo", counts["images"]),
        ("statistics", _("Statistics"), "datasets:public-statistics", "chart-dots", None),
        ("versions", _("Versions and download"), "datasets:public-versions", "git-branch", None),
    ]
    own = not is_outsider(request.actor, dataset)
    visible = own and Dataset.objects.visible(request.actor).filter(pk=dataset.pk).exists()
    return {
        "dataset": dataset,
        "publisher": str(dataset.organization),
        "version_name": version.name,
        "counts": counts,
        "line": line,
        "choices": [(found.name, ", ".join([found.name, *found.tags])) for found in line],
        # Its own people go on to where they work on it.
        "own_href": dataset.get_absolute_url() if visible else "",
        "tabs": shown_tabs(
            tab,
            (
                (name, label, reverse(route, args=[dataset.pk]) + query, icon, count)
                for name, label, route, icon, count in tabs
            ),
        ),
        **context,
    }


def _query(request: PortalRequest, version: Version) -> str:
    """The version and the filters of the address, without the page."""
    given = request.GET.copy()
    for name in list(given):
        if name in {"cursor", "version"} or not given[name]:
            del given[name]
    given["version"] = version.name
    return given.urlencode()


def _tile(entry: Entry, version: Version, query: str, size: int = 256) -> dict[str, Any]:
    """As `frame.tile`, by the readers' addresses. Whether it can be decoded its own people are told."""
    pk, digest = version.dataset.pk, entry.blob.sha256
    return tile(entry, size) | {
        "src": public_address(pk, version.no, entry.item_id, digest, f"thumbnail?size={size}"),
        "href": with_query(reverse("datasets:public-image", args=[pk, entry.item_id]), query),
        "broken": False,
    }
