"""A dataset, and with whom it is shared."""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.core.entities import PLAIN, Entity, Trashable
from apps.datasets.models.choices import MOST_TAGS, TAG_CHARACTERS, People, Task, Visibility
from apps.datasets.querysets import DatasetQuerySet
from apps.shares.models import GroupShare, UserShare


class Dataset(Entity, Trashable):
    """A named set of files with labels, in revisions. The counters are those of the newest revision."""

    organization = models.ForeignKey(
        "organizations.Organization", on_delete=models.CASCADE, related_name="datasets", verbose_name=_("organization")
    )
    project = models.ForeignKey(
        "projects.Project", on_delete=models.CASCADE, related_name="datasets", verbose_name=_("project")
    )
    name = models.CharField(_("name"), max_length=120, validators=[PLAIN])
    # CommonMark.
    description = models.TextField(_("description"), max_length=4000, blank=True)
    # An SPDX identifier, or own words.
    licence = models.CharField(_("licence"), max_length=200, blank=True, default="", validators=[PLAIN])
    people = models.CharField(
        _("people in the pictures"), max_length=10, choices=People.choices, blank=True, default=""
    )
    consent = models.TextField(_("consent"), max_length=2000, blank=True, default="")
    tags = ArrayField(
        models.CharField(max_length=TAG_CHARACTERS, validators=[PLAIN]),
        verbose_name=_("tags"),
        size=MOST_TAGS,
        default=list,
        blank=True,
    )
    task = models.CharField(_("task"), max_length=20, choices=Task.choices, default=Task.DETECT)
    visibility = models.CharField(
        _("visibility"), max_length=20, choices=Visibility.choices, default=Visibility.PROJECT
    )
    # Numbers of the revisions that were made public, in that order: readers elsewhere are shown the last one first, and
    # none that is not here.
    public_revisions = ArrayField(
        models.PositiveIntegerField(), verbose_name=_("public versions"), default=list, blank=True, editable=False
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    # 0: nothing was published yet.
    revision_no = models.PositiveIntegerField(_("revision"), default=0, editable=False)
    image_count = models.PositiveIntegerField(_("images"), default=0, editable=False)
    labelled_count = models.PositiveIntegerField(_("labelled images"), default=0, editable=False)
    box_count = models.PositiveBigIntegerField(_("objects"), default=0, editable=False)
    file_count = models.PositiveIntegerField(_("files"), default=0, editable=False)
    byte_count = models.PositiveBigIntegerField(_("bytes"), default=0, editable=False)
    # The plan of the dataset's level; without one the default counts.
    split_plan = models.ForeignKey(
        "datasets.SplitPlan",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        editable=False,
        verbose_name=_("split"),
    )

    objects = DatasetQuerySet.as_manager()

    class Meta:
        verbose_name = _("dataset")
        verbose_name_plural = _("datasets")
        ordering: ClassVar[list[str]] = ["-id"]
        # Levels of a share beside Django's own view and change.
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("use_dataset", "Can use dataset"),
            ("manage_dataset", "Can manage dataset"),
        ]
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                "organization",
                condition=models.Q(deleted_at__isnull=True),
                name="dataset_name_unique",
                violation_error_message=_("The organization has a dataset of this name."),
            ),
            models.CheckConstraint(
                condition=(models.Q(visibility=Visibility.PUBLIC) & ~models.Q(public_revisions=[]))
                | (~models.Q(visibility=Visibility.PUBLIC) & models.Q(public_revisions=[])),
                name="dataset_public_has_versions",
                violation_error_message=_("A public dataset has public versions, and no other has."),
            ),
        ]
        indexes = [
            models.Index(fields=["-id"], condition=models.Q(visibility="public"), name="dataset_public"),
            models.Index(fields=["organization", "-id"], name="dataset_of_organization"),
            models.Index(fields=["project", "-id"], name="dataset_of_project"),
            models.Index(fields=["deleted_at"], condition=models.Q(deleted_at__isnull=False), name="dataset_in_trash"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("datasets:detail", args=[self.pk])


class DatasetUserShare(UserShare):
    content_object = models.ForeignKey(
        Dataset, on_delete=models.CASCADE, related_name="user_shares", verbose_name=_("dataset")
    )

    class Meta:
        verbose_name = _("share of a dataset with a person")
        verbose_name_plural = _("shares of datasets with people")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "content_object"],
                name="dataset_user_share_unique",
                violation_error_message=_("It is shared with this person already."),
            )
        ]


class DatasetGroupShare(GroupShare):
    content_object = models.ForeignKey(
        Dataset, on_delete=models.CASCADE, related_name="group_shares", verbose_name=_("dataset")
    )

    class Meta:
        verbose_name = _("share of a dataset with a project")
        verbose_name_plural = _("shares of datasets with projects")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["group", "content_object"],
                name="dataset_group_share_unique",
                violation_error_message=_("It is shared with this project already."),
            )
        ]
