"""The images of a dataset: pages of them, narrowed and chosen from, acts on those that are chosen, and one by itself."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from apps.core.errors import Invalid
from apps.core.identity.requests import PortalRequest
from apps.core.portal import error_messages, signed_in
from apps.core.portal.views import KeysetPage
from apps.datasets import selectors, services
from apps.datasets.forms import ImageFilterForm
from apps.datasets.models import Dataset, Entry, Revision, Split
from apps.datasets.selectors.choosing import MOST_IMAGES
from apps.datasets.selectors.images import content_address
from apps.datasets.views.choosing import choice_of, filter_form, filter_query
from apps.datasets.views.frame import class_table, framed, tile, visible, with_query
from apps.datasets.views.viewer import viewer_context

IMAGES = 48
#: How long the page of the images offers to undo a deletion.
UNDO = timedelta(hours=1)


@signed_in
@require_GET
def images(request: PortalRequest, pk: str) -> HttpResponse:
    """The images, narrowed by any of the filters at once; an unknown value of a filter counts as none."""
    dataset = visible(request, pk)
    head = selectors.head_of(dataset)
    classes = head.classes if head else []
    form = filter_form(request, dataset, classes)
    page = image_page(request, selectors.images_of(dataset, form.wanted))
    tags = selectors.tags_on([entry.item_id for entry in page.rows])
    query = filter_query(request)
    context = framed(
        request,
        dataset,
        "images",
        page=page,
        tiles=[_tile(entry, tags, query) for entry in page.rows],
        class_table=class_table(classes),
        form=form,
        chips=_chips(request, form),
        splits=Split.choices,
        query=query,
        count_address=_count_address(dataset, form),
        most=MOST_IMAGES,
        undo=_undo(request, head),
    )
    return render(request, "datasets/detail.html", context)


@signed_in
@require_POST
def act(request: PortalRequest, pk: str) -> HttpResponse:
    """One act on the images that were chosen, or (`all`) on all that match the filters of the address."""
    dataset = visible(request, pk)
    given = request.POST
    with error_messages(request):
        messages.success(request, _act(request, dataset, given.get("act", ""), choice_of(request, dataset)))
    query = filter_query(request, "" if given.get("act") == "delete" else "cursor")
    return redirect(with_query(reverse("datasets:detail", args=[pk]), query))


@signed_in
@require_GET
def image(request: PortalRequest, pk: str, item: int) -> HttpResponse:
    """One image; the filters of the address say among which it has neighbours."""
    dataset = visible(request, pk)
    entry = selectors.image_of(dataset, item)
    classes = selectors.class_rows(dataset)
    form = filter_form(request, dataset, classes)
    query = filter_query(request)
    context = framed(
        request,
        dataset,
        "images",
        entry=entry,
        shown=tile(entry, 512),
        tags=selectors.tags_on([item]).get(item, []),
        **viewer_context(
            entry,
            selectors.images_of(dataset, form.wanted),
            classes,
            content=content_address(dataset.pk, item, entry.blob.sha256),
            page=lambda other: with_query(reverse("datasets:image", args=[pk, other]), query),
            back=with_query(dataset.get_absolute_url(), query, f"cursor={item - 1}"),
        ),
    )
    return render(request, "datasets/image.html", context)


def _tile(entry: Entry, tags: dict[int, list[str]], query: str) -> dict[str, Any]:
    """Its page is told the filters, so that its neighbours there are those of this page."""
    shown = tile(entry)
    return shown | {"tags": tags.get(entry.item_id, []), "href": with_query(shown["href"], query)}


def _chips(request: PortalRequest, form: ImageFilterForm) -> list[dict[str, str]]:
    """What is set, each with the address without it."""
    return [
        {"label": label, "value": value, "href": f"?{filter_query(request, without=name)}"}
        for name, label, value in form.chosen
    ]


def _count_address(dataset: Dataset, form: ImageFilterForm) -> str:
    """Where a script asks how many match: the same filters in the words of REST."""
    return f"/api/v1/datasets/{dataset.pk}/images/count?{form.rest_query}"


def _undo(request: PortalRequest, head: Revision | None) -> Revision | None:
    """The newest revision, where the reader has just made it by deleting images."""
    if head is None or head.no < 2 or head.created_by_id != request.actor.user_id:
        return None
    counts = head.counts
    only_less = counts["removed"] and not counts["added"] and not counts["changed"]
    is_new = head.restored_from is None and head.created_at > timezone.now() - UNDO
    return head if only_less and is_new else None


def _act(request: PortalRequest, dataset: Dataset, name: str, choice: services.ImageChoice) -> str:
    """Does it, and says what was done. Raises `Invalid` for an act that there is not."""
    common: dict[str, Any] = {"actor": request.actor, "dataset": dataset, "choice": choice}
    tags = request.POST.get("tags", "").split(",")
    if name == "delete":
        revision = services.images_delete(**common)
        return _("Revision %(no)s is without the images.") % {"no": revision.no}
    if name == "tag":
        count = services.images_tag(**common, tags=tags)
        return ngettext("%(count)s image was tagged.", "%(count)s images were tagged.", count) % {"count": count}
    if name == "untag":
        count = services.images_untag(**common, tags=tags)
        text = ngettext("The tag was taken from %(count)s image.", "The tag was taken from %(count)s images.", count)
        return text % {"count": count}
    kind, _colon, split = name.partition(":")
    if kind != "move":
        raise Invalid(_("There is no such act."), code="act_unknown")
    count = services.images_move(**common, split=split)
    return ngettext("%(count)s image was moved.", "%(count)s images were moved.", count) % {"count": count}


def image_page(request: PortalRequest, rows: QuerySet[Entry]) -> KeysetPage:
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
