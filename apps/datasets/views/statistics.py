"""Figures over all images of a version, as charts with the same in words beneath."""

import json
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from apps.core.identity.requests import PortalRequest
from apps.core.portal import signed_in
from apps.core.templatetags.ui import number
from apps.datasets.models import Split
from apps.datasets.selectors.statistics import CELLS, OBJECTS, SIDES
from apps.datasets.selectors.versions import HEAD, version_named, version_names
from apps.datasets.services.statistics import statistics_ask
from apps.datasets.views.frame import framed, visible

#: Classes that the chart has; the table has all.
CHARTED = 40
THIRD = CELLS // 3


@signed_in
@require_GET
def statistics(request: PortalRequest, pk: str) -> HttpResponse:
    """htmx asks for the figures alone while a worker counts them."""
    dataset = visible(request, pk)
    choices = version_names(dataset)
    wanted = request.GET.get("version") or HEAD
    context: dict[str, Any] = {"choices": choices, "wanted": wanted if wanted in dict(choices) else HEAD}
    if dataset.revision_no:
        version = version_named(dataset, context["wanted"])
        found = statistics_ask(version)
        context |= {"version": version, "figures": shown_figures(found.figures) if found else None}
    context["figures_href"] = f"{reverse('datasets:statistics', args=[dataset.pk])}?version={context['wanted']}"
    template = "datasets/_figures.html" if request.htmx else "datasets/statistics.html"
    return render(request, template, framed(request, dataset, "statistics", **context))


def shown_figures(figures: dict[str, Any]) -> dict[str, Any]:
    splits = [*Split.choices, ("", _("No split"))]
    used = [(name, label) for name, label in splits if figures["splits"][name]["images"]]
    classes = [
        {"name": row["name"], "images": sum(row["images"].values()), "objects": sum(row["objects"].values())}
        | {"splits": [(label, row["objects"][name]) for name, label in used]}
        for row in figures["classes"]
    ]
    sides, objects = _columns(figures["sides"], (1, *SIDES)), _columns(figures["objects"], (0, *OBJECTS))
    return {
        "splits": [(label, figures["splits"][name]) for name, label in used],
        "totals": {
            name: sum(row[name] for row in figures["splits"].values()) for name in ("images", "labelled", "boxes")
        },
        "classes": classes,
        "class_chart": _class_chart(figures["classes"][:CHARTED], used),
        "hidden": max(0, len(classes) - CHARTED),
        "sides": sides,
        "side_chart": json.dumps(sides),
        "objects": objects,
        "object_chart": json.dumps(objects),
        "sizes": figures["sizes"],
        "places": json.dumps(figures["places"]),
        "place_rows": _thirds(figures["places"], (_("Top"), _("Middle"), _("Bottom"))),
        "extents": json.dumps(figures["extents"]),
        "extent_rows": _thirds(figures["extents"], (_("Up to a third high"), _("Up to two thirds high"), _("Higher"))),
        "boxes": sum(map(sum, figures["places"])),
    }


def _class_chart(classes: list[dict[str, Any]], used: list[tuple[Any, Any]]) -> str:
    series = [{"name": str(label), "values": [row["objects"][name] for row in classes]} for name, label in used]
    return json.dumps({"names": [row["name"] for row in classes], "series": series})


def _columns(counts: list[int], starts: tuple[int, ...]) -> list[dict[str, Any]]:
    """Columns with the range that each stands for."""
    named = []
    for place, (start, count) in enumerate(zip(starts, counts, strict=True)):
        end = starts[place + 1] - 1 if place + 1 < len(starts) else None
        shown = number(start) if end == start else f"{number(start)}–{number(end)}" if end else f"≥ {number(start)}"
        named.append({"name": shown, "value": count})
    return named


def _thirds(grid: list[list[int]], labels: tuple[str, str, str]) -> list[tuple[str, list[float]]]:
    """The grid in nine parts, each as its share of all."""
    whole = sum(map(sum, grid)) or 1
    parts = [range(start, start + THIRD) for start in (0, THIRD, 2 * THIRD)]
    return [
        (label, [sum(grid[y][x] for y in rows for x in columns) / whole for columns in parts])
        for label, rows in zip(labels, parts, strict=True)
    ]
