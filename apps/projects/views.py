"""Portal pages of projects."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.core import policy
from apps.core.portal import form_errors, page_of, signed_in
from apps.organizations.models import Organization
from apps.projects import services
from apps.projects.forms import MemberForm, ProjectForm
from apps.projects.models import Project, ProjectMembership


@signed_in
def project_list(request: HttpRequest) -> HttpResponse:
    search = request.GET.get("q", "").strip()
    rows = Project.objects.visible(request.actor).filter(organization_id=request.actor.organization_id)
    page = page_of(request, rows.search(search).with_counts().order_by("-id"))
    template = "projects/_rows.html" if request.htmx else "projects/list.html"
    return render(request, template, {"page": page, "search": search})


@signed_in
@require_http_methods(["GET", "POST"])
def project_create(request: HttpRequest) -> HttpResponse:
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        organization = Organization.objects.get_visible(request.actor, pk=request.actor.organization_id)
        with form_errors(form):
            project = services.project_create(actor=request.actor, organization=organization, **form.cleaned_data)
            messages.success(request, _("The project was created."))
            return redirect(project)
    return render(request, "projects/form.html", {"form": form})


@signed_in
def project_detail(request: HttpRequest, pk: str) -> HttpResponse:
    project = Project.objects.select_related("organization", "created_by").get_visible(request.actor, pk=pk)
    may_change = policy.allows(request.actor, "projects.change_project", project)
    context = {
        "project": project,
        "members": project.memberships.select_related("user").order_by("id"),
        "may_change": may_change,
        "member_form": MemberForm(actor=request.actor, project=project) if may_change else None,
    }
    return render(request, "projects/detail.html", context)


@signed_in
@require_http_methods(["GET", "POST"])
def project_change(request: HttpRequest, pk: str) -> HttpResponse:
    project = Project.objects.get_visible(request.actor, pk=pk)
    policy.require(request.actor, "projects.change_project", project)
    form = ProjectForm(request.POST or None, instance=project)
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            services.project_change(actor=request.actor, project=project, **form.cleaned_data)
            messages.success(request, _("The project was changed."))
            return redirect("projects:detail", pk=pk)
    return render(request, "projects/form.html", {"form": form, "project": project})


@signed_in
@require_POST
def project_trash(request: HttpRequest, pk: str) -> HttpResponse:
    project = Project.objects.get_visible(request.actor, pk=pk)
    services.project_trash(actor=request.actor, project=project)
    messages.success(request, _("The project is in the trash."))
    return redirect("projects:trash")


@signed_in
def trash(request: HttpRequest) -> HttpResponse:
    rows = Project.objects.permitted(request.actor, "projects.restore_project")
    page = page_of(request, rows.filter(organization_id=request.actor.organization_id).order_by("-id"))
    return render(request, "projects/trash.html", {"page": page})


@signed_in
@require_POST
def project_restore(request: HttpRequest, pk: str) -> HttpResponse:
    project = Project.objects.permitted(request.actor, "projects.restore_project").filter(pk=pk).first()
    if project is None:
        return redirect("projects:trash")
    services.project_restore(actor=request.actor, project=project)
    messages.success(request, _("The project is back."))
    return redirect(project)


@signed_in
@require_POST
def member_add(request: HttpRequest, pk: str) -> HttpResponse:
    project = Project.objects.get_visible(request.actor, pk=pk)
    form = MemberForm(request.POST, actor=request.actor, project=project)
    if form.is_valid():
        services.member_add(actor=request.actor, project=project, **form.cleaned_data)
        messages.success(request, _("The member was added."))
    else:
        messages.error(request, _("Choose a person and a role."))
    return redirect(project)


@signed_in
@require_POST
def member_remove(request: HttpRequest, pk: str, membership_pk: str) -> HttpResponse:
    rows = ProjectMembership.objects.select_related("project").filter(project_id=pk)
    membership = rows.get_visible(request.actor, pk=membership_pk)
    services.member_remove(actor=request.actor, membership=membership)
    messages.success(request, _("The member was removed."))
    return redirect("projects:detail", pk=pk)
