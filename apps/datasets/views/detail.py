"""Pages about the whole of one dataset: classes and split, sharing, history, settings."""

import json
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core import policy
from apps.core.identity.requests import PortalRequest
from apps.core.portal import form_errors, signed_in
from apps.datasets import selectors, services
from apps.datasets.forms import DatasetForm, SplitForm
from apps.datasets.models import Split
from apps.datasets.selectors.splits import split_view
from apps.datasets.views.frame import framed, visible
from apps.datasets.views.publicity import publicity
from apps.shares.panels import share_panel


@signed_in
@require_GET
def classes(request: PortalRequest, pk: str) -> HttpResponse:
    dataset = visible(request, pk)
    return render(request, "datasets/classes.html", _classes_context(request, dataset))


@signed_in
@require_http_methods(["GET", "POST"])
def split(request: PortalRequest, pk: str) -> HttpResponse:
    dataset = visible(request, pk)
    if request.method == "GET":
        # The address of a form that came back with errors, opened again.
        return redirect("datasets:classes", pk=pk)
    policy.require(request.actor, "datasets.change_dataset", dataset)
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
    panels = {**share_panel(request.actor, dataset), **publicity(request, dataset)}
    context = framed(request, dataset, "sharing", **panels)
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
