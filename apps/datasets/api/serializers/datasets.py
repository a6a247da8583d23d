"""Datasets, their images, splits and snapshots."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api.serializers import PurgeDueField, VisibleField
from apps.core.entities.validators import PLAIN
from apps.datasets.models import (
    MOST_TAGS,
    TAG,
    TAG_CHARACTERS,
    Dataset,
    Entry,
    People,
    Snapshot,
    Split,
    SplitLevel,
    SplitMethod,
    Task,
    Visibility,
)
from apps.projects.models import Project


class DatasetSerializer(serializers.ModelSerializer[Dataset]):
    project_id = VisibleField(source="project", queryset=Project.objects.none())
    organization_id = serializers.UUIDField(read_only=True)
    task = serializers.ChoiceField(choices=Task.choices, required=False)
    visibility = serializers.ChoiceField(
        choices=Visibility.choices, required=False, help_text="`public` is given by `release` alone."
    )
    tags = serializers.ListField(
        child=serializers.CharField(max_length=TAG_CHARACTERS, validators=[PLAIN]),
        max_length=MOST_TAGS,
        required=False,
        help_text="Words by which it is found.",
    )
    licence = serializers.CharField(
        max_length=200,
        required=False,
        allow_blank=True,
        validators=[PLAIN],
        help_text="SPDX identifier, or own words.",
    )
    people = serializers.ChoiceField(
        choices=People.choices,
        required=False,
        allow_blank=True,
        help_text="Whether people in the pictures can be recognised, and agreed; empty: nobody has said.",
    )
    revision = serializers.IntegerField(source="revision_no", read_only=True, help_text="0 until the first upload.")

    class Meta:
        model = Dataset
        fields = [
            "id",
            "organization_id",
            "project_id",
            "name",
            "description",
            "tags",
            "licence",
            "people",
            "consent",
            "task",
            "visibility",
            "public_revisions",
            "revision",
            "image_count",
            "labelled_count",
            "box_count",
            "file_count",
            "byte_count",
            "created_at",
            "updated_at",
            "version",
        ]
        read_only_fields = [
            "id",
            "public_revisions",
            "image_count",
            "labelled_count",
            "box_count",
            "file_count",
            "byte_count",
            "created_at",
            "updated_at",
            "version",
        ]
        # Uniqueness is the service's business: it knows the organization.
        validators: list[Any] = []

    def get_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = super().get_fields()
        if self.instance is not None:
            fields["project_id"].read_only = True
        return fields


class TrashedDatasetSerializer(serializers.ModelSerializer[Dataset]):
    """A dataset in the trash."""

    training_count = serializers.IntegerField(
        read_only=True, help_text="Trainings that refer to it: while there are any, it stays."
    )
    purge_due_at = PurgeDueField()

    class Meta:
        model = Dataset
        fields = [
            "id",
            "organization_id",
            "project_id",
            "name",
            "byte_count",
            "training_count",
            "deleted_at",
            "purge_due_at",
        ]
        read_only_fields = fields


class ReleaseSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, help_text="The dataset's name, repeated: what becomes public.")
    version = serializers.CharField(max_length=60, default="head", help_text="A tag, r and a number, or head.")


class DatasetClassSerializer(serializers.Serializer[Any]):
    """A class. `skeleton` joins keypoints by their places in `keypoints`, from 0 up."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    color = serializers.CharField(required=False, help_text="#rrggbb")
    keypoints = serializers.ListField(child=serializers.CharField(), required=False)
    skeleton = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2), required=False
    )


class DatasetClassCountSerializer(DatasetClassSerializer):
    images = serializers.IntegerField(help_text="Images in which the class occurs.")


class DatasetDetailSerializer(DatasetSerializer):
    """With the class table of the newest revision."""

    classes = DatasetClassCountSerializer(many=True, read_only=True)

    class Meta(DatasetSerializer.Meta):
        fields = [*DatasetSerializer.Meta.fields, "classes"]


class DatasetMaskSerializer(serializers.Serializer[Any]):
    """Runs of pixels down the columns, first of background; `size` is height and width."""

    size = serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2)
    counts = serializers.ListField(child=serializers.IntegerField())


class DatasetObjectSerializer(serializers.Serializer[Any]):
    """An object: class id and, but for the class of a whole image, left, top, width, height of the box around it.

    Beside these what its task has: `polygon` (rings x, y, …), `mask`, `keypoints` (x, y and 0 not labelled, 1 hidden,
    2 visible), `corners` (x, y of four). All in pixels of the upright picture.
    """

    bbox = serializers.ListField(child=serializers.FloatField(), min_length=4, max_length=4, required=False)
    polygon = serializers.ListField(child=serializers.ListField(child=serializers.FloatField()), required=False)
    mask = DatasetMaskSerializer(required=False)
    keypoints = serializers.ListField(child=serializers.FloatField(), required=False)
    corners = serializers.ListField(child=serializers.FloatField(), min_length=8, max_length=8, required=False)
    attributes = serializers.DictField(required=False)

    def get_fields(self) -> dict[str, Any]:
        # `class` is a word of the language.
        return {"class": serializers.IntegerField(), **super().get_fields()}


class SplitCountSerializer(serializers.Serializer[Any]):
    images = serializers.IntegerField()
    labelled = serializers.IntegerField()
    boxes = serializers.IntegerField()


class DatasetImageSerializer(serializers.ModelSerializer[Entry]):
    id = serializers.IntegerField(source="item_id", help_text="Of the path in the dataset; stable over revisions.")
    path = serializers.CharField(source="item.path")
    size = serializers.IntegerField(source="blob.size")
    sha256 = serializers.CharField(source="blob.sha256")
    media_type = serializers.CharField(source="blob.media_type")
    split = serializers.CharField(source="in_split", allow_blank=True, help_text="train, val, test, or empty.")
    labelled = serializers.SerializerMethodField()
    is_sound = serializers.BooleanField(
        source="blob.is_sound", allow_null=True, help_text="Whether it could be decoded; null until it was tried."
    )
    revision = serializers.IntegerField(source="from_revision", help_text="That brought it as it is.")

    class Meta:
        model = Entry
        fields = [
            "id",
            "path",
            "width",
            "height",
            "size",
            "sha256",
            "media_type",
            "split",
            "labelled",
            "class_ids",
            "box_count",
            "is_sound",
            "has_warnings",
            "revision",
        ]

    def get_labelled(self, entry: Entry) -> bool:
        return entry.annotation_id is not None


class DatasetImageDetailSerializer(DatasetImageSerializer):
    annotations = serializers.SerializerMethodField()

    class Meta(DatasetImageSerializer.Meta):
        fields = [*DatasetImageSerializer.Meta.fields, "annotations"]

    @extend_schema_field(DatasetObjectSerializer(many=True))
    def get_annotations(self, entry: Entry) -> Any:
        return entry.annotation.document["objects"] if entry.annotation else []


class SplitSetSerializer(serializers.Serializer[Any]):
    """`auto`: seed and ratios. `stratified`: the same, with the classes spread evenly. `grouped`: the same, with groups
    kept together. `manual`: items, paths by split. `uploaded`: as the uploads named them."""

    method = serializers.ChoiceField(choices=SplitMethod.choices)
    seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0)
    ratios = serializers.DictField(child=serializers.FloatField(), required=False)
    pattern = serializers.CharField(
        max_length=200,
        required=False,
        allow_blank=True,
        default="",
        help_text="For `grouped`: a regular expression; what it finds in a path, or cuts out of it, names the group. "
        "Without one the folder does.",
    )
    items = serializers.DictField(child=serializers.ListField(child=serializers.CharField()), required=False)


class SplitPlanSerializer(serializers.Serializer[Any]):
    level = serializers.ChoiceField(choices=SplitLevel.choices)
    method = serializers.ChoiceField(choices=SplitMethod.choices)
    seed = serializers.IntegerField()
    ratios = serializers.DictField(child=serializers.FloatField())
    pattern = serializers.CharField(allow_blank=True)
    moved = serializers.IntegerField(source="moved_count", help_text="Images that were moved by hand since.")
    digest = serializers.CharField()


class SplitSerializer(serializers.Serializer[Any]):
    plan = SplitPlanSerializer()
    counts = serializers.DictField(child=SplitCountSerializer())


class SnapshotCountsSerializer(serializers.Serializer[Any]):
    train = serializers.IntegerField()
    val = serializers.IntegerField()
    test = serializers.IntegerField()
    images = serializers.IntegerField()
    boxes = serializers.IntegerField()
    bytes = serializers.IntegerField()


class SnapshotSerializer(serializers.ModelSerializer[Snapshot]):
    dataset_id = serializers.UUIDField(read_only=True)
    revision = serializers.IntegerField(source="revision.no", read_only=True)
    split = SplitPlanSerializer(source="split_plan", read_only=True)
    tag = serializers.CharField(max_length=60, required=False, allow_blank=True, validators=[TAG])
    classes = DatasetClassSerializer(many=True, read_only=True, source="revision.classes")
    counts = SnapshotCountsSerializer(read_only=True)

    class Meta:
        model = Snapshot
        fields = [
            "id",
            "dataset_id",
            "no",
            "tag",
            "note",
            "revision",
            "root_hash",
            "split",
            "classes",
            "counts",
            "created_at",
        ]
        read_only_fields = ["id", "no", "root_hash", "created_at"]
        # Uniqueness is the service's business: it knows the dataset.
        validators: list[Any] = []


SPLIT_CHOICES = [*Split.values, "none"]
