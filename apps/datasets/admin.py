from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget

from apps.core.admin import (
    ActionForm,
    PolicyAdmin,
    PolicyInline,
    ReadOnlyAdmin,
    TrashAdmin,
    each_row,
    with_form,
    with_reason,
)
from apps.core.identity.requests import PortalRequest
from apps.core.templatetags.ui import format_bytes
from apps.datasets import services
from apps.datasets.forms import visibility_choices
from apps.datasets.models import (
    Dataset,
    DatasetGroupShare,
    DatasetUserShare,
    DirectFile,
    Export,
    ExportFormat,
    ImageTag,
    IntegrityCheck,
    Revision,
    ServerFolder,
    Snapshot,
    Upload,
)
from apps.datasets.selectors.exports import worded
from apps.datasets.selectors.integrity import damaged_files
from apps.datasets.services.datasets import CHANGEABLE
from apps.shares.admin import GroupShareAdmin, ShareAdmin


class ExportForm(ActionForm):
    """The format in which the newest version is written, for the task of its labels."""

    format = forms.ChoiceField(label=_("Format"), choices=ExportFormat.choices, widget=UnfoldAdminSelectWidget)


class RevisionInline(PolicyInline):
    model = Revision
    fields = readonly_fields = ("no", "note", "restored_from", "created_by", "created_at", "shown_counts")

    @admin.display(description=_("images"))
    def shown_counts(self, revision: Revision) -> str:
        counts = revision.counts
        return f"{counts.get('images', 0)} (+{counts.get('added', 0)} −{counts.get('removed', 0)})"


class ImageTagInline(PolicyInline):
    """The words that people put on its images; pages of images put them there and take them away."""

    model = ImageTag
    ordering = ("name",)
    fields = readonly_fields = ("name", "shown_images")

    def get_queryset(self, request: PortalRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(image_count=Count("images"))

    @admin.display(description=_("images"))
    def shown_images(self, tag: Any) -> int:
        return int(tag.image_count)


@admin.register(Dataset)
class DatasetAdmin(TrashAdmin):
    list_display = ("name", "project", "organization", "visibility", "revision_no", "image_count", "created_at")
    list_filter = ("organization", "visibility", "task")
    list_select_related = ("project", "organization")
    search_fields = ("name", "description", "licence")
    readonly_fields = (
        "id",
        "organization",
        "revision_no",
        "image_count",
        "labelled_count",
        "box_count",
        "file_count",
        "shown_bytes",
        "shown_damage",
        "shown_public",
        "split_plan",
        "created_by",
        "created_at",
        "updated_at",
        "version",
    )
    fields = ("project", *CHANGEABLE, *readonly_fields)
    inlines = (ImageTagInline, RevisionInline)
    actions = (
        "fix_version",
        "check_integrity",
        "write_export",
        "remove_split",
        "withdraw_datasets",
    )

    @admin.display(description=_("size"))
    def shown_bytes(self, dataset: Dataset) -> str:
        return format_bytes(dataset.byte_count)

    @admin.display(description=_("damaged files"))
    def shown_damage(self, dataset: Dataset) -> int:
        return damaged_files(dataset).count()

    @admin.display(description=_("public versions"))
    def shown_public(self, dataset: Dataset) -> str:
        """And the way to the page that names what becomes public, and asks."""
        names = ", ".join(f"r{no}" for no in dataset.public_revisions) or "–"
        address, label = reverse("datasets:release", args=[dataset.pk]), _("Make a version public")
        return format_html('{} · <a class="text-link" href="{}">{}</a>', names, address, label)

    @admin.action(description=_("Take a snapshot of the chosen datasets"))
    def fix_version(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows, services.snapshot_create, _("A snapshot was taken of %(name)s."))

    @admin.action(description=_("Check the files of the chosen datasets"))
    def check_integrity(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        done = _("The files of %(name)s are being checked; the outcome stands under the integrity checks.")
        self._each(request, rows, services.integrity_check, done)

    @admin.action(description=_("Export the chosen datasets in a format"))
    @with_form(form_class=ExportForm)
    def write_export(self, request: PortalRequest, rows: QuerySet[Any], format: str) -> None:
        done = _("%(name)s is being written; the archive stands under the exports.")
        self._each(request, rows, partial(services.export_ask, format=format), done)

    @admin.action(description=_("Put the chosen datasets back to the default split"))
    @with_reason
    def remove_split(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows, services.split_remove, _("Back to the default split: %(name)s."))

    @staticmethod
    def _each(request: PortalRequest, rows: QuerySet[Any], service: Any, done: Any) -> None:
        each_row(request, rows, lambda dataset: service(actor=request.actor, dataset=dataset), done)

    @admin.action(description=_("Withdraw the chosen datasets from the public"))
    @with_reason
    def withdraw_datasets(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        self._each(request, rows, services.dataset_withdraw, _("Withdrawn from the public: %(name)s."))

    def get_form(self, request: PortalRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        if "visibility" in form.base_fields:
            form.base_fields["visibility"].choices = visibility_choices(obj)
        return form

    def get_readonly_fields(self, request: PortalRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return self.readonly_fields
        return (*self.readonly_fields, "project", *(("task",) if obj.revision_no else ()))

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> Dataset:
        given = form.cleaned_data
        fields = {name: given[name] for name in CHANGEABLE if name in given}
        if change:
            return services.dataset_change(actor=request.actor, dataset=obj, **fields)
        return services.dataset_create(actor=request.actor, project=obj.project, **fields)

    def delete_operation(self, request: PortalRequest, obj: Any) -> None:
        services.dataset_trash(actor=request.actor, dataset=obj)

    def restore_operation(self, request: PortalRequest, obj: Any) -> None:
        services.dataset_restore(actor=request.actor, dataset=obj)

    def purge_operation(self, request: PortalRequest, obj: Any, name: str) -> None:
        services.dataset_purge(actor=request.actor, dataset=obj, name=name)


class DirectFileInline(PolicyInline):
    """What is on its way to the store, or lies there until the upload has ended; sent and removed over REST."""

    model = DirectFile
    fields = readonly_fields = ("path", "shown_bytes", "shown_parts", "completed_at", "shown_digest")

    @admin.display(description=_("size"))
    def shown_bytes(self, file: DirectFile) -> str:
        return format_bytes(file.byte_count)

    @admin.display(description=_("parts"))
    def shown_parts(self, file: DirectFile) -> int:
        return file.part_count

    @admin.display(description=_("digest"))
    def shown_digest(self, file: DirectFile) -> str:
        """What a worker has found; the first of it, for the page is narrow."""
        return file.digest[:16]


@admin.register(Upload)
class UploadAdmin(ReadOnlyAdmin):
    inlines = (DirectFileInline,)
    list_display = ("dataset", "state", "source", "file_count", "shown_bytes", "created_by", "created_at", "revision")
    list_filter = ("state", "source", "mode")
    list_select_related = ("dataset", "created_by", "revision")
    search_fields = ("dataset__name", "note", "id")
    fields = readonly_fields = (
        "id",
        "dataset",
        "state",
        "source",
        "shown_place",
        "mode",
        "lenient",
        "format",
        "note",
        "class_map",
        "file_count",
        "shown_bytes",
        "failure",
        "revision",
        "created_by",
        "published_by",
        "created_at",
        "updated_at",
        "swept_at",
    )

    @admin.display(description=_("size"), ordering="byte_count")
    def shown_bytes(self, upload: Upload) -> str:
        return format_bytes(upload.byte_count)

    @admin.display(description=_("place"))
    def shown_place(self, upload: Upload) -> str:
        return upload.place_text


@admin.register(ServerFolder)
class ServerFolderAdmin(PolicyAdmin):
    """What those who run the platform allow; its people see name and path of their organization's alone."""

    list_display = ("name", "organization", "created_at")
    list_filter = ("organization",)
    list_select_related = ("organization",)
    search_fields = ("name", "path")
    readonly_fields = ("id", "created_at", "updated_at")
    fields = ("organization", "name", "path", *readonly_fields)

    def get_readonly_fields(self, request: PortalRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "organization") if obj else self.readonly_fields

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> ServerFolder:
        fields = {name: form.cleaned_data[name] for name in ("name", "path")}
        if change:
            return services.server_folder_change(actor=request.actor, folder=obj, **fields)
        return services.server_folder_allow(actor=request.actor, organization=obj.organization, **fields)

    def delete_operation(self, request: PortalRequest, obj: Any) -> None:
        services.server_folder_forbid(actor=request.actor, folder=obj)


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    list_display = ("dataset", "tag", "revision", "shown_hash", "created_by", "created_at")
    list_filter = ("dataset__organization",)
    list_select_related = ("dataset", "revision", "created_by")
    search_fields = ("dataset__name", "tag", "root_hash", "id")
    fields = readonly_fields = (
        "id",
        "dataset",
        "no",
        "tag",
        "note",
        "revision",
        "root_hash",
        "split_plan",
        "split_digest",
        "counts",
        "created_by",
        "created_at",
    )

    @admin.display(description=_("root hash"))
    def shown_hash(self, snapshot: Snapshot) -> str:
        return snapshot.root_hash[:16]

    def has_delete_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return self._holds(request, "delete", obj)

    def delete_operation(self, request: PortalRequest, obj: Any) -> None:
        services.snapshot_delete(actor=request.actor, snapshot=obj)


@admin.register(IntegrityCheck)
class IntegrityCheckAdmin(ReadOnlyAdmin):
    list_display = (
        "dataset",
        "state",
        "is_scheduled",
        "file_count",
        "missing_count",
        "changed_count",
        "created_by",
        "created_at",
    )
    list_filter = ("state", "is_scheduled", "dataset__organization")
    list_select_related = ("dataset", "created_by")
    search_fields = ("dataset__name", "id")
    fields = readonly_fields = (
        "id",
        "dataset",
        "state",
        "is_scheduled",
        "file_count",
        "done_count",
        "shown_bytes",
        "missing_count",
        "changed_count",
        "repaired_count",
        "created_by",
        "created_at",
        "ended_at",
    )

    @admin.display(description=_("bytes read"), ordering="byte_count")
    def shown_bytes(self, check: IntegrityCheck) -> str:
        return format_bytes(check.byte_count)


@admin.register(Export)
class ExportAdmin(ReadOnlyAdmin):
    list_display = (
        "dataset",
        "version_name",
        "format",
        "task",
        "state",
        "shown_bytes",
        "created_by",
        "created_at",
        "expires_at",
    )
    list_filter = ("state", "format", "dataset__organization")
    list_select_related = ("dataset", "created_by")
    search_fields = ("dataset__name", "version_name", "sha256", "id")
    fields = readonly_fields = (
        "id",
        "dataset",
        "revision",
        "version_name",
        "format",
        "task",
        "split_plan",
        "chosen_count",
        "partial",
        "state",
        "attempt",
        "image_count",
        "object_count",
        "file_count",
        "left_out_count",
        "shown_losses",
        "shown_bytes",
        "sha256",
        "shown_failure",
        "created_by",
        "created_at",
        "ended_at",
        "expires_at",
    )

    def get_queryset(self, request: PortalRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("chosen")

    @admin.display(description=_("size"), ordering="byte_count")
    def shown_bytes(self, export: Export) -> str:
        return format_bytes(export.byte_count)

    @admin.display(description=_("losses"))
    def shown_losses(self, export: Export) -> str:
        return " ".join(loss["text"] for loss in worded(export.losses))

    @admin.display(description=_("why it failed"))
    def shown_failure(self, export: Export) -> str:
        return str(export.failure_text)

    def has_delete_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return self._holds(request, "delete", obj)

    def delete_operation(self, request: PortalRequest, obj: Any) -> None:
        services.export_delete(actor=request.actor, export=obj)


@admin.register(DatasetUserShare)
class DatasetUserShareAdmin(ShareAdmin):
    pass


@admin.register(DatasetGroupShare)
class DatasetGroupShareAdmin(GroupShareAdmin):
    pass
