"""What the admins of the share tables have in common; each kind registers its own two."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Permission
from django.utils.translation import gettext_lazy as _

from apps.core.admin import PolicyAdmin
from apps.core.identity.requests import PortalRequest
from apps.projects.models import Project
from apps.shares import services
from apps.shares.models import Level, Share


class ShareAdmin(PolicyAdmin):
    """Shares the object with the grantee, gives another level, takes it back."""

    list_display = ("content_object", "grantee", "shown_level", "granted_by", "created_at")
    search_fields = ("content_object__name",)
    grantee_field = "user"
    readonly_fields = ("granted_by", "created_at")

    def get_fields(self, request: Any, obj: Any = None) -> Any:
        return ("content_object", self.grantee_field, "permission", *(self.readonly_fields if obj else ()))

    def get_readonly_fields(self, request: Any, obj: Any = None) -> Any:
        return (*self.readonly_fields, "content_object", self.grantee_field) if obj else self.readonly_fields

    def get_list_select_related(self, request: Any) -> Any:
        joined = "group__project" if self.grantee_field == "group" else "user"
        return (joined, "permission", "granted_by", *self.list_select_related)

    list_select_related: Any = ("content_object",)

    def formfield_for_foreignkey(self, db_field: Any, request: PortalRequest, **kwargs: Any) -> Any:
        if db_field.name == "permission":
            return self._level_field(super().formfield_for_foreignkey(db_field, request, **kwargs))
        if db_field.name == "group":
            own = Project.objects.visible(request.actor)
            groups = db_field.remote_field.model.objects
            kwargs["queryset"] = groups.filter(project__in=own).select_related("project")  # permitted: by project
            found = super().formfield_for_foreignkey(db_field, request, **kwargs)
            found.label, found.label_from_instance = _("project"), lambda group: str(group.project)
            return found
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def _level_field(self, found: Any) -> Any:
        target = self.model._meta.get_field("content_object").remote_field.model._meta
        codenames = {level.codename(target.model_name): level for level in Level}
        rows = Permission.objects.filter(codename__in=codenames)  # permitted: Django's own table belongs to nobody
        found.queryset = rows.filter(content_type__app_label=target.app_label)
        found.label, found.label_from_instance = _("level"), lambda row: str(codenames[row.codename].label)
        return found

    @admin.display(description=_("shared with"))
    def grantee(self, share: Any) -> str:
        return str(share.user if self.grantee_field == "user" else share.group.project)

    @admin.display(description=_("level"))
    def shown_level(self, share: Share) -> str:
        return str(share.level.label)

    def save_operation(self, request: PortalRequest, obj: Any, form: Any, change: bool) -> Any:
        grantee = {"user": obj.user} if self.grantee_field == "user" else {"project": obj.group.project}
        return services.share_set(actor=request.actor, obj=obj.content_object, level=obj.level, **grantee)

    def delete_operation(self, request: PortalRequest, obj: Any) -> None:
        services.share_remove(actor=request.actor, share=obj)


class GroupShareAdmin(ShareAdmin):
    grantee_field = "group"
