"""Portal pages of trainings."""

from contextlib import suppress
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core import policy
from apps.core.errors import Conflict, Invalid, NotFound
from apps.core.identity.requests import PortalRequest
from apps.core.portal import form_errors, page_of, search_of, signed_in, with_notice
from apps.jobs.selectors import states_of, summary
from apps.jobs.states import JobState
from apps.projects.selectors import projects_for_choice
from apps.trainers.catalogue import Trainer, trainer, trainers
from apps.trainers.forms import config_of, schema_fields, schema_presets
from apps.training import schedules, selectors, services
from apps.training.cron import times_after
from apps.training.forecast import Plan, forecast
from apps.training.forms import ScheduleForm, TrainingForm
from apps.training.models import Checkpoint, TrainingJob

#: So many of the times to come are shown.
NEXT_TIMES = 3


@signed_in
@require_GET
def training_list(request: PortalRequest) -> HttpResponse:
    rows = TrainingJob.objects.visible(request.actor).filter(job__organization=request.actor.organization_id)
    rows = rows.search(search_of(request)).with_job()
    state = request.GET.get("state", "")
    if state in JobState.values:
        rows = rows.filter(job__state=state)
    page = page_of(request, rows)
    context = {
        "page": page,
        "rows": selectors.list_rows(page.rows),
        "states": JobState.choices,
        "state": state,
        "filtered": bool(request.GET),
    }
    return render(request, "training/list.html", context)


@signed_in
@require_http_methods(["GET", "POST"])
def training_create(request: PortalRequest) -> HttpResponse:
    chosen = _chosen_trainer(request)
    form = TrainingForm(request.POST or None, actor=request.actor, trainer=chosen, initial=request.GET.dict())
    config, errors = (config_of(chosen, "train", request.POST) if request.method == "POST" else {}), {}
    if request.method == "POST" and form.is_valid():
        fields = {**form.cleaned_data, "trainer": chosen.name, "config": config}
        with form_errors(form, beside=_settings_of(chosen)):
            try:
                return redirect(_saved(request, fields))
            except Invalid as error:
                errors = _by_name(error)
                raise
    context = _form_context(chosen, form, config if form.is_bound else form.first_settings, errors)
    context |= _choice_of_trainers(request)
    return render(request, "training/form.html", context, status=422 if form.errors else 200)


@signed_in
@require_http_methods(["GET", "POST"])
def training_change(request: PortalRequest, pk: str) -> HttpResponse:
    """The form of a new training, filled in with a draft."""
    training = _training(request, pk)
    policy.require(request.actor, "training.change_trainingjob", training)
    if training.job.state != JobState.DRAFT:
        return redirect(training)
    chosen, posted = trainer(training.trainer), request.POST or None
    form = TrainingForm(posted, actor=request.actor, trainer=chosen, training=training)
    config, errors = (config_of(chosen, "train", request.POST) if form.is_bound else training.config), {}
    if form.is_valid():
        with form_errors(form, beside=_settings_of(chosen)):
            try:
                return redirect(_changed(request, training, {**form.cleaned_data, "config": config}))
            except Invalid as error:
                errors = _by_name(error)
                raise
    context = _form_context(chosen, form, config, errors) | {"training": training}
    return render(request, "training/form.html", context, status=422 if form.errors else 200)


@signed_in
@require_POST
def training_forecast(request: PortalRequest) -> HttpResponse:
    """What the form as it stands is likely to take; nothing is said while it cannot be read."""
    chosen = _chosen_trainer(request)
    form = TrainingForm(request.POST, actor=request.actor, trainer=chosen)
    form.is_valid()  # what is missing beside this is no matter yet
    plan = _plan(request, chosen, form.cleaned_data)
    context = {"forecast": forecast(request.actor, plan) if plan else None}
    return render(request, "training/_forecast.html", context)


@signed_in
@require_GET
def training_versions(request: PortalRequest) -> HttpResponse:
    """The choice among the versions of `?dataset=`, for the form of `?trainer=`: the latest until another is taken."""
    chosen = _chosen_trainer(request)
    form = TrainingForm(actor=request.actor, trainer=chosen, initial={"dataset": request.GET.get("dataset", "")})
    return render(request, "training/_version_choice.html", {"form": form, "trainer": chosen})


@signed_in
@require_GET
def training_monitor(request: PortalRequest, pk: str) -> HttpResponse:
    training = _training(request, pk)
    job = training.job
    may_change = policy.allows(request.actor, "jobs.change_job", job)
    shown = {**summary(job, may_change=may_change)}
    shown |= {name: getattr(job, name) for name in ("queued_at", "started_at", "finished_at")}
    context = {
        "training": training,
        "job": shown,
        # Who sees it by a share may not see its project.
        "urls": _urls(training, policy.allows(request.actor, "projects.view_project", job.project)),
        "project": job.project,
        "actions": _actions(
            training, "" if may_change else policy.lack_of(request.actor, "jobs.change_job", job).text
        ),
        "stages": _stages(),
        "forecast": forecast(request.actor, Plan.of(training)) if job.state == JobState.DRAFT else None,
    }
    return render(request, "training/detail.html", context)


@signed_in
@require_GET
def training_checkpoints(request: PortalRequest, pk: str) -> HttpResponse:
    training = _training(request, pk)
    rows = Checkpoint.objects.visible(request.actor).filter(job_id=pk).order_by("-pk")
    return render(request, "training/_checkpoints.html", {"training": training, "checkpoints": rows})


@signed_in
@require_GET
def training_config(request: PortalRequest, pk: str) -> HttpResponse:
    """Whoever sees the training sees what it learnt from by name; whoever sees the dataset too, how it has moved on."""
    training = _training(request, pk)
    sees = training.dataset is not None and policy.allows(request.actor, "datasets.view_dataset", training.dataset)
    learnt = training.snapshot or training.dataset_version
    context = {
        "training": training,
        "settings": selectors.settings_of(training),
        "sees_dataset": sees,
        "newer": training.dataset.revision_no - learnt.revision.no if sees and learnt and training.dataset else 0,
    }
    return render(request, "training/_config.html", context)


@signed_in
@require_GET
def training_results(request: PortalRequest, pk: str) -> HttpResponse:
    training = _training(request, pk)
    found = selectors.artifacts(training)
    pictures = [row for row in found if row["media_type"].startswith("image/")]
    figures = [figure for row in found if (figure := selectors.figure_of(row)) is not None]
    files = [row for row in found if row not in pictures]
    context = {"training": training, "pictures": pictures, "figures": figures, "files": files}
    return render(request, "training/_results.html", context)


@signed_in
@require_http_methods(["GET", "POST"])
def training_schedule(request: PortalRequest, pk: str) -> HttpResponse:
    """When copies of it start by themselves; a POST says so."""
    training = _training(request, pk)
    if request.method == "GET":
        return _schedule_panel(request, training)
    policy.require(request.actor, "training.change_trainingjob", training)
    form = ScheduleForm(request.POST)
    if form.is_valid():
        with form_errors(form):
            schedules.training_schedule(actor=request.actor, training=training, **form.cleaned_data)
            return with_notice(_schedule_panel(request, _training(request, pk)), _("The training is scheduled."))
    return _schedule_panel(request, training, form)


@signed_in
@require_POST
def training_unschedule(request: PortalRequest, pk: str) -> HttpResponse:
    training = _training(request, pk)
    # Somebody else may have been faster: what is wanted is so.
    with suppress(Conflict):
        schedules.training_unschedule(actor=request.actor, training=training)
    return with_notice(_schedule_panel(request, _training(request, pk)), _("The schedule has ended."))


def _schedule_panel(request: PortalRequest, training: TrainingJob, form: ScheduleForm | None = None) -> HttpResponse:
    found = getattr(training, "schedule", None)
    now = (
        {"cron": found.cron, "time_zone": found.time_zone}
        if found
        else {"time_zone": timezone.get_current_timezone_name()}
    )
    may_change = policy.allows(request.actor, "training.change_trainingjob", training)
    last = found.last_training if found else None
    context = {
        "training": training,
        "schedule": found,
        "next_times": times_after(found.cron, found.time_zone, timezone.now(), NEXT_TIMES) if found else [],
        "last": last if last and policy.allows(request.actor, "training.view_trainingjob", last) else None,
        "form": (form or ScheduleForm(initial=now)) if may_change else None,
        "lacks": "" if may_change else policy.lack_of(request.actor, "training.change_trainingjob", training).text,
    }
    return render(request, "training/_schedule.html", context, status=422 if form and form.errors else 200)


def _training(request: PortalRequest, pk: str) -> TrainingJob:
    return (
        TrainingJob.objects.with_job().select_related("job__resource_group", "run").get_visible(request.actor, pk=pk)
    )


def _saved(request: PortalRequest, fields: dict[str, Any]) -> TrainingJob:
    # One transaction: a draft that cannot start is not left behind, for the form is shown again and sent once more.
    with transaction.atomic():
        training = services.training_create(actor=request.actor, **fields)
        if "start" in request.POST:
            services.training_start(actor=request.actor, training=training)
        return training


def _changed(request: PortalRequest, training: TrainingJob, fields: dict[str, Any]) -> TrainingJob:
    # One transaction: a draft that cannot start is shown as it was sent, and saved only with the next try.
    with transaction.atomic():
        training = services.training_change(actor=request.actor, training=training, **fields)
        if "start" in request.POST:
            services.training_start(actor=request.actor, training=training)
        return training


def _plan(request: PortalRequest, chosen: Trainer, given: dict[str, Any]) -> Plan | None:
    """What the form asks for, as far as it decides how long GPUs are held; None where that cannot be read."""
    if "gpus" not in given or "task" not in given or given.get("resource_group") is None:
        return None
    try:
        config = chosen.checked("train", given["task"], config_of(chosen, "train", request.POST))
    except Invalid:
        return None
    project, dataset = given.get("project"), given.get("dataset")
    organization_id = project.organization_id if project else request.actor.organization_id
    if organization_id is None:
        return None
    return Plan(
        organization_id=organization_id,
        resource_group_id=given["resource_group"].pk,
        trainer=chosen.name,
        task=given["task"],
        model=given.get("model", ""),
        gpus=given["gpus"],
        config=config,
        dataset_id=dataset.pk if dataset else None,
    )


def _settings_of(chosen: Trainer) -> set[str]:
    """Names of the inputs that the form draws from the trainer's schema."""
    return {f"config.{key}" for key in chosen.schema("train")["properties"]}


def _by_name(error: Invalid) -> dict[str, list[str]]:
    return {name: [str(text) for text in texts] for name, texts in error.fields.items()}


def _choice_of_trainers(request: PortalRequest) -> dict[str, Any]:
    """Links to the form of each trainer, which keep what was chosen before; one that only tries the system out is
    last."""
    query, links = request.GET.copy(), []
    for found in sorted(trainers(), key=lambda found: not found.needs_dataset):
        query["trainer"] = found.name
        links.append((found, f"?{query.urlencode()}"))
    return {"trainers": links, "has_projects": projects_for_choice(request.actor).exists()}


def _chosen_trainer(request: PortalRequest) -> Trainer:
    """The trainer of `?trainer=`; the first that wants a dataset otherwise."""
    try:
        return trainer(request.GET.get("trainer", ""))
    except NotFound:
        known = trainers()
        if not known:
            raise Invalid(_("No trainer is installed."), code="no_trainer") from None
        return next((found for found in known if found.needs_dataset), known[0])


def _form_context(chosen: Trainer, form: TrainingForm, config: dict[str, Any], errors: Any) -> dict[str, Any]:
    fields = schema_fields(chosen, "train", config, errors)
    return {
        "form": form,
        "trainer": chosen,
        "description": chosen.text(chosen.descriptor.description),
        "fields": fields,
        "opens_advanced": any(field["errors"] for field in fields if field["group"] == "advanced"),
        "presets": schema_presets(chosen, "train"),
    }


def _urls(training: TrainingJob, sees_project: bool) -> dict[str, str]:
    api, pk = f"/api/v1/training-jobs/{training.pk}", training.pk
    return {
        "socket": f"/ws/training-jobs/{pk}/",
        "events": f"{api}/events",
        "metrics": f"{api}/metrics",
        "logs": f"{api}/logs",
        "list": reverse("training:list"),
        "project": reverse("projects:detail", args=[training.job.project_id]) if sees_project else "",
        "checkpoints": reverse("training:checkpoints", args=[pk]),
        "config": reverse("training:config", args=[pk]),
        "results": reverse("training:results", args=[pk]),
        "schedule": reverse("training:schedule", args=[pk]),
        "sharing": f"{reverse('shares:panel')}?object_type=training_job&object_id={pk}",
    }


def _actions(training: TrainingJob, refused: str) -> list[dict[str, Any]]:
    """Buttons of the page; monitor.js shows those that make sense in the job's state.

    `refused` is why the person may not use them; "" when they may.
    """
    return [action | {"refused": refused, "states": states_of(action["name"])} for action in _possible(training)]


def _possible(training: TrainingJob) -> list[dict[str, Any]]:
    api, detail = f"/api/v1/training-jobs/{training.pk}", "/training/{id}/"
    stop = _("Stop this training? It writes a checkpoint first and can be resumed.")
    stopping = _("The training is stopping: it writes its checkpoint.")
    edit, delete = reverse("training:change", args=[training.pk]), _("Delete this draft?")
    return [
        {"name": "start", "url": f"{api}/start", "label": _("Start"), "icon": "player-play", "variant": "primary"}
        | {"done": _("The training is in the queue.")},
        {"name": "change", "href": edit, "label": _("Edit"), "icon": "edit"},
        {"name": "stop", "url": f"{api}/stop", "label": _("Stop"), "icon": "player-stop", "confirm": stop}
        | {"danger": True, "done": stopping, "done_state": JobState.STOPPING.value},
        {"name": "resume", "url": f"{api}/resume", "label": _("Resume"), "icon": "player-play", "variant": "primary"}
        | {"done": _("The training goes on from its last checkpoint.")},
        {"name": "retry", "url": f"{api}/retry", "label": _("Retry"), "icon": "refresh", "next": detail},
        {"name": "clone", "url": f"{api}/clone", "label": _("Clone"), "icon": "copy", "next": detail},
        {"name": "delete", "url": api, "method": "DELETE", "label": _("Delete"), "icon": "trash", "confirm": delete}
        | {"danger": True, "next": reverse("training:list")},
    ]


def _stages() -> list[tuple[str, str]]:
    return [
        ("queued", _("Queued")),
        ("preparing", _("Preparing")),
        ("training", _("Training")),
        ("evaluating", _("Evaluating")),
    ]
