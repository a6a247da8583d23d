"""Reads for pages: groups with their nodes, what is taken of each node, and a node's recent history."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Prefetch
from django.utils import timezone

from apps.core.identity import Actor
from apps.resources.models import Node, NodeSample, ResourceGroup
from apps.resources.querysets import ResourceGroupQuerySet

HISTORY = timedelta(minutes=60)
HISTORY_POINTS = 120


@dataclass(frozen=True, slots=True)
class Occupancy:
    """What running work holds of a node."""

    jobs: int = 0
    cpus: int = 0
    memory_mb: int = 0
    gpu_indexes: frozenset[int] = frozenset()


OccupancySource = Callable[[Iterable[UUID]], Mapping[UUID, Occupancy]]
_occupancy: OccupancySource | None = None


def register_occupancy(source: OccupancySource) -> None:
    """`source(node_ids)` returns, in a constant number of queries, what is taken of each node that has work."""
    global _occupancy
    _occupancy = source


@dataclass(frozen=True, slots=True)
class Gpu:
    """One accelerator: shares are 0 … 1, or None where the driver does not tell."""

    index: int
    name: str
    load: float | None
    memory: float | None
    celsius: float | None
    is_free: bool


@dataclass(frozen=True, slots=True)
class NodeUse:
    """A node as its pages show it. `cpu`, `memory` and `disk` are shares used, 0 … 1, or None without a report."""

    node: Node
    taken: Occupancy
    cpu: float | None
    memory: float | None
    disk: float | None
    gpus: list[Gpu] = field(default_factory=list)

    @property
    def memory_bytes(self) -> int:
        return self.node.memory_mb * 1024 * 1024

    @property
    def free_cpus(self) -> int:
        return max(0, self.node.cpus - self.taken.cpus) if self.node.takes_work else 0

    @property
    def free_gpus(self) -> int:
        return sum(gpu.is_free for gpu in self.gpus) if self.node.takes_work else 0


def groups_for_choice(actor: Actor) -> ResourceGroupQuerySet:
    """Groups that work of the chosen organization may run on, the default first, then by name."""
    return ResourceGroup.objects.visible(actor).usable_by(actor.organization_id).order_by("-is_default", "name")


@dataclass(frozen=True, slots=True)
class Largest:
    """The most that one machine of a group has of each."""

    cpus: int
    gpus: int


def largest_of(group: ResourceGroup | None) -> Largest | None:
    """What the machines of a group offer to one piece of work; None while the group has none."""
    rows = list(Node.objects.filter(group=group).values_list("cpus", "gpus")) if group else []
    if not rows:
        return None
    return Largest(cpus=max(cpus for cpus, _gpus in rows), gpus=max(len(gpus) for _cpus, gpus in rows))


def groups_with_nodes(actor: Actor) -> ResourceGroupQuerySet:
    """The groups that the chosen organization may use (platform administrators without one: all), by name, each with
    its nodes by name. Two queries."""
    rows = ResourceGroup.objects.visible(actor).select_related("organization").order_by("name")
    if actor.organization_id is not None:
        rows = rows.usable_by(actor.organization_id)
    return rows.prefetch_related(Prefetch("nodes", queryset=Node.objects.visible(actor).order_by("name")))


def uses(nodes: Iterable[Node]) -> list[NodeUse]:
    """What is used and taken of each node. One query for what is taken."""
    nodes = list(nodes)
    taken = _occupancy([node.pk for node in nodes]) if _occupancy and nodes else {}
    return [_use(node, taken.get(node.pk, Occupancy())) for node in nodes]


def _use(node: Node, taken: Occupancy) -> NodeUse:
    usage: dict[str, Any] = node.usage if node.last_seen_at else {}
    now = {gpu.get("index"): gpu for gpu in usage.get("gpus", [])}
    return NodeUse(
        node=node,
        taken=taken,
        cpu=_share(usage.get("cpu_percent"), 100),
        memory=_share(usage.get("memory_used_mb"), node.memory_mb),
        disk=_share(usage.get("disk_used_percent"), 100),
        gpus=[_gpu(gpu, now.get(gpu.get("index"), {}), taken) for gpu in node.gpus],
    )


def _gpu(known: dict[str, Any], now: dict[str, Any], taken: Occupancy) -> Gpu:
    index = int(known.get("index", 0))
    return Gpu(
        index=index,
        name=str(known.get("name", "")),
        load=_share(now.get("percent"), 100),
        memory=_share(now.get("memory_mb"), known.get("memory_mb")),
        celsius=now.get("celsius"),
        is_free=index not in taken.gpu_indexes,
    )


def _share(value: float | None, whole: float | None) -> float | None:
    return min(1.0, max(0.0, value / whole)) if value is not None and whole else None


def history(node: Node) -> dict[str, list[tuple[float, float]]]:
    """The last hour, oldest first: `cpu`, `memory` and, with accelerators, `gpu` as (share of the hour, share used)."""
    end = timezone.now()
    begin = end - HISTORY
    rows = NodeSample.objects.filter(node=node, time__gte=begin).order_by("-time")[:HISTORY_POINTS]
    curves: dict[str, list[tuple[float, float]]] = {"cpu": [], "memory": [], "gpu": []}
    for sample in reversed(rows):
        x = (sample.time - begin) / HISTORY
        curves["cpu"].append((x, _share(sample.cpu_percent, 100) or 0.0))
        curves["memory"].append((x, _share(sample.memory_used_mb, node.memory_mb) or 0.0))
        loads = [gpu["percent"] for gpu in sample.gpus if gpu.get("percent") is not None]
        if loads:
            curves["gpu"].append((x, sum(loads) / len(loads) / 100))
    return {name: points for name, points in curves.items() if points}
