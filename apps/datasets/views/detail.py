import json
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core import policy
from apps.core.identity.requests import PortalRequest
from apps.core.portal import form_errors, search_of, signed_in
from apps.core.portal.views import KeysetPage
from apps.datasets import selectors, services
from apps.datasets.forms import DatasetForm, SplitForm
from apps.datasets.models import Entry, Split
from apps.datasets.selectors.images import content_address
from apps.datasets.selectors.splits import split_view
from apps.datasets.views.frame import class_table, framed, tile, visible
from apps.shares.panels import share_panel

IMAGES = 48
#: Objects that the page of one image lists, and numbers of its outlines that it draws.
OBJECTS = 500
IMAGE_VALUES = 100_000
LABELLED = {"yes": True, "no": False}


@signed_in
@require_GET
def images(request: PortalRequest, pk: str) -> HttpResponse:
    """The images, narrowed to class, split, label and part of the path; an unknown value of a filter counts as none."""
    dataset = visible(request, pk)
    classes = selectors.classes_of(dataset)
    page = _image_page(request, selectors.images_of(dataset, _wanted(request)))
    context = framed(
        request,
        dataset,
        "images",
        page=page,
        tiles=[tile(entry) for entry in page.rows],
        classes=classes,
        class_table=class_table(classes),
        splits=Split.choices,
        filtered=any(request.GET.get(name) for name in ("q", "class", "split", "labelled")),
    )
    return render(request, "datasets/detail.html", context)


@signed_in
@require_GET
def image(request: PortalRequest, pk: str, item: int) -> HttpResponse:
    dataset = visible(request, pk)
    entry = selectors.image_of(dataset, item)
    classes = selectors.classes_of(dataset)
    names = {found["id"]: found["name"] for found in classes}
    objects = entry.annotation.document["objects"] if entry.annotation else []
    context = framed(
        request,
        dataset,
        "images",
        entry=entry,
        shown=tile(entry, 512, IMAGE_VALUES),
        content=content_address(dataset.pk, item, entry.blob.sha256),
        class_table=class_table(classes),
        objects=[_object_row(found, names) for found in objects[:OBJECTS]],
        hidden=max(0, len(objects) - OBJECTS),
    )
    return render(request, "datasets/image.html", context)


@signed_in
@require_GET
def classes(request: PortalRequest, pk: str) -> HttpResponse:
    dataset = visible(request, pk)
    return render(request, "datasets/classes.html", _classes_context(request, dataset))


@signed_in
@require_POST
def split(request: PortalRequest, pk: str) -> HttpResponse:
    dataset = visible(request, pk)
    form = SplitForm(request.POST)
    if form.is_valid():
        with form_errors(form):
            services.split_set(actor=request.actor, dataset=dataset, **form.arguments)
            messages.success(request, _("The split was changed."))
            return redirect("datasets:classes", pk=pk)
    context = _classes_context(request, dataset) | {"split_form": form}
    return render(request, "datasets/classes.html", context, status=422)


@signed_in
@require_POST
def split_remove(request: PortalRequest, pk: str) -> HttpResponse:
    services.split_remove(actor=request.actor, dataset=visible(request, pk))
    messages.success(request, _("The default split is in force."))
    return redirect("datasets:classes", pk=pk)


@signed_in
@require_GET
def history(request: PortalRequest, pk: str) -> HttpResponse:
    return render(request, "datasets/history.html", framed(request, visible(request, pk), "history"))


@signed_in
@require_GET
def sharing(request: PortalRequest, pk: str) -> HttpResponse:
    """Whom it is shared with, and who can see it and why."""
    dataset = visible(request, pk)
    context = framed(request, dataset, "sharing", **share_panel(request.actor, dataset))
    return render(request, "datasets/sharing.html", context)


@signed_in
@require_http_methods(["GET", "POST"])
def change(request: PortalRequest, pk: str) -> HttpResponse:
    """The settings: shown to everybody who sees the dataset, changed by those who may."""
    dataset = visible(request, pk)
    if request.method == "POST":
        policy.require(request.actor, "datasets.change_dataset", dataset)
    form = DatasetForm(request.POST or None, instance=dataset, actor=request.actor)
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            services.dataset_change(actor=request.actor, dataset=dataset, **form.cleaned_data)
            messages.success(request, _("The dataset was changed."))
            return redirect("datasets:detail", pk=pk)
    context = framed(request, visible(request, pk), "settings", form=form)
    return render(request, "datasets/settings.html", context, status=422 if form.errors else 200)


def _wanted(request: PortalRequest) -> selectors.ImageFilter:
    given = request.GET
    class_id, split_name = given.get("class", ""), given.get("split", "")
    return selectors.ImageFilter(
        class_id=int(class_id) if class_id.isascii() and class_id.isdigit() and len(class_id) < 6 else None,
        split="" if split_name == "none" else split_name if split_name in Split.values else None,
        labelled=LABELLED.get(given.get("labelled", "")),
        search=search_of(request),
    )


def _image_page(request: PortalRequest, rows: QuerySet[Entry]) -> KeysetPage:
    """A page by item: a cursor is an item's id, with `-` before it for the page above."""
    cursor = request.GET.get("cursor", "")
    upward, number = cursor.startswith("-"), cursor.removeprefix("-")
    limit = int(number) if number.isascii() and number.isdigit() and len(number) < 19 else None
    if limit is not None and upward:
        found = list(rows.filter(item_id__lt=limit).order_by("-item_id")[: IMAGES + 1])
        shown = found[:IMAGES][::-1]
        above = f"-{shown[0].item_id}" if len(found) > IMAGES else None
        return KeysetPage(shown, str(shown[-1].item_id) if shown else None, above)
    if limit is not None:
        rows = rows.filter(item_id__gt=limit)
    found = list(rows[: IMAGES + 1])
    below = str(found[IMAGES - 1].item_id) if len(found) > IMAGES else None
    return KeysetPage(found[:IMAGES], below, f"-{found[0].item_id}" if limit is not None and found else None)


def _object_row(found: dict[str, Any], names: dict[int, str]) -> dict[str, Any]:
    """An object as the page of its image lists it: its class, what kind it is, the box around it, and its notes."""
    kinds = {
        "polygon": _("Outline"),
        "mask": _("Mask"),
        "keypoints": _("Keypoints"),
        "corners": _("Oriented box"),
        "bbox": _("Box"),
    }
    return {
        "name": names.get(found["class"], f"#{found['class']}"),
        "kind": next((label for key, label in kinds.items() if key in found), _("Whole image")),
        "bbox": found.get("bbox"),
        "notes": ", ".join(
            name if value is True else f"{name}: {value}" for name, value in found.get("attributes", {}).items()
        ),
    }


def _classes_context(request: PortalRequest, dataset: Any) -> dict[str, Any]:
    found = selectors.classes_of(dataset)
    view = split_view(dataset, dataset.revision_no, selectors.split_in_force(dataset))
    labels = [*Split.choices, ("", _("No split"))]
    return framed(
        request,
        dataset,
        "classes",
        classes=found,
        chart=json.dumps([{"name": row["name"], "value": row["images"]} for row in found]),
        plan=view.plan,
        split_rows=[{"label": label, **view.counts[name]} for name, label in labels],
        split_form=SplitForm(
            initial={
                "method": view.plan.method,
                "seed": view.plan.seed,
                "pattern": view.plan.pattern,
                **(view.plan.ratios or {}),
            }
        ),
    )
