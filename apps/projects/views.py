"""Portal pages of projects."""

from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core import policy
from apps.core.errors import NotFound
from apps.core.identity.requests import PortalRequest
from apps.core.portal import error_messages, form_errors, page_of, search_of, shown_tabs, signed_in
from apps.departures.views import purge_page
from apps.invitations.models import Invitation
from apps.invitations.selectors import described
from apps.organizations.models import Organization
from apps.projects import services
from apps.projects.forms import MemberForm, ProjectForm, RoleForm, TransferForm
from apps.projects.models import Project, ProjectMembership, ProjectRole
from apps.projects.panels import panels

#: Invitations shown beside the members; the list of invitations has all.
WAITING = 20


def _project(request: PortalRequest, pk: str) -> Project:
    return Project.objects.select_related("organization", "created_by").get_visible(request.actor, pk=pk)


def _shown(request: PortalRequest, project: Project, tab: str) -> dict[str, Any]:
    """What every tab of a project needs: the tabs, and which of the acts the policy allows."""
    member_count = project.memberships.count()
    tabs = [
        ("overview", _("Overview"), reverse("projects:detail", args=[project.pk]), "layout-dashboard", None),
        ("members", _("Members"), reverse("projects:members", args=[project.pk]), "users", member_count),
        ("history", _("History"), reverse("projects:history", args=[project.pk]), "history", None),
        ("settings", _("Settings"), reverse("projects:change", args=[project.pk]), "settings", None),
    ]
    return {
        "project": project,
        "may_change": policy.allows(request.actor, "projects.change_project", project),
        "tabs": shown_tabs(tab, tabs),
    }


@signed_in
@require_GET
def project_list(request: PortalRequest) -> HttpResponse:
    """Projects of the chosen organization; `?q=` searches their names, `?archived=1` shows those put away."""
    search = search_of(request)
    rows = Project.objects.visible(request.actor).filter(organization=request.actor.organization_id)
    in_archive = request.GET.get("archived") == "1"
    shown = rows.archived(in_archive).search(search).with_counts()
    page = page_of(request, shown.select_related("created_by"))
    trash = Project.objects.permitted(request.actor, "projects.restore_project")
    context = {
        "page": page,
        "search": search,
        "in_archive": in_archive,
        "has_archive": in_archive or rows.archived(True).exists(),
        "may_add": request.actor.organization_id not in {None, *request.actor.closing},
        "has_trash": trash.filter(organization=request.actor.organization_id).exists(),
    }
    return render(request, "projects/list.html", context)


@signed_in
@require_http_methods(["GET", "POST"])
def project_create(request: PortalRequest) -> HttpResponse:
    form = ProjectForm(request.POST or None)
    organization = Organization.objects.get_visible(request.actor, pk=request.actor.organization_id)
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            project = services.project_create(actor=request.actor, organization=organization, **form.cleaned_data)
            messages.success(request, _("The project was created."))
            return redirect(project)
    return render(request, "projects/form.html", {"form": form}, status=422 if form.errors else 200)


@signed_in
@require_GET
def project_detail(request: PortalRequest, pk: str) -> HttpResponse:
    project = _project(request, pk)
    context = _shown(request, project, "overview") | {"panels": panels(request.actor, project)}
    return render(request, "projects/detail.html", context)


@signed_in
@require_GET
def project_members(request: PortalRequest, pk: str) -> HttpResponse:
    return _members_page(request, _project(request, pk))


def _members_page(request: PortalRequest, project: Project, form: MemberForm | None = None) -> HttpResponse:
    context = _shown(request, project, "members")
    members = list(project.memberships.select_related("user").order_by("id"))
    for member in members:
        member.is_self = member.user_id == request.actor.user_id  # type: ignore[attr-defined]  # for the page alone
    context |= {
        "members": members,
        "roles": ProjectRole.choices,
        "member_form": None,
    }
    if context["may_change"]:
        context["member_form"] = form or MemberForm(actor=request.actor, project=project)
        waiting = Invitation.objects.visible(request.actor).pending().filter(target_id=project.pk)
        context["waiting"] = described(waiting.select_related("invited_by").order_by("-pk")[:WAITING])
    return render(request, "projects/members.html", context, status=422 if form is not None else 200)


@signed_in
@require_GET
def project_history(request: PortalRequest, pk: str) -> HttpResponse:
    return render(request, "projects/history.html", _shown(request, _project(request, pk), "history"))


@signed_in
@require_http_methods(["GET", "POST"])
def project_change(request: PortalRequest, pk: str) -> HttpResponse:
    """The settings: shown to every member, changed by those who may."""
    project = _project(request, pk)
    if request.method == "POST":
        policy.require(request.actor, "projects.change_project", project)
    form = ProjectForm.of(request.POST or None, project)
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            services.project_change(actor=request.actor, project=project, **form.cleaned_data)
            messages.success(request, _("The project was changed."))
            return redirect("projects:change", pk=pk)
    return _settings_page(request, project, form)


def _settings_page(
    request: PortalRequest, project: Project, form: ProjectForm, transfer_form: TransferForm | None = None
) -> HttpResponse:
    context = _shown(request, project, "settings") | {"form": form}
    if context["may_change"]:
        context["transfer_form"] = transfer_form or TransferForm(actor=request.actor, project=project)
    wrong = form.errors or transfer_form is not None
    return render(request, "projects/settings.html", context, status=422 if wrong else 200)


@signed_in
@require_POST
def project_archive(request: PortalRequest, pk: str) -> HttpResponse:
    return _put(request, pk, services.project_archive, _("The project is in the archive."))


@signed_in
@require_POST
def project_unarchive(request: PortalRequest, pk: str) -> HttpResponse:
    return _put(request, pk, services.project_unarchive, _("The project is out of the archive."))


def _put(request: PortalRequest, pk: str, operation: Any, done: str) -> HttpResponse:
    project = Project.objects.get_visible(request.actor, pk=pk)
    policy.require(request.actor, "projects.change_project", project)
    with error_messages(request):
        operation(actor=request.actor, project=project)
        messages.success(request, done)
    return redirect("projects:change", pk=pk)


@signed_in
@require_POST
def project_transfer(request: PortalRequest, pk: str) -> HttpResponse:
    """Hands the project over to somebody of the organization."""
    project = _project(request, pk)
    policy.require(request.actor, "projects.change_project", project)
    form = TransferForm(request.POST, actor=request.actor, project=project)
    if not form.is_valid():
        return _settings_page(request, project, ProjectForm.of(None, project), form)
    with error_messages(request):
        services.project_transfer(actor=request.actor, project=project, **form.cleaned_data)
        messages.success(request, _("The project was handed over."))
    return redirect("projects:members", pk=pk)


@signed_in
@require_POST
def project_trash(request: PortalRequest, pk: str) -> HttpResponse:
    project = Project.objects.get_visible(request.actor, pk=pk)
    services.project_trash(actor=request.actor, project=project)
    messages.success(request, _("The project is in the trash."))
    return redirect("projects:trash")


@signed_in
@require_GET
def trash(request: PortalRequest) -> HttpResponse:
    rows = Project.objects.permitted(request.actor, "projects.restore_project")
    page = page_of(request, rows.filter(organization=request.actor.organization_id))
    return render(request, "projects/trash.html", {"page": page})


@signed_in
@require_POST
def project_restore(request: PortalRequest, pk: str) -> HttpResponse:
    project = Project.objects.permitted(request.actor, "projects.restore_project").filter(pk=pk).first()
    if project is None:
        raise NotFound()
    answer = redirect("projects:trash")
    with error_messages(request):
        services.project_restore(actor=request.actor, project=project)
        messages.success(request, _("The project is back."))
        answer = redirect(project)
    return answer


@signed_in
@require_http_methods(["GET", "POST"])
def project_purge(request: PortalRequest, pk: str) -> HttpResponse:
    """The question before a project in the trash is deleted for good."""
    project = Project.objects.permitted(request.actor, "projects.purge_project").filter(pk=pk).first()
    if project is None:
        raise NotFound()
    return purge_page(
        request,
        project,
        partial(services.project_purge, actor=request.actor, project=project),
        obstacle=services.purge_obstacle(project),
        trash="projects:trash",
        loss=_("The project goes with its datasets, trainings, checkpoints, experiments and members."),
        done=_("The project is deleted for good."),
    )


@signed_in
@require_POST
def member_add(request: PortalRequest, pk: str) -> HttpResponse:
    project = _project(request, pk)
    policy.require(request.actor, "projects.add_projectmembership", project)
    form = MemberForm(request.POST, actor=request.actor, project=project)
    if not form.is_valid():
        return _members_page(request, project, form)
    with error_messages(request):
        services.member_add(actor=request.actor, project=project, **form.cleaned_data)
        messages.success(request, _("The member was added."))
    return redirect("projects:members", pk=pk)


def _membership(request: PortalRequest, pk: str, membership_pk: str) -> ProjectMembership:
    rows = ProjectMembership.objects.select_related("project", "user")
    return rows.get_visible(request.actor, pk=membership_pk, project_id=pk)


@signed_in
@require_POST
def member_change(request: PortalRequest, pk: str, membership_pk: str) -> HttpResponse:
    membership = _membership(request, pk, membership_pk)
    policy.require(request.actor, "projects.change_projectmembership", membership)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose a role."))
        return redirect("projects:members", pk=pk)
    with error_messages(request):
        services.member_change(actor=request.actor, membership=membership, role=form.cleaned_data["role"])
        messages.success(request, _("The role was changed."))
    return redirect("projects:members", pk=pk)


@signed_in
@require_POST
def member_remove(request: PortalRequest, pk: str, membership_pk: str) -> HttpResponse:
    """An owner removes anybody; everybody may leave, and then sees the list."""
    membership = _membership(request, pk, membership_pk)
    policy.require(request.actor, "projects.delete_projectmembership", membership)
    with error_messages(request):
        services.member_remove(actor=request.actor, membership=membership)
        messages.success(request, _("The member was removed."))
    still_seen = Project.objects.visible(request.actor).filter(pk=pk).exists()
    return redirect("projects:members", pk=pk) if still_seen else redirect("projects:list")
