"""What every page of one dataset has: its tabs, and which acts the policy allows."""

import json
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.core import policy
from apps.core.identity.requests import PortalRequest
from apps.core.portal import shown_tabs
from apps.datasets.formats.showing import shown_objects
from apps.datasets.models import Dataset, Entry
from apps.datasets.selectors.images import thumbnail_address

#: What of a class the drawing script needs.
DRAWN = ("id", "name", "color", "skeleton")
#: Numbers of outlines that a tile draws.
TILE_VALUES = 500


def visible(request: PortalRequest, pk: Any) -> Dataset:
    rows = Dataset.objects.select_related("project", "organization", "created_by", "split_plan__base")
    return rows.get_visible(request.actor, pk=pk)


def framed(request: PortalRequest, dataset: Dataset, tab: str, **context: Any) -> dict[str, Any]:
    """The context of `datasets/base_dataset.html`, with the page's own."""
    may_change = policy.allows(request.actor, "datasets.change_dataset", dataset)
    tabs = [
        ("images", _("Images"), "datasets:detail", "photo", dataset.image_count, True),
        ("classes", _("Split"), "datasets:classes", "chart-bar", None, True),
        ("statistics", _("Statistics"), "datasets:statistics", "chart-dots", None, True),
        ("versions", _("Versions"), "datasets:versions", "git-branch", None, True),
        ("files", _("Files"), "datasets:files", "file-zip", None, True),
        ("uploads", _("Uploads"), "datasets:uploads", "upload", None, may_change),
        ("usage", _("Usage"), "datasets:usage", "activity", None, True),
        ("sharing", _("Sharing"), "datasets:sharing", "users", None, True),
        ("history", _("History"), "datasets:history", "history", None, True),
        ("settings", _("Settings"), "datasets:change", "settings", None, True),
    ]
    return {
        "dataset": dataset,
        "may_change": may_change,
        "train_href": reverse("training:create", query={"dataset": dataset.pk}),
        "tabs": shown_tabs(
            tab,
            (
                (name, label, reverse(route, args=[dataset.pk]), icon, count)
                for name, label, route, icon, count, shown in tabs
                if shown
            ),
        ),
        **context,
    }


def origin_of(request: PortalRequest) -> str:
    """Where the portal is, as programs elsewhere reach it."""
    return settings.PUBLIC_URL.rstrip("/") if settings.PUBLIC_URL else request.build_absolute_uri("/").rstrip("/")


def class_table(classes: list[dict[str, Any]]) -> str:
    """The classes as scripts read them: numbers, names, and how they are drawn."""
    return json.dumps([{name: found[name] for name in DRAWN if name in found} for found in classes])


def with_query(address: str, *parts: str) -> str:
    """The address with those parts of a query that are not empty."""
    query = "&".join(filter(None, parts))
    return f"{address}?{query}" if query else address


def tile(entry: Entry, size: int = 256) -> dict[str, Any]:
    """What `components/image_tile.html` shows of an image; the page of the image is its link."""
    return {
        "id": entry.item_id,
        "src": thumbnail_address(entry.dataset_id, entry.item_id, entry.blob.sha256, size),
        "path": entry.item.path,
        "name": entry.item.path.rpartition("/")[2],
        "width": entry.width,
        "height": entry.height,
        "boxes": json.dumps(
            shown_objects(entry.annotation.document["objects"], TILE_VALUES) if entry.annotation else []
        ),
        "split": entry.in_split,  # type: ignore[attr-defined]
        "labelled": entry.annotation_id is not None,
        "broken": entry.blob.is_sound is False,
        # In quarantine: it is not given out.
        "damage": entry.blob.get_damage_display(),
        "href": reverse("datasets:image", args=[entry.dataset_id, entry.item_id]),
    }
