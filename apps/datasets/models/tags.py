"""Words that people put on images, to find them again. They are no part of what a version holds."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.entities.validators import PLAIN
from apps.datasets.models.choices import TAG_CHARACTERS
from apps.datasets.models.contents import Item
from apps.datasets.models.datasets import Dataset


class ImageTag(models.Model):
    """A word of one dataset; it is gone with the last image that has it."""

    id = models.BigAutoField(primary_key=True)
    dataset = models.ForeignKey(
        Dataset, on_delete=models.CASCADE, related_name="image_tags", db_index=False, verbose_name=_("dataset")
    )
    name = models.CharField(_("name"), max_length=TAG_CHARACTERS, validators=[PLAIN])

    class Meta:
        verbose_name = _("image tag")
        verbose_name_plural = _("image tags")
        ordering: ClassVar[list[str]] = ["name"]
        constraints = [models.UniqueConstraint(fields=["dataset", "name"], name="image_tag_unique")]

    def __str__(self) -> str:
        return self.name


class TaggedImage(models.Model):
    """That an image has a tag, whatever lies under its path from revision to revision."""

    id = models.BigAutoField(primary_key=True)
    tag = models.ForeignKey(
        ImageTag, on_delete=models.CASCADE, related_name="images", db_index=False, verbose_name=_("tag")
    )
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="tags", verbose_name=_("image"))

    class Meta:
        verbose_name = _("tagged image")
        verbose_name_plural = _("tagged images")
        # In the order of pages of images.
        constraints = [models.UniqueConstraint(fields=["tag", "item"], name="tagged_image_unique")]

    def __str__(self) -> str:
        return f"{self.tag_id}: {self.item_id}"
