"""Writes on resource groups and nodes."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from apps.core import auditing
from apps.core.errors import Conflict, refuse_unknown
from apps.core.identity import Actor
from apps.core.operations import ingest, operation
from apps.organizations.models import Organization
from apps.resources import actions
from apps.resources.models import SILENT_AFTER, Node, NodeSample, NodeState, ResourceGroup

DEFAULT_GROUP = gettext_noop("This machine")
KEEP_SAMPLES = timedelta(days=2)


@operation("resources.group_create", permission="resources.add_resourcegroup", on="organization")
def group_create(
    *,
    actor: Actor,
    organization: Organization,
    name: str,
    description: str = "",
    max_jobs_at_once: int | None = None,
) -> ResourceGroup:
    """A group for the organization's own machines."""
    if ResourceGroup.objects.filter(organization=organization, name=name.strip()).exists():
        message = _("There is a resource group of this name.")
        raise Conflict(message, code="name_taken", fields={"name": [message]})
    group = ResourceGroup(
        organization=organization, name=name.strip(), description=description, max_jobs_at_once=max_jobs_at_once
    )
    group.full_clean()
    group.save()
    auditing.record(actor, actions.GROUP_CREATED, group, after={"name": group.name})
    return group


@operation("resources.group_change", permission="resources.change_resourcegroup", on="group")
def group_change(*, actor: Actor, group: ResourceGroup, expected: int | None = None, **fields: Any) -> ResourceGroup:
    """Changes name, description, or how many jobs run in it at once."""
    refuse_unknown(fields, {"name", "description", "max_jobs_at_once"})
    group = ResourceGroup.objects.select_for_update().get(pk=group.pk)
    group.expect(expected)
    changes = group.change(**fields)
    group.clean_fields()
    auditing.record(actor, actions.GROUP_CHANGED, group, changes=changes)
    return group


@operation("resources.node_change", permission="resources.change_node", on="node")
def node_change(*, actor: Actor, node: Node, **fields: Any) -> Node:
    """Moves a node to another group, changes its slots, or drains it."""
    refuse_unknown(fields, {"group", "cpus", "state"})
    node = Node.objects.select_for_update().get(pk=node.pk)
    changes = node.change(**fields)
    shown = {name: (str(before), str(after)) for name, (before, after) in changes.items()}
    auditing.record(actor, actions.NODE_CHANGED, node, changes=shown)
    return node


@ingest("resources.node_register")
def node_register(*, name: str, cpus: int, memory_mb: int, gpus: list[dict[str, Any]], boot_id: str) -> Node:
    """A node's worker has started: the node is known, ready, and in the default group unless moved before."""
    group = ResourceGroup.objects.filter(is_default=True).first()
    if group is None:
        group, _created = ResourceGroup.objects.get_or_create(
            organization=None, name=DEFAULT_GROUP, defaults={"is_default": True}
        )
    measured = {"memory_mb": memory_mb, "gpus": gpus, "boot_id": boot_id}
    node, created = Node.objects.select_for_update().get_or_create(
        name=name, defaults={"group": group, "cpus": cpus, **measured}
    )
    # Slots that an administrator set stay; a machine that shrank cannot give what it has not.
    slots = cpus if created else min(node.cpus, cpus)
    node.change(state=NodeState.READY, last_seen_at=timezone.now(), cpus=slots, **measured)
    return node


@ingest("resources.node_report")
def node_report(*, name: str, usage: dict[str, Any], keep: bool) -> None:
    """A node's heartbeat; with `keep` the sample also becomes a point of its history."""
    now = timezone.now()
    Node.objects.filter(name=name).update(last_seen_at=now, usage={**usage, "time": now.timestamp()})
    # Offline came from silence alone, so speaking ends it; draining was asked for and stays.
    Node.objects.filter(name=name, state=NodeState.OFFLINE).update(state=NodeState.READY)
    if keep:
        node_id = Node.objects.filter(name=name).values_list("pk", flat=True).first()
        if node_id:
            NodeSample.objects.create(node_id=node_id, time=now, **usage)


@ingest("resources.nodes_check")
def nodes_check() -> int:
    """Marks silent nodes as offline and forgets old samples; returns how many went offline."""
    now = timezone.now()
    NodeSample.objects.filter(time__lt=now - KEEP_SAMPLES).delete()
    silent = Node.objects.exclude(state=NodeState.OFFLINE).filter(last_seen_at__lt=now - SILENT_AFTER)
    return silent.update(state=NodeState.OFFLINE)


@ingest("resources.node_drain")
def node_drain(*, name: str) -> None:
    """The node's machine is going down in order: it gets no new work until its worker starts again."""
    Node.objects.filter(name=name).update(state=NodeState.DRAINING)
