"""The images that an act is for: named one by one, or all that match a filter."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core import auditing
from apps.core.errors import Conflict, Invalid
from apps.datasets.formats.labels import labels_of, places_of
from apps.datasets.models import Dataset
from apps.datasets.querysets import EntryQuerySet
from apps.datasets.selectors.filtering import ImageFilter
from apps.datasets.selectors.images import images_of

#: Of one act: its event names every image.
MOST_IMAGES = auditing.MOST_MENTIONS


@dataclass(frozen=True, slots=True)
class ImageChoice:
    """The images that an act is for: by item, or (`matching`) all that match."""

    items: Sequence[int] = ()
    matching: ImageFilter | None = None


def images_chosen(dataset: Dataset, choice: ImageChoice) -> dict[int, str]:
    """Item → path of the images that are meant, of those that the dataset holds now. Raises `Invalid` for none and for
    too many, `Conflict` where some of them are not in the dataset."""
    rows = images_of(dataset, choice.matching)
    wanted = set(choice.items)
    if choice.matching is None:
        if len(wanted) > MOST_IMAGES:
            raise _too_many()
        rows = rows.filter(item_id__in=wanted)
    found = dict(rows.order_by().values_list("item_id", "item__path")[: MOST_IMAGES + 1])
    if len(found) > MOST_IMAGES:
        raise _too_many()
    if lacking := len(wanted - found.keys()) if choice.matching is None else 0:
        raise Conflict(
            ngettext(
                "%(count)d of the images is not in the dataset any more.",
                "%(count)d of the images are not in the dataset any more.",
                lacking,
            )
            % {"count": lacking},
            code="images_gone",
            hint=_("Load the page anew and choose again."),
            params={"count": lacking},
        )
    if not found:
        raise Invalid(_("No image is chosen."), code="images_none", hint=_("Choose at least one."))
    return found


def label_items(rows: EntryQuerySet, images: Collection[str]) -> list[int]:
    """Items of those files among the entries that hold the labels of one image each, of the images at these paths."""
    places = list({path for image in images for path in places_of(image)})
    files = dict(rows.filter(is_image=False, item__path__in=places).values_list("item__path", "item_id"))
    return list({files[path] for image in images for path in labels_of(image, files)})


def _too_many() -> Invalid:
    return Invalid(
        _("At most %(most)s images are taken at once.") % {"most": MOST_IMAGES},
        code="images_too_many",
        hint=_("Narrow the filter and go on in parts."),
        params={"most": MOST_IMAGES},
    )
