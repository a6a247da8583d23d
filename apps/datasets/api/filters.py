"""What a list of images is narrowed to, as an address or a body says it."""

from typing import Any

from rest_framework import serializers

from apps.core.entities.validators import PLAIN
from apps.datasets import selectors
from apps.datasets.api.serializers.datasets import SPLIT_CHOICES
from apps.datasets.models import ImageDefect, PictureSize

SIDE: dict[str, Any] = {"required": False, "min_value": 1, "max_value": 2**31 - 1}


class PictureQuery(serializers.Serializer[Any]):
    """What images are narrowed to by what they show."""

    class_id = serializers.IntegerField(required=False, min_value=0, max_value=32_767)
    split = serializers.ChoiceField(choices=SPLIT_CHOICES, required=False)
    labelled = serializers.BooleanField(required=False, allow_null=True, default=None)
    size = serializers.ChoiceField(
        choices=PictureSize.choices, required=False, help_text="By the longer side: up to 640, up to 1920, above."
    )
    search = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=200,
        default="",
        help_text="How the file's name begins, or its whole path.",
    )


class ImageQuery(PictureQuery):
    """What images are narrowed to: what they show, who brought them and when, and what is wrong with them."""

    min_side = serializers.IntegerField(**SIDE, help_text="Of the longer side, in pixels.")
    max_side = serializers.IntegerField(**SIDE)
    defect = serializers.ChoiceField(choices=ImageDefect.choices, required=False)
    uploader_id = serializers.UUIDField(required=False, help_text="Who published the revision that brought it.")
    since = serializers.DateField(required=False, help_text="First day of that revision.")
    until = serializers.DateField(required=False, help_text="Last day of that revision.")
    tag = serializers.CharField(required=False, max_length=40, validators=[PLAIN])


def image_filter(query: Any) -> selectors.ImageFilter:
    """The filter that the address asks for. Raises `ValidationError`."""
    form = ImageQuery(data={name: value for name, value in query.items() if value != ""})
    form.is_valid(raise_exception=True)
    return filter_of(form.validated_data)


def filter_of(given: dict[str, Any]) -> selectors.ImageFilter:
    """The same of what was checked already."""
    split = given.get("split")
    return selectors.ImageFilter(**{**given, "split": "" if split == "none" else split})
