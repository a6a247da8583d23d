"""Tabs that are pages."""

from collections.abc import Iterable
from typing import Any


def shown_tabs(active: str, tabs: Iterable[tuple[str, str, str, str, int | None]]) -> list[dict[str, Any]]:
    """What `components/tabs.html` draws of tabs: name, label, address, icon, and a count behind the label or None.

    `active` is the name of the one that is open.
    """
    return [
        {"label": label, "href": href, "icon": icon, "count": count, "active": name == active}
        for name, label, href, icon, count in tabs
    ]
