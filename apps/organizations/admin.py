from typing import Any

from django.contrib import admin

from apps.core.admin import PolicyAdmin, PolicyInline
from apps.core.identity import Role
from apps.core.identity.requests import PortalRequest
from apps.organizations import services
from apps.organizations.models import Membership, Organization


class MembershipInline(PolicyInline):
    model = Membership
    fields = readonly_fields = ("user", "role", "state", "created_at")


@admin.register(Organization)
class OrganizationAdmin(PolicyAdmin):
    list_display = ("company", "division", "join_policy", "created_at")
    search_fields = ("company", "division")
    readonly_fields = ("id", "created_at", "updated_at", "version")
    fields = ("company", "division", "join_policy", *readonly_fields)
    inlines = (MembershipInline,)

    def has_add_permission(self, request: PortalRequest) -> bool:
        return False

    def has_delete_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> Organization:
        fields = {name: form.cleaned_data[name] for name in ("company", "division", "join_policy")}
        return services.organization_change(actor=request.actor, organization=obj, **fields)


@admin.register(Membership)
class MembershipAdmin(PolicyAdmin):
    list_display = ("user", "organization", "role", "state", "created_at")
    list_filter = ("role", "state", "organization")
    list_select_related = ("user", "organization")
    search_fields = ("user__name", "user__email", "organization__company")
    readonly_fields = ("state", "created_at")
    fields = ("organization", "user", "role", *readonly_fields)

    def has_delete_permission(self, request: PortalRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: PortalRequest, obj: Any = None) -> tuple[str, ...]:
        return ("organization", "user", *self.readonly_fields) if obj else self.readonly_fields

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> Membership:
        role = Role(form.cleaned_data["role"])
        if change:
            return services.membership_change_role(actor=request.actor, membership=obj, role=role)
        return services.membership_add(actor=request.actor, organization=obj.organization, user=obj.user, role=role)
