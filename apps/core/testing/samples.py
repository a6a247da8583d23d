"""Objects that addresses are filled with: one factory per kind of object, registered by name.

    @sample("project", "projects", "projects.Project")
    def project(cast: Cast) -> Project: …

A name is a placeholder of a permission matrix (`project`), the path in front of an id in an address (`projects`,
`projects/members`), or a model's label (`projects.Project`, for the admin and the operations). All objects of one cast
belong to its first organization.
"""

from collections.abc import Callable
from typing import Any

Factory = Callable[[Any], Any]
_factories: dict[str, Factory] = {}


def sample(*names: str) -> Callable[[Factory], Factory]:
    """Registers a factory, which takes the cast, under its names. What it returns is used by its key, or by `str`."""

    def declare(factory: Factory) -> Factory:
        for name in names:
            if name in _factories:
                raise ValueError(f"There is a sample {name} already.")
            _factories[name] = factory
        return factory

    return declare


def sample_names() -> list[str]:
    return sorted(_factories)


def factory_of(name: str) -> Factory:
    try:
        return _factories[name]
    except KeyError:
        raise LookupError(
            f"No sample {name!r} is registered: add one to tests/factories/<app>.py (docs/recipes/add-an-operation.md)."
        ) from None
