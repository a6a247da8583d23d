"""Placing queued jobs on nodes: one pass at a time, slots claimed in the transaction that makes the attempt."""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Q
from django.utils import timezone

from apps.core.operations import ingest
from apps.jobs import messages
from apps.jobs.models import Attempt, Job, SlotClaim
from apps.jobs.services.transitions import set_state, set_waiting
from apps.jobs.states import JobState
from apps.organizations.services import quotas
from apps.resources.models import SILENT_AFTER, Node

# Jobs at the head of the queue that one pass looks at, and behind them those that could start; more than the nodes of an
# installation can take at once.
PASS_SIZE = 500
# A job is placed when its organization has so many hours left for each of its GPUs.
GPU_HOURS_NEEDED = 1.0


@dataclass(slots=True)
class Room:
    """What a node has left."""

    node: Node
    cpus: int
    memory_mb: int
    gpu_indexes: list[int]

    def fits(self, job: Job) -> bool:
        return job.cpus <= self.cpus and job.memory_mb <= self.memory_mb and job.gpus <= len(self.gpu_indexes)

    def could_ever_fit(self, job: Job) -> bool:
        node = self.node
        return job.cpus <= node.cpus and job.memory_mb <= node.memory_mb and job.gpus <= len(node.gpus)

    def take(self, job: Job) -> list[int]:
        """Books the job's share; returns the GPUs that it gets."""
        self.cpus -= job.cpus
        self.memory_mb -= job.memory_mb
        taken, self.gpu_indexes = self.gpu_indexes[: job.gpus], self.gpu_indexes[job.gpus :]
        return taken


@dataclass(slots=True)
class _Caps:
    """How many more jobs may run: in each organization, and in each resource group, that has a limit."""

    organizations: dict[UUID, int]
    groups: dict[UUID, int]

    @classmethod
    def of(cls, organizations: dict[UUID, int | None], groups: dict[UUID, int | None]) -> "_Caps":
        """Of their limits; what has none costs no query."""
        return cls(cls._left("job__organization_id", organizations), cls._left("job__resource_group_id", groups))

    @staticmethod
    def _left(of: str, limits: dict[UUID, int | None]) -> dict[UUID, int]:
        left = {pk: limit for pk, limit in limits.items() if limit is not None}
        if left:
            held = Attempt.objects.open().filter(**{f"{of}__in": left}).order_by()
            for pk, count in held.values_list(of).annotate(Count("job_id", distinct=True)):
                left[pk] -= count
        return left

    def full(self, job: Job) -> tuple[str, dict[str, Any]] | None:
        """Why the job cannot start although there may be a slot; None where nothing is full."""
        if self.organizations.get(job.organization_id, 1) <= 0:
            return "jobs_at_limit", {"limit": job.organization.max_jobs_at_once}
        if self.groups.get(job.resource_group_id, 1) <= 0:
            return "group_at_limit", {"limit": job.resource_group.max_jobs_at_once}
        return None

    def take(self, job: Job) -> None:
        for left, key in ((self.organizations, job.organization_id), (self.groups, job.resource_group_id)):
            if key in left:
                left[key] -= 1


@dataclass(slots=True)
class Pass:
    """What one pass did."""

    placed: list[tuple[Any, str]] = field(default_factory=list)
    waiting: int = 0


@ingest("jobs.dispatch")
def dispatch() -> Pass:
    """Places what fits, in the order of the queue; a job that waits learns why. Small jobs may pass large ones."""
    done = Pass()
    with connection.cursor() as cursor:
        # Waited for, not tried: a job submitted while another pass reads must not wait for the next tick of beat.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('jobs.dispatch'))")
    now = timezone.now()
    due = Q(not_before__isnull=True) | Q(not_before__lte=now)
    queued = Job.objects.queued().filter(due).select_for_update(skip_locked=True, of=("self",))
    queued = queued.select_related("organization", "resource_group")
    jobs = list(queued[:PASS_SIZE])
    if not jobs:
        return done
    rooms = _rooms()
    if len(jobs) == PASS_SIZE:
        jobs += queued.exclude(pk__in=[job.pk for job in jobs]).filter(_could_start(rooms))[:PASS_SIZE]
    budget = _gpu_budget({job.organization_id for job in jobs if job.gpus})
    caps = _Caps.of(
        {job.organization_id: job.organization.max_jobs_at_once for job in jobs},
        {job.resource_group_id: job.resource_group.max_jobs_at_once for job in jobs},
    )
    for job in jobs:
        needed = GPU_HOURS_NEEDED * job.gpus
        left = budget.get(job.organization_id)
        if needed and left is not None and left < needed:
            done.waiting += 1
            set_waiting(job, "gpu_hours_used", {"left": f"{max(left, 0):.3g}", "needed": f"{needed:g}"})
            continue
        if (full := caps.full(job)) is not None:
            done.waiting += 1
            set_waiting(job, *full)
            continue
        candidates = [room for room in rooms if room.node.group_id == job.resource_group_id]
        # The emptiest node first: neighbours disturb each other.
        room = max((found for found in candidates if found.fits(job)), key=lambda found: found.cpus, default=None)
        if room is None:
            done.waiting += 1
            _explain(job, candidates, done.waiting)
            continue
        done.placed.append(_claim(job, room, now))
        caps.take(job)
        if left is not None:
            budget[job.organization_id] = left - needed
    for attempt_id, queue in done.placed:
        transaction.on_commit(partial(messages.launch, attempt_id, queue))
    return done


def _could_start(rooms: list[Room]) -> Q:
    """Jobs that a node has room for now, of organizations and groups that are not full. However many of one organization
    stand at the head of the queue and wait for what there is not, they hold up nobody else's."""
    fits = Q(pk__in=[])
    for group_id, cpus, memory_mb, gpus in {
        (room.node.group_id, room.cpus, room.memory_mb, len(room.gpu_indexes)) for room in rooms
    }:
        fits |= Q(resource_group=group_id, cpus__lte=cpus, memory_mb__lte=memory_mb, gpus__lte=gpus)
    caps = _Caps.of(_limited("organization"), _limited("resource_group"))
    fits &= ~Q(organization__in=[pk for pk, left in caps.organizations.items() if left <= 0])
    fits &= ~Q(resource_group__in=[pk for pk, left in caps.groups.items() if left <= 0])
    wanting = Job.objects.queued().filter(gpus__gt=0).order_by()
    for pk, hours in _gpu_budget(set(wanting.values_list("organization_id", flat=True).distinct())).items():
        fits &= ~Q(organization=pk, gpus__gt=max(0, int(hours / GPU_HOURS_NEEDED)))
    return fits


def _limited(owner: str) -> dict[UUID, int | None]:
    """Limits of the organizations, or of the resource groups, that have one and whose jobs are queued."""
    limit = f"{owner}__max_jobs_at_once"
    rows = Job.objects.queued().filter(**{f"{limit}__isnull": False}).order_by()
    return dict(rows.values_list(f"{owner}_id", limit).distinct())


def _gpu_budget(organizations: set[UUID]) -> dict[UUID, float]:
    """GPU hours that each limited organization may still give to jobs; what runs holds back what it was placed with."""
    budget = quotas.gpu_hours_left(sorted(organizations))
    if budget:
        now = timezone.now()
        running = Attempt.objects.open().filter(job__organization_id__in=budget, job__gpus__gt=0)
        for organization_id, gpus, since in running.values_list("job__organization_id", "job__gpus", "claimed_at"):
            used = (now - since).total_seconds() / 3600
            budget[organization_id] -= gpus * max(0.0, GPU_HOURS_NEEDED - used)
    return budget


def _rooms() -> list[Room]:
    """Nodes that take work, with what is left of each."""
    nodes = list(Node.objects.taking_work(SILENT_AFTER))
    rooms = {node.pk: Room(node, node.cpus, node.memory_mb, [gpu["index"] for gpu in node.gpus]) for node in nodes}
    for claim in SlotClaim.objects.filter(node__in=nodes):
        room = rooms[claim.node_id]
        room.cpus -= claim.cpus
        room.memory_mb -= claim.memory_mb
        room.gpu_indexes = [index for index in room.gpu_indexes if index not in claim.gpu_indexes]
    return list(rooms.values())


def _claim(job: Job, room: Room, now: Any) -> tuple[Any, str]:
    job.attempt_no += 1
    job.progress, job.stage, job.progress_detail = None, "", {}
    attempt = Attempt.objects.create(
        job=job,
        no=job.attempt_no,
        node=room.node,
        claimed_at=now,
        launch_sent_at=now,
        # A first call that never comes counts from here.
        lease_until=now + timedelta(seconds=settings.JOBS["lease_seconds"]),
    )
    SlotClaim.objects.create(
        attempt=attempt, node=room.node, cpus=job.cpus, memory_mb=job.memory_mb, gpu_indexes=room.take(job)
    )
    set_state(job, JobState.STARTING)
    job.save(update_fields=["attempt_no", "progress", "stage", "progress_detail"])
    return attempt.pk, room.node.queue(job.gpus)


def _explain(job: Job, candidates: list[Room], position: int) -> None:
    if job.reason_code in {"restarting", "platform_stopping"} and not candidates:
        # Says more than that the machine, which is on its way down, is not ready.
        return
    if not candidates:
        set_waiting(job, "no_node", {})
    elif not any(room.could_ever_fit(job) for room in candidates):
        set_waiting(job, "too_large", {})
    else:
        set_waiting(job, "no_slot", {"position": position})
