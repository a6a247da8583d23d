"""What the apps above show on a project's page: each registers a panel with its template and what the template needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apps.core.identity import Actor
from apps.projects.models import Project


@dataclass(frozen=True, slots=True)
class Panel:
    """`context` costs a constant number of queries and holds only what the actor may see."""

    name: str
    template: str
    context: Callable[[Actor, Project], dict[str, Any]]


_panels: dict[str, Panel] = {}


def register_panel(panel: Panel) -> None:
    """Adds a panel below the ones that are there; one of the same name is replaced."""
    _panels[panel.name] = panel


def panels(actor: Actor, project: Project) -> list[dict[str, Any]]:
    """Every panel with its context: `{"name", "template", **context}`."""
    return [
        {"name": panel.name, "template": panel.template, **panel.context(actor, project)} for panel in _panels.values()
    ]
