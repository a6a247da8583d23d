"""Which images a page speaks of: the filters of its address, and those that were chosen in the grid."""

from typing import Any

from apps.core.identity.requests import PortalRequest
from apps.datasets import selectors, services
from apps.datasets.forms import ImageFilterForm
from apps.datasets.models import Dataset
from apps.datasets.selectors.choosing import MOST_IMAGES

#: Enough for what comes after to say that they are too many.
MOST_WANTED = MOST_IMAGES + 1


def filter_form(request: PortalRequest, dataset: Dataset, classes: list[dict[str, Any]]) -> ImageFilterForm:
    """The filters of the address; an unknown value of one counts as none."""
    tags, uploaders = selectors.tags_of(dataset), selectors.uploaders_of(dataset)
    return ImageFilterForm(request.GET, classes=classes, tags=tags, uploaders=uploaders)


def filter_query(request: PortalRequest, *kept: str, without: str = "") -> str:
    """The filters of the address, as the part behind its `?`."""
    given = request.GET.copy()
    for name in list(given):
        if (name == "cursor" and name not in kept) or name == without or not given[name]:
            del given[name]
    return given.urlencode()


def choice_of(request: PortalRequest, dataset: Dataset) -> services.ImageChoice:
    """The images that were chosen, or (`all`) all that match the filters of the address."""
    if request.POST.get("all"):
        form = filter_form(request, dataset, selectors.class_rows(dataset))
        return services.ImageChoice(matching=form.wanted)
    wanted = request.POST.getlist("item")
    return services.ImageChoice(
        items=[int(text) for text in wanted if text.isascii() and text.isdigit() and len(text) < 19][:MOST_WANTED]
    )
