"""Projects and their members."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.core.entities import PLAIN, Entity, Trashable
from apps.projects.querysets import ProjectMembershipQuerySet, ProjectQuerySet


class ProjectRole(models.TextChoices):
    """What a member may do in a project, highest first."""

    OWNER = "owner", _("Owner")
    EDITOR = "editor", _("Editor")
    VIEWER = "viewer", _("Viewer")


class Project(Entity, Trashable):
    """One piece of work of an organization."""

    organization = models.ForeignKey(
        "organizations.Organization", on_delete=models.CASCADE, related_name="projects", verbose_name=_("organization")
    )
    name = models.CharField(_("name"), max_length=120, validators=[PLAIN])
    description = models.TextField(_("description"), max_length=4000, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("created by")
    )
    # Put away: to be seen, and changed no more until it is taken back.
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True, editable=False)
    # Shares (django-guardian) are granted to people or to this group; only the membership services write it.
    group = models.OneToOneField(
        "auth.Group", on_delete=models.PROTECT, related_name="project", editable=False, verbose_name=_("group")
    )

    objects = ProjectQuerySet.as_manager()

    class Meta:
        verbose_name = _("project")
        verbose_name_plural = _("projects")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                "organization",
                condition=models.Q(deleted_at__isnull=True),
                name="project_name_unique",
                violation_error_message=_("The organization has a project of this name."),
            )
        ]
        indexes = [
            models.Index(fields=["organization", "-id"], name="project_of_organization"),
            models.Index(fields=["deleted_at"], condition=models.Q(deleted_at__isnull=False), name="project_in_trash"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("projects:detail", args=[self.pk])


class ProjectMembership(Entity):
    """One person's role in one project."""

    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("project")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="project_memberships",
        verbose_name=_("person"),
    )
    role = models.CharField(_("role"), max_length=20, choices=ProjectRole.choices, default=ProjectRole.VIEWER)

    objects = ProjectMembershipQuerySet.as_manager()

    class Meta:
        verbose_name = _("project member")
        verbose_name_plural = _("project members")
        ordering: ClassVar[list[str]] = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "user"],
                name="project_membership_unique",
                violation_error_message=_("This person is a member of the project already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()}"

    @property
    def organization_id(self) -> Any:
        return self.project.organization_id
