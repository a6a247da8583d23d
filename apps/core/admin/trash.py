"""The trash in the admin: a filter of the list shows it, and its actions bring back or delete for good."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.core.admin.base import PolicyAdmin
from apps.core.admin.reasons import ReasonForm, with_reason
from apps.core.admin.selections import each_row
from apps.core.identity.requests import PortalRequest

PARAMETER = "trash"
YES = "yes"
ACTIONS = ("restore_chosen", "purge_chosen")


class TrashFilter(SimpleListFilter):
    """What is in the trash instead of what is not. It comes first: other filters narrow what it found."""

    title = _("trash")
    parameter_name = PARAMETER

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, Any]]:
        return [(YES, _("In the trash"))]

    def queryset(self, request: Any, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != YES:
            return queryset
        rows: Any = queryset.model._default_manager
        found: QuerySet[Any] = rows.permitted(request.actor, restoring(queryset.model))
        return found


class PurgeForm(ReasonForm):
    """The name is typed too: one row at a time."""

    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        help_text=_("Enter it to confirm that it is deleted for good."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )

    def clean_name(self) -> str:
        if len(self.rows) != 1:
            raise ValidationError(_("Choose one at a time."))
        return str(self.cleaned_data["name"])


class TrashAdmin(PolicyAdmin):
    """Of a `Trashable` model: `restore_operation` and `purge_operation` call the app's services."""

    def restore_operation(self, request: PortalRequest, obj: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__} names no operation that brings back.")

    def purge_operation(self, request: PortalRequest, obj: Any, name: str) -> None:
        raise NotImplementedError(f"{type(self).__name__} names no operation that deletes for good.")

    def get_list_filter(self, request: PortalRequest) -> list[Any]:
        return [TrashFilter, *super().get_list_filter(request)]

    def get_list_display(self, request: PortalRequest) -> Any:
        found = super().get_list_display(request)
        return (*found, "deleted_at", "shown_due") if _is_trash(request) else found

    def get_list_display_links(self, request: PortalRequest, list_display: Any) -> Any:
        """What is in the trash has no page."""
        return None if _is_trash(request) else super().get_list_display_links(request, list_display)

    def get_actions(self, request: PortalRequest) -> Any:
        if not _is_trash(request):
            return super().get_actions(request)
        found = [self.get_action(name) for name in ACTIONS]
        return {name: (function, name, text) for function, name, text in filter(None, found)}

    def get_deleted_objects(
        self, objs: Any, request: PortalRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Deleting is moving to the trash: nothing else goes with it."""
        return [str(obj) for obj in objs], {str(self.opts.verbose_name_plural): len(objs)}, set(), []

    @admin.display(description=_("deleted for good on"))
    def shown_due(self, obj: Any) -> Any:
        return obj.purge_due_at

    @admin.action(description=_("Bring the chosen ones back from the trash"))
    @with_reason
    def restore_chosen(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        each_row(request, rows, lambda row: self.restore_operation(request, row), _("Brought back: %(name)s."))

    @admin.action(description=_("Delete for good"))
    @with_reason(form_class=PurgeForm)
    def purge_chosen(self, request: PortalRequest, rows: QuerySet[Any], name: str) -> None:
        each_row(request, rows, lambda row: self.purge_operation(request, row, name), _("Deleted for good: %(name)s."))


def restoring(model: Any) -> str:
    """The permission of those who see a row in the trash."""
    return f"{model._meta.app_label}.restore_{model._meta.model_name}"


def _is_trash(request: PortalRequest) -> bool:
    return request.GET.get(PARAMETER) == YES
