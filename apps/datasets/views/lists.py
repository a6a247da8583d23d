from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core.errors import NotFound
from apps.core.identity import Role
from apps.core.identity.requests import PortalRequest
from apps.core.portal import error_messages, form_errors, page_of, search_of, shown_tabs, signed_in
from apps.datasets import selectors, services
from apps.datasets.forms import DatasetForm, DatasetListForm
from apps.datasets.models import Dataset
from apps.datasets.services.purging import purge_obstacle
from apps.datasets.views.frame import visible
from apps.departures.views import purge_page
from apps.organizations.models import Organization
from apps.projects.models import Project


def _may_add(request: PortalRequest) -> bool:
    rows = Project.objects.permitted(request.actor, "datasets.add_dataset")
    return rows.filter(organization=request.actor.organization_id).exists()


def _may_add_project(request: PortalRequest) -> bool:
    """Whether a project of one's own would be one in which datasets may be made: guests own one, and make none."""
    actor = request.actor
    chosen = [pk for pk in actor.organizations(Role.ENGINEER_I) if pk == actor.organization_id]
    return Organization.objects.permitted(actor, "projects.add_project").filter(pk__in=chosen).exists()


def list_tabs(active: str) -> list[dict[str, Any]]:
    """The organization's own datasets, and what everybody may read."""
    tabs = [
        ("own", _("Organization"), reverse("datasets:list"), "building", None),
        ("public", _("Public"), reverse("datasets:public"), "world", None),
    ]
    return shown_tabs(active, tabs)


@signed_in
@require_GET
def dataset_list(request: PortalRequest) -> HttpResponse:
    """Datasets of the chosen organization; `?q=` searches their names."""
    search = search_of(request)
    rows = Dataset.objects.visible(request.actor).filter(organization=request.actor.organization_id)
    form = DatasetListForm(request.GET, tags=rows.tag_names())
    wanted = form.wanted
    found = rows.search(search).tagged(wanted.pop("tag", "")).filter(**wanted)
    page = page_of(request, found.select_related("project"))
    covers = selectors.covers_of(page.rows)
    uses = selectors.use_counts(request.actor, [dataset.pk for dataset in page.rows])
    trash = Dataset.objects.permitted(request.actor, "datasets.restore_dataset")
    context = {
        "page": page,
        "rows": [(dataset, covers.get(dataset.pk), uses.get(dataset.pk, 0)) for dataset in page.rows],
        "search": search,
        "form": form,
        "filtered": bool(search or form.wanted),
        "tabs": list_tabs("own"),
        "may_add": _may_add(request),
        "may_add_project": _may_add_project(request),
        "has_trash": trash.filter(organization=request.actor.organization_id).exists(),
    }
    return render(request, "datasets/list.html", context)


@signed_in
@require_http_methods(["GET", "POST"])
def dataset_create(request: PortalRequest) -> HttpResponse:
    form = DatasetForm(request.POST or None, actor=request.actor, initial={"project": request.GET.get("project")})
    if request.method == "POST" and form.is_valid():
        with form_errors(form):
            dataset = services.dataset_create(actor=request.actor, **form.cleaned_data)
            return redirect("datasets:upload", pk=dataset.pk)
    status = 422 if form.errors else 200
    context = {"form": form, "may_add": _may_add(request), "may_add_project": _may_add_project(request)}
    return render(request, "datasets/form.html", context, status=status)


@signed_in
@require_POST
def dataset_trash(request: PortalRequest, pk: str) -> HttpResponse:
    services.dataset_trash(actor=request.actor, dataset=visible(request, pk))
    messages.success(request, _("The dataset is in the trash."))
    return redirect("datasets:list")


@signed_in
@require_GET
def trash(request: PortalRequest) -> HttpResponse:
    rows = Dataset.objects.permitted(request.actor, "datasets.restore_dataset")
    page = page_of(request, rows.filter(organization=request.actor.organization_id).select_related("project"))
    counts = selectors.needing([dataset.pk for dataset in page.rows])
    context = {"page": page, "rows": [(dataset, counts.get(dataset.pk, 0)) for dataset in page.rows]}
    return render(request, "datasets/trash.html", context)


@signed_in
@require_POST
def dataset_restore(request: PortalRequest, pk: str) -> HttpResponse:
    dataset = Dataset.objects.permitted(request.actor, "datasets.restore_dataset").filter(pk=pk).first()
    if dataset is None:
        raise NotFound()
    answer = redirect("datasets:trash")
    with error_messages(request):
        services.dataset_restore(actor=request.actor, dataset=dataset)
        messages.success(request, _("The dataset is back."))
        answer = redirect(dataset)
    return answer


@signed_in
@require_http_methods(["GET", "POST"])
def dataset_purge(request: PortalRequest, pk: str) -> HttpResponse:
    """The question before a dataset in the trash is deleted for good."""
    dataset = Dataset.objects.permitted(request.actor, "datasets.purge_dataset").filter(pk=pk).first()
    if dataset is None:
        raise NotFound()
    return purge_page(
        request,
        dataset,
        partial(services.dataset_purge, actor=request.actor, dataset=dataset),
        obstacle=purge_obstacle(dataset),
        trash="datasets:trash",
        loss=_("The dataset goes with all its versions, labels, splits and exports."),
        done=_("The dataset is deleted for good."),
    )
