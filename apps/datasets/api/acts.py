"""Acts on many images at once: over REST as in the portal, one operation each."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response

from apps.core.api.requests import ApiRequest
from apps.datasets import services
from apps.datasets.api.filters import ImageQuery, filter_of
from apps.datasets.api.views import DATASET, visible_dataset
from apps.datasets.models import MOST_TAGS, TAG_CHARACTERS, Dataset, Entry, Split
from apps.datasets.selectors.choosing import MOST_IMAGES


class ImagesWantedSerializer(serializers.Serializer[Any]):
    """Either `images`, or `matching` for all that match a filter (those of `images` over REST, without a page), or neither
    for all that there are."""

    images = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1),
        required=False,
        min_length=1,
        max_length=MOST_IMAGES,
    )
    matching = ImageQuery(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "images" in attrs and "matching" in attrs:
            raise serializers.ValidationError({"images": _("Give either images or matching.")})
        return attrs

    @property
    def choice(self) -> services.ImageChoice | None:
        given = self.validated_data
        if "matching" in given:
            return services.ImageChoice(matching=filter_of(given["matching"]))
        return services.ImageChoice(items=given["images"]) if "images" in given else None


class ImageChoiceSerializer(ImagesWantedSerializer):
    """Either `images`, or `matching` for all that match a filter: those of `images` over REST, without a page."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "images" not in attrs and "matching" not in attrs:
            raise serializers.ValidationError({"images": _("Give either images or matching.")})
        return super().validate(attrs)


class ImageMoveSerializer(ImageChoiceSerializer):
    split = serializers.ChoiceField(choices=Split.choices)


class ImageTagSerializer(ImageChoiceSerializer):
    tags = serializers.ListField(
        child=serializers.CharField(max_length=TAG_CHARACTERS), min_length=1, max_length=MOST_TAGS
    )


class ImageDeleteSerializer(ImageChoiceSerializer):
    note = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")


class ImagesChangedSerializer(serializers.Serializer[Any]):
    images = serializers.IntegerField()


class ImagesDeletedSerializer(serializers.Serializer[Any]):
    revision = serializers.IntegerField(help_text="The new one, without them; restoring the one before undoes it.")


class ImageActs(viewsets.GenericViewSet[Entry]):
    """What the viewset of images has for them; all of it is done, or nothing."""

    request: ApiRequest

    def _dataset(self) -> Dataset:
        return visible_dataset(self.request, self.kwargs["dataset_id"])

    @extend_schema(parameters=[DATASET], request=ImageMoveSerializer, responses=ImagesChangedSerializer)
    @action(detail=False, methods=["post"], pagination_class=None)
    def move(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """Put images into a split, whatever the plan in force says of them."""
        form = _checked(ImageMoveSerializer, request)
        wanted = {"choice": form.choice, "split": form.validated_data["split"]}
        return Response({"images": services.images_move(actor=request.actor, dataset=self._dataset(), **wanted)})

    @extend_schema(parameters=[DATASET], request=ImageTagSerializer, responses=ImagesChangedSerializer)
    @action(detail=False, methods=["post"], pagination_class=None)
    def tag(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """Give images tags, beside those that they have."""
        form = _checked(ImageTagSerializer, request)
        wanted = {"choice": form.choice, "tags": form.validated_data["tags"]}
        return Response({"images": services.images_tag(actor=request.actor, dataset=self._dataset(), **wanted)})

    @extend_schema(parameters=[DATASET], request=ImageTagSerializer, responses=ImagesChangedSerializer)
    @action(detail=False, methods=["post"], pagination_class=None)
    def untag(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """Take tags from images."""
        form = _checked(ImageTagSerializer, request)
        wanted = {"choice": form.choice, "tags": form.validated_data["tags"]}
        return Response({"images": services.images_untag(actor=request.actor, dataset=self._dataset(), **wanted)})

    @extend_schema(parameters=[DATASET], request=ImageDeleteSerializer, responses=ImagesDeletedSerializer)
    @action(detail=False, methods=["post"], pagination_class=None, url_path="delete")
    def remove(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """A new revision without the images, and without the files of their labels."""
        form = _checked(ImageDeleteSerializer, request)
        wanted = {"choice": form.choice, "note": form.validated_data["note"]}
        revision = services.images_delete(actor=request.actor, dataset=self._dataset(), **wanted)
        return Response({"revision": revision.no})


def _checked(form: type[ImageChoiceSerializer], request: ApiRequest) -> Any:
    found = form(data=request.data)
    found.is_valid(raise_exception=True)
    return found
