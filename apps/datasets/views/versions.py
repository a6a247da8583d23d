"""The history of a dataset, two versions side by side, and what each was used for."""

import json
from collections import defaultdict
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core import policy
from apps.core.errors import Invalid
from apps.core.identity.requests import PortalRequest
from apps.core.portal import error_messages, form_errors, page_of, signed_in
from apps.core.portal.views import PAGE_SIZE, KeysetPage
from apps.datasets import selectors, services
from apps.datasets.forms import SnapshotForm
from apps.datasets.models import Dataset, Entry, Snapshot
from apps.datasets.selectors.compare import Comparison, Difference, Page
from apps.datasets.selectors.versions import (
    is_trainable,
    revisions_of,
    snapshots_named,
    splits_of_image,
    version_named,
    version_names,
)
from apps.datasets.views.frame import class_table, framed, tile, visible

USES_SHOWN = 4
MOST_USES = 200
PAIRS = 24
DAYS = 14
#: Classes that are named in one line.
NAMES = 20
KIND_LABELS = {
    "added": gettext_lazy("Image added"),
    "removed": gettext_lazy("Image removed"),
    "content": gettext_lazy("Picture replaced"),
    "annotations": gettext_lazy("Labels changed"),
    "split": gettext_lazy("Split changed"),
}
KIND_COLORS = {"added": "green", "removed": "red", "content": "orange", "annotations": "azure", "split": "purple"}


@signed_in
@require_http_methods(["GET", "POST"])
def versions(request: PortalRequest, pk: str) -> HttpResponse:
    """The history as a line, with the snapshots that name its points; POST makes a snapshot."""
    dataset = visible(request, pk)
    if request.method == "POST":
        policy.require(request.actor, "datasets.change_dataset", dataset)
    form = SnapshotForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            services.snapshot_create(actor=request.actor, dataset=dataset, **form.cleaned_data)
            messages.success(request, _("The snapshot was made."))
            return redirect("datasets:versions", pk=pk)
    page = page_of(request, revisions_of(dataset))
    uses = _uses(request, dataset, [snapshot.pk for row in page.rows for snapshot in row.snapshots.all()])
    line = [{"revision": row, "snapshots": _points(row.snapshots.all(), uses)} for row in page.rows]
    context = framed(
        request,
        dataset,
        "versions",
        page=page,
        line=line,
        form=form,
        choices=version_names(dataset, PAGE_SIZE),
        wanted=_latest(dataset),
    )
    return render(request, "datasets/versions.html", context, status=422 if form.errors else 200)


@signed_in
@require_POST
def restore(request: PortalRequest, pk: str) -> HttpResponse:
    with error_messages(request):
        revision = services.version_restore(
            actor=request.actor, dataset=visible(request, pk), version=request.POST.get("version", "")
        )
        messages.success(request, _("The version is back, as revision %(no)s.") % {"no": revision.no})
    return redirect("datasets:versions", pk=pk)


@signed_in
@require_POST
def snapshot_delete(request: PortalRequest, pk: str, snapshot_pk: str) -> HttpResponse:
    snapshot = Snapshot.objects.get_visible(request.actor, pk=snapshot_pk, dataset_id=pk)
    with error_messages(request):
        services.snapshot_delete(actor=request.actor, snapshot=snapshot)
        messages.success(request, _("The snapshot was deleted."))
    return redirect("datasets:versions", pk=pk)


@signed_in
@require_GET
def compare(request: PortalRequest, pk: str) -> HttpResponse:
    """Two versions side by side: what was added, removed and changed, and the pictures before and after."""
    dataset = visible(request, pk)
    context: dict[str, Any] = {"choices": version_names(dataset), "kinds": KIND_LABELS.items()}
    wanted = {name: request.GET.get(name) or usual for name, usual in _latest(dataset).items()}
    try:
        before, after = (version_named(dataset, wanted[name], field=name) for name in ("before", "after"))
    except Invalid as error:
        context["problem"] = error
        return render(request, "datasets/compare.html", framed(request, dataset, "versions", wanted=wanted, **context))
    found = Comparison(dataset, before, after)
    kind = request.GET.get("kind", "")
    page = _page(request, found, kind if kind in KIND_LABELS else "")
    context |= {
        "compared": found,
        "figures": [(KIND_LABELS[name], found.images[name]) for name in KIND_LABELS],
        "classes": [{**row, "change": row["after"] - row["before"]} for row in found.classes],
        "redefined": _listed(found.redefined),
        "page": KeysetPage(page.rows, _cursor(page.below), _cursor(page.above, "-")),
        "pairs": [_pair(row, before.no, after.no) for row in page.rows],
        "before_classes": class_table(before.revision.classes),
        "after_classes": class_table(after.revision.classes),
    }
    return render(request, "datasets/compare.html", framed(request, dataset, "versions", wanted=wanted, **context))


@signed_in
@require_GET
def usage(request: PortalRequest, pk: str) -> HttpResponse:
    """What used the dataset, or (`?version=`) one of its versions, or saw (`?image=`) one of its images."""
    dataset = visible(request, pk)
    image, splits, snapshots = _asked(request, dataset)
    before = _moment(request.GET.get("cursor", ""))
    # What is planned has seen no image yet.
    query = selectors.UsageQuery(PAGE_SIZE + 1, snapshots, before, planned=image is None)
    found = selectors.usage_of(request.actor, dataset, query)
    rows = found[:PAGE_SIZE]
    tags = _tags(request, rows)
    days = selectors.uses_by_day(request.actor, dataset, days=DAYS, snapshots=snapshots)
    context = framed(
        request,
        dataset,
        "usage",
        uses=[_used(use, tags, splits) for use in rows],
        page=KeysetPage(rows, rows[-1].time.isoformat() if len(found) > PAGE_SIZE else None, None),
        days=json.dumps([{"name": f"{day:%m-%d}", "value": uses} for day, uses in days.items()]),
        day_count=DAYS,
        recent=sum(days.values()),
        choices=version_names(dataset, PAGE_SIZE),
        image=str(image or ""),
        image_path=_path(dataset, image) if image else "",
    )
    return render(request, "datasets/usage.html", context)


def _asked(request: PortalRequest, dataset: Dataset) -> tuple[int | None, dict[UUID, str], list[UUID] | None]:
    """The image that is asked about, the splits in which snapshots show it, and the snapshots that count (None: all).
    An unknown version has none."""
    snapshots: list[UUID] | None = None
    if request.GET.get("version"):
        try:
            snapshots = snapshots_named(dataset, request.GET["version"])
        except Invalid:
            snapshots = []
    image = request.GET.get("image", "")
    if not (image.isascii() and image.isdigit() and len(image) < 19):
        return None, {}, snapshots
    splits = splits_of_image(dataset, int(image))
    return int(image), splits, [found for found in splits if snapshots is None or found in snapshots]


def _used(use: selectors.Use, tags: dict[UUID, str], splits: dict[UUID, str]) -> tuple[selectors.Use, str, str]:
    if use.snapshot_id is None:
        return use, "", ""
    return use, tags[use.snapshot_id], splits.get(use.snapshot_id, "")


def _tags(request: PortalRequest, uses: list[selectors.Use]) -> dict[UUID, str]:
    """Snapshot → its tag; "–" for one that is not shown."""
    wanted = [use.snapshot_id for use in uses if use.snapshot_id]
    rows = Snapshot.objects.permitted(request.actor, "datasets.view_snapshot").filter(pk__in=wanted)
    return dict.fromkeys(wanted, "–") | dict(rows.values_list("pk", "tag"))


def _uses(request: PortalRequest, dataset: Dataset, snapshots: list[UUID]) -> dict[UUID, list[selectors.Use]]:
    found: dict[UUID, list[selectors.Use]] = defaultdict(list)
    if snapshots:
        for use in selectors.usage_of(
            request.actor, dataset, selectors.UsageQuery(MOST_USES, snapshots, planned=True)
        ):
            if use.snapshot_id is not None:
                found[use.snapshot_id].append(use)
    return found


def _points(snapshots: Any, uses: dict[UUID, list[selectors.Use]]) -> list[dict[str, Any]]:
    return [
        {
            "snapshot": snapshot,
            "uses": uses.get(snapshot.pk, [])[:USES_SHOWN],
            "more": len(uses.get(snapshot.pk, [])[USES_SHOWN:]),
            "held": _held(uses.get(snapshot.pk, [])),
            "teaches": is_trainable(snapshot),
        }
        for snapshot in snapshots
    ]


def _held(uses: list[selectors.Use]) -> str:
    """Why the snapshot that has these uses cannot be deleted; "" where nothing is known that keeps it."""
    if not uses:
        return ""
    if all(use.planned for use in uses):
        return _("Drafts of trainings name this snapshot.")
    return _("Jobs were trained on this snapshot.")


def _latest(dataset: Dataset) -> dict[str, str]:
    """The last step of the history."""
    return {"before": f"r{max(dataset.revision_no - 1, 1)}", "after": f"r{dataset.revision_no}"}


def _page(request: PortalRequest, found: Comparison, kind: str) -> Page:
    """The page that `?cursor=` names: an item's id, with `-` before it for the page above."""
    cursor = request.GET.get("cursor", "")
    number = cursor.removeprefix("-")
    item_id = int(number) if number.isascii() and number.isdigit() and len(number) < 19 else None
    if item_id is not None and cursor.startswith("-"):
        return found.page(kind, before=item_id, size=PAIRS)
    return found.page(kind, after=item_id, size=PAIRS)


def _listed(names: list[str]) -> str:
    return ", ".join([*names[:NAMES], "…"] if len(names) > NAMES else names)


def _cursor(item_id: int | None, sign: str = "") -> str | None:
    return None if item_id is None else f"{sign}{item_id}"


def _pair(row: Difference, before_no: int, after_no: int) -> dict[str, Any]:
    return {
        "path": row.path,
        "kinds": [(KIND_LABELS[kind], KIND_COLORS[kind]) for kind in row.kinds],
        "before": _old_tile(row.before, before_no),
        "after": _old_tile(row.after, after_no),
    }


def _old_tile(entry: Entry | None, revision_no: int) -> dict[str, Any] | None:
    """The tile of an image as it was in a revision; its link is to the page of what lies under the path now."""
    if entry is None:
        return None
    shown = tile(entry)
    return {**shown, "src": f"{shown['src']}&revision={revision_no}"}


def _moment(text: str) -> Any:
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _path(dataset: Dataset, item_id: int) -> str:
    return dataset.items.filter(pk=item_id).values_list("path", flat=True).first() or ""
