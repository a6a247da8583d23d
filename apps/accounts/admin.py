from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from apps.accounts.models import RefreshToken, User
from apps.accounts.services import PROFILE_FIELDS, profile_update
from apps.core.admin import PolicyAdmin, PolicyInline


class RefreshTokenInline(PolicyInline):
    model = RefreshToken
    fields = readonly_fields = ("created_at", "expires_at", "used_at", "revoked_at")


@admin.register(User)
class UserAdmin(PolicyAdmin):
    list_display = ("name", "email", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("name", "email")
    ordering = ("email",)
    readonly_fields = ("id", "email", "is_active", "is_staff", "is_superuser", "last_login", "created_at")
    fields = (*PROFILE_FIELDS, *readonly_fields)
    inlines = (RefreshTokenInline,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_operation(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> User:
        return profile_update(
            actor=request.actor, user=obj, **{name: form.cleaned_data[name] for name in PROFILE_FIELDS}
        )
