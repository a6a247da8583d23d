"""The end of the trash: which models' rows go from it for good, and what every such act asks."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from apps.core.errors import Invalid, NotFound
from apps.core.identity import Actor
from apps.departures.removing import Step


@dataclass(frozen=True, slots=True)
class Bin:
    """A `Trashable` model. `purge` is the operation by which one of its rows is deleted for good, asked by the retention
    too; from then on (`purged_at`) nobody sees the row, and workers take away what `steps` name, the row last."""

    model: type[Any]
    purge: Callable[[Actor, Any], Any]
    steps: Callable[[], Iterable[Step]]


_bins: dict[str, Bin] = {}


def register_bin(found: Bin) -> None:
    """Adds a model's; one of the same model is replaced."""
    _bins[found.model._meta.label] = found


def bins() -> list[Bin]:
    """From the lowest app up."""
    return list(_bins.values())


def require_in_trash(obj: Any) -> None:
    """Raises `NotFound` for a locked row that was brought back, or deleted for good, since the policy was asked."""
    if obj.deleted_at is None or obj.purged_at is not None:
        raise NotFound()


def require_name(obj: Any, name: str) -> None:
    """Raises `Invalid` unless the name repeats the row's: nobody deletes another one by mistake."""
    if name.strip() != obj.name:
        message = _("Enter the name exactly as it is shown: %(name)s.") % {"name": obj.name}
        raise Invalid(message, code="name_not_repeated", fields={"name": [message]})
