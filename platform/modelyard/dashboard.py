"""The first page of the portal, and what apps show on each other's pages: the site package knows all of them."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db.models import Case, Count, IntegerField, QuerySet, Value, When
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from apps.core import policy
from apps.core.identity import Actor
from apps.core.identity.requests import PortalRequest
from apps.core.outbox.models import OutboxMessage
from apps.core.portal import signed_in
from apps.datasets.models import Dataset
from apps.experiments.selectors import experiments_with_recent_runs
from apps.jobs.models import Job, SlotClaim
from apps.jobs.selectors import eta, progress_text
from apps.jobs.states import ACTIVE, COLORS, JobState
from apps.organizations.models import Organization
from apps.organizations.services.quotas import GIGABYTE, stored_bytes
from apps.projects.models import Project
from apps.projects.panels import Panel, register_panel
from apps.resources.models import Node
from apps.resources.selectors import Occupancy, register_occupancy, uses

MY_JOBS, QUEUE, PROJECTS, DATASETS, NODES, PANEL_ROWS = 8, 5, 5, 5, 6, 5
#: Kind of job → route of its page.
JOB_PAGES = {"training": "training:monitor"}


@signed_in
@require_GET
def portal_dashboard(request: PortalRequest) -> HttpResponse:
    """Costs the same number of queries however much there is; htmx asks for the moving part every ten seconds."""
    actor = request.actor
    context = _moving(actor)
    if request.htmx:
        return render(request, "dashboard/_moving.html", context)
    projects = Project.objects.visible(actor).filter(organization=actor.organization_id)
    datasets = Dataset.objects.visible(actor).filter(organization=actor.organization_id)
    context |= {
        "projects": projects.with_counts().order_by("-updated_at")[:PROJECTS],
        "datasets": [_dataset(row) for row in datasets.select_related("project").order_by("-updated_at")[:DATASETS]],
        "steps": _steps(projects, datasets, context["my_jobs"]),
        "links": {"project": _address("projects:create"), "training": _address("training:create")},
    }
    return render(request, "dashboard/index.html", context)


def _moving(actor: Actor) -> dict[str, Any]:
    jobs = Job.objects.visible(actor).filter(organization=actor.organization_id).select_related("project")
    own = jobs.filter(created_by_id=actor.user_id).order_by(_active_first(), "-id")[:MY_JOBS]
    nodes = uses(Node.objects.visible(actor).order_by("name"))
    return {
        "my_jobs": [_job(job) for job in own],
        "queue": [_job(job) for job in jobs.queued()[:QUEUE]],
        "running_count": jobs.filter(state__in=ACTIVE).count(),
        "queued_count": jobs.filter(state=JobState.QUEUED).count(),
        "uses": nodes[:NODES],
        "free_cpus": sum(use.free_cpus for use in nodes),
        "free_gpus": sum(use.free_gpus for use in nodes),
        "gpu_count": sum(len(use.gpus) for use in nodes),
        "node_count": len(nodes),
    }


def _active_first() -> Case:
    going = [*ACTIVE, JobState.QUEUED]
    return Case(When(state__in=going, then=Value(0)), default=Value(1), output_field=IntegerField())


def _steps(projects: QuerySet[Project], datasets: QuerySet[Dataset], jobs: list[Any]) -> list[dict[str, Any]]:
    """The way to a first model; nothing once it has been gone."""
    steps = [
        {
            "done": projects.exists(),
            "title": _("Create a project"),
            "text": _("It holds datasets, trainings and people."),
            "href": _address("projects:create"),
        },
        {
            "done": datasets.filter(revision_no__gt=0).exists(),
            "title": _("Upload a dataset"),
            "text": _("Pictures with their labels, as a folder or a ZIP."),
            "href": _address("datasets:create") or _address("datasets:list"),
        },
        {
            "done": bool(jobs),
            "title": _("Start a training"),
            "text": _("Choose a model and watch its curves grow."),
            "href": _address("training:create"),
        },
    ]
    waiting = [step for step in steps if not step["done"]]
    if waiting:
        waiting[0]["next"] = True
    return steps if waiting else []


def _address(name: str, *args: Any) -> str:
    """The address of a page; "" while no app has it."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


def _new(actor: Actor, project: Project, label: str, permission: str, form: str) -> dict[str, Any]:
    """The button for something new: with the address of its form, the project chosen, or with what the actor lacks."""
    address, may = _address(form), policy.allows(actor, permission, project)
    return {
        "new_label": label if address else "",
        "new_href": f"{address}?project={project.pk}" if address and may else "",
        "new_refused": "" if may else policy.lack_of(actor, permission, project).text,
    }


def _job(job: Job) -> dict[str, Any]:
    left = eta(job)
    return {
        "job": job,
        "href": _address(JOB_PAGES.get(job.kind, ""), job.pk),
        "progress_text": progress_text(job),
        "low": left["low_seconds"] if left else None,
        "high": left["high_seconds"] if left else None,
    }


def _dataset(dataset: Dataset) -> dict[str, Any]:
    return {"dataset": dataset, "href": _address("datasets:detail", dataset.pk)}


# What projects show of the apps above them


def _datasets_panel(actor: Actor, project: Project) -> dict[str, Any]:
    rows = Dataset.objects.visible(actor).filter(project=project).order_by("-updated_at")[:PANEL_ROWS]
    return {
        "datasets": [_dataset(row) for row in rows],
        "href": _address("datasets:list"),
        **_new(actor, project, _("New dataset"), "datasets.add_dataset", "datasets:create"),
    }


def _jobs_panel(actor: Actor, project: Project) -> dict[str, Any]:
    rows = (
        Job.objects.visible(actor)
        .filter(project=project)
        .select_related("project")
        .order_by(_active_first(), "-id")[:PANEL_ROWS]
    )
    return {
        "jobs": [_job(job) for job in rows],
        "href": _address("training:list"),
        **_new(actor, project, _("New training"), "training.add_trainingjob", "training:create"),
    }


def _experiments_panel(actor: Actor, project: Project) -> dict[str, Any]:
    return {"experiments": experiments_with_recent_runs(actor, project)}


register_panel(Panel("datasets", "projects/_datasets.html", _datasets_panel))
register_panel(Panel("jobs", "projects/_jobs.html", _jobs_panel))
register_panel(Panel("experiments", "projects/_experiments.html", _experiments_panel))


# What machines show of the jobs on them


def occupancy(node_ids: Iterable[UUID]) -> dict[UUID, Occupancy]:
    """What the open attempts hold of each node. One query."""
    taken: dict[UUID, Occupancy] = {}
    for claim in SlotClaim.objects.filter(node_id__in=list(node_ids)):
        before = taken.get(claim.node_id, Occupancy())
        taken[claim.node_id] = Occupancy(
            jobs=before.jobs + 1,
            cpus=before.cpus + claim.cpus,
            memory_mb=before.memory_mb + claim.memory_mb,
            gpu_indexes=before.gpu_indexes | frozenset(claim.gpu_indexes),
        )
    return taken


register_occupancy(occupancy)


# The first page of the admin

STORAGE_SECONDS = 60
RECENT_FAILURES = 8


def admin_dashboard(request: PortalRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Adds what those who run the installation look at first; staff of one organization see that organization's."""
    actor = request.actor
    jobs = Job.objects.visible(actor)
    counts = dict(jobs.order_by().values_list("state").annotate(Count("pk")))
    failures = jobs.filter(state__in=(JobState.FAILED, JobState.ERRORED)).select_related("organization", "project")
    return context | {
        "states": [
            {
                "label": state.label,
                "count": counts.get(state.value, 0),
                "color": COLORS[state],
                "href": f"{reverse('admin:jobs_job_changelist')}?state__exact={state.value}",
            }
            for state in JobState
        ],
        "queue_length": counts.get(JobState.QUEUED, 0),
        "uses": uses(Node.objects.visible(actor).select_related("group").order_by("name")),
        "storage_gb": _stored_bytes(actor) / GIGABYTE,
        "outbox_waiting": OutboxMessage.objects.filter(delivered_at__isnull=True).count(),
        "failures": failures.order_by("-finished_at")[:RECENT_FAILURES],
    }


def _stored_bytes(actor: Actor) -> int:
    """What the organizations keep, as their own pages and limits count it. The sum reads every row, so it is kept for a
    minute."""
    mine = sorted(Organization.objects.visible(actor).values_list("pk", flat=True))
    key = "stored-bytes:" + ("all" if actor.is_platform_admin else ",".join(map(str, mine)))
    total = cache.get(key)
    if total is None:
        total = stored_bytes(*mine)
        cache.set(key, total, STORAGE_SECONDS)
    return int(total)
