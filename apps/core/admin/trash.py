"""The trash of a list: what was deleted stands behind a filter, and is brought back from there."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from apps.core.admin.base import PolicyAdmin
from apps.core.admin.selections import each_row
from apps.core.identity.requests import PortalRequest

PARAMETER = "trash"
RESTORE = "restore"


def _asks_for_trash(request: PortalRequest) -> bool:
    return request.GET.get(PARAMETER) == "yes"


class TrashFilter(admin.SimpleListFilter):
    title = _("trash")
    parameter_name = PARAMETER

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("In the trash"))]

    def queryset(self, request: Any, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """`TrashAdmin.get_queryset` has chosen: permissions are about rows on either side of the trash."""
        return queryset


class TrashAdmin(PolicyAdmin):
    """Deleting moves to the trash. There a row is looked at in the list alone, by those who may restore it."""

    def restore_operation(self, request: PortalRequest, obj: Any) -> None:
        """Calls the service that brings the object back."""
        raise NotImplementedError(f"{type(self).__name__} has a trash but names no operation.")

    @admin.action(description=_("Restore from the trash"))
    def restore(self, request: PortalRequest, rows: QuerySet[Any]) -> None:
        each_row(request, rows, lambda row: self.restore_operation(request, row), _("Restored: %(name)s."))

    def get_queryset(self, request: PortalRequest) -> QuerySet[Any]:
        if not _asks_for_trash(request):
            return super().get_queryset(request)
        permission = f"{self.opts.app_label}.restore_{self.opts.model_name}"
        rows = self.model._default_manager.permitted(request.actor, permission)
        return rows.order_by(*(self.get_ordering(request) or self.opts.ordering))

    def get_list_filter(self, request: PortalRequest) -> list[Any]:
        return [*super().get_list_filter(request), TrashFilter]

    def get_list_display_links(self, request: PortalRequest, list_display: Sequence[Any]) -> Any:
        return None if _asks_for_trash(request) else super().get_list_display_links(request, list_display)

    def get_actions(self, request: PortalRequest) -> Any:
        found: dict[str, tuple[Callable[..., Any], str, str]] = super().get_actions(request)
        wanted = _asks_for_trash(request)
        return {name: action for name, action in found.items() if (name == RESTORE) == wanted}

    def get_deleted_objects(
        self, objs: Any, request: PortalRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Deleting is moving to the trash: nothing else goes with it."""
        return [str(obj) for obj in objs], {str(self.opts.verbose_name_plural): len(objs)}, set(), []
