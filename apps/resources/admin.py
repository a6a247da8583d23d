from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from apps.core.admin import PolicyAdmin, PolicyInline
from apps.core.identity.requests import PortalRequest
from apps.resources import services
from apps.resources.models import Node, NodeSample, ResourceGroup


class NodeInline(PolicyInline):
    model = Node
    fields = readonly_fields = ("name", "state", "cpus", "memory_mb", "last_seen_at")
    show_change_link = True


class NodeSampleInline(PolicyInline):
    model = NodeSample
    fields = readonly_fields = ("time", "cpu_percent", "memory_used_mb", "disk_used_percent", "gpu_load")
    max_num = 0
    ordering = ("-time",)

    @admin.display(description=_("GPU"))
    def gpu_load(self, sample: NodeSample) -> str | None:
        return " · ".join(f"{gpu.get('index')}: {gpu.get('percent')} %" for gpu in sample.gpus) or None


@admin.register(ResourceGroup)
class ResourceGroupAdmin(PolicyAdmin):
    list_display = ("name", "organization", "executor", "is_default")
    list_select_related = ("organization",)
    search_fields = ("name",)
    readonly_fields = ("executor", "is_default", "created_at")
    fields = ("organization", "name", "description", "max_jobs_at_once", *readonly_fields)
    inlines = (NodeInline,)

    def has_delete_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: PortalRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "organization") if obj else self.readonly_fields

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> ResourceGroup:
        fields = {name: form.cleaned_data[name] for name in ("name", "description", "max_jobs_at_once")}
        if change:
            return services.group_change(actor=request.actor, group=obj, **fields)
        return services.group_create(actor=request.actor, organization=obj.organization, **fields)


@admin.register(Node)
class NodeAdmin(PolicyAdmin):
    list_display = ("name", "group", "state", "cpus", "memory_mb", "last_seen_at")
    list_filter = ("state", "group")
    list_select_related = ("group",)
    search_fields = ("name",)
    readonly_fields = ("name", "memory_mb", "accelerators", "boot_id", "last_seen_at", "usage")
    fields = ("name", "group", "state", "cpus", *readonly_fields[1:])
    inlines = (NodeSampleInline,)

    @admin.display(description=_("accelerators"))
    def accelerators(self, node: Node) -> str | None:
        return " · ".join(f"{gpu.get('index')}: {gpu.get('name')}" for gpu in node.gpus) or None

    def has_add_permission(self, request: PortalRequest) -> bool:
        return False

    def has_delete_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> Node:
        fields = {name: form.cleaned_data[name] for name in ("group", "cpus", "state")}
        return services.node_change(actor=request.actor, node=obj, **fields)
