"""Nodes: registering, reporting, going silent, draining; groups and who may use and change them."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.db import InterfaceError
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.core.errors import Conflict, Forbidden, Invalid, NotFound
from apps.core.testing import Cast, PermissionMatrix
from apps.resources import bootstep, services
from apps.resources.models import Node, NodeSample, NodeState, ResourceGroup
from apps.resources.telemetry import Telemetry
from tests.factories.resources import NodeFactory, ResourceGroupFactory

pytestmark = pytest.mark.django_db
CAPACITY: dict[str, Any] = {"cpus": 8, "memory_mb": 16_000, "gpus": [], "boot_id": "boot"}
USAGE: dict[str, Any] = {"cpu_percent": 5.0, "memory_used_mb": 100, "disk_used_percent": 10.0, "gpus": []}


class TestGroupsAndNodes(PermissionMatrix):
    rest = """
                                              owner editor viewer member manager admin guest stranger anonymous platform
    GET    /resource-groups                   200   200    200    200    200     200   200   200      401       200
    GET    /resource-groups/{resource-group}  200   200    200    200    200     200   200   404      401       200
    POST   /resource-groups                   403   403    403    403    403     201   403   201      401       404
    PATCH  /resource-groups/{resource-group}  403   403    403    403    403     200   403   404      401       200
    GET    /nodes                             200   200    200    200    200     200   200   200      401       200
    GET    /nodes/{node}                      200   200    200    200    200     200   200   404      401       200
    """
    bodies = {
        "POST /resource-groups": {"name": "Fresh"},
        "PATCH /resource-groups/{resource-group}": {"description": "Changed"},
    }


def test_a_node_that_registers_is_ready_in_the_default_group() -> None:
    node = services.node_register(name="first", **CAPACITY)
    assert (node.state, node.cpus, node.takes_work) == (NodeState.READY, 8, True)
    assert (node.group.is_default, node.group.organization) == (True, None)
    assert services.node_register(name="second", **CAPACITY).group == node.group


def test_registering_again_keeps_what_an_administrator_chose() -> None:
    group = ResourceGroupFactory(organization=None)
    services.node_register(name="first", **CAPACITY)
    Node.objects.update(group=group, cpus=3, state=NodeState.DRAINING)
    node = services.node_register(name="first", **CAPACITY)
    assert (node.group, node.cpus, node.state) == (group, 3, NodeState.READY)
    # A machine that shrank cannot give what it has not.
    assert services.node_register(name="first", **{**CAPACITY, "cpus": 2}).cpus == 2


def test_reports_bring_a_silent_node_back_and_leave_a_draining_one() -> None:
    silent = NodeFactory(last_seen_at=timezone.now() - timedelta(seconds=30))
    draining = NodeFactory(state=NodeState.DRAINING)
    assert services.nodes_check() == 1
    assert services.nodes_check() == 0
    silent.refresh_from_db()
    assert (silent.state, silent.takes_work) == (NodeState.OFFLINE, False)
    for node in (silent, draining):
        services.node_report(name=node.name, usage=USAGE, keep=False)
        node.refresh_from_db()
    assert (silent.state, draining.state) == (NodeState.READY, NodeState.DRAINING)
    assert silent.usage["cpu_percent"] == 5.0


def test_samples_are_kept_for_two_days() -> None:
    node = NodeFactory()
    services.node_report(name=node.name, usage=USAGE, keep=True)
    NodeSample.objects.create(node=node, time=timezone.now() - timedelta(days=3), **USAGE)
    services.node_report(name="unknown", usage=USAGE, keep=True)
    services.nodes_check()
    assert NodeSample.objects.count() == 1


def test_only_platform_administrators_change_nodes(cast: Cast) -> None:
    node = cast.sample("node")
    with pytest.raises(Forbidden):
        services.node_change(actor=cast.admin.actor, node=node, cpus=1)
    with pytest.raises(NotFound):
        services.node_change(actor=cast.stranger.actor, node=node, cpus=1)
    services.node_change(actor=cast.platform.actor, node=node, cpus=1, state=NodeState.DRAINING)
    assert (Node.objects.get().cpus, Node.objects.get().state) == (1, NodeState.DRAINING)
    assert AuditEvent.objects.get(action="node.changed").actor_id == cast.platform.user.pk
    with pytest.raises(Invalid):
        services.node_change(actor=cast.platform.actor, node=node, memory_mb=1)


def test_a_group_has_a_name_of_its_own_in_its_organization(cast: Cast) -> None:
    organization = cast.sample("organization")
    assert cast.admin
    made = services.group_create(actor=cast.admin.actor, organization=organization, name=" Lab ")
    assert made.name == "Lab"
    with pytest.raises(Conflict) as refused:
        services.group_create(actor=cast.admin.actor, organization=organization, name="Lab")
    assert refused.value.code == "name_taken"
    other = services.group_create(
        actor=cast.stranger.actor, organization=cast.sample("foreign-organization"), name="Lab"
    )
    assert ResourceGroup.objects.visible(cast.admin.actor).filter(pk=other.pk).count() == 0


def test_this_machine_is_measured() -> None:
    telemetry = Telemetry(Path("/"))
    capacity, sample = telemetry.capacity(), telemetry.sample()
    assert capacity["cpus"] >= 1
    assert capacity["memory_mb"] > 256
    assert len(capacity["gpus"]) == len(sample["gpus"])
    assert 0 < sample["memory_used_mb"] < capacity["memory_mb"]


def test_the_reporter_outlives_every_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstep, "REPORT_SECONDS", 0.01)
    failures = iter([InterfaceError("the connection is closed"), ValueError("odd"), None, None])
    reported = threading.Event()

    def report(**facts: Any) -> None:
        failure = next(failures, None)
        if failure is not None:
            raise failure
        reported.set()

    monkeypatch.setattr(services, "node_register", lambda **facts: None)
    monkeypatch.setattr(services, "node_report", report)
    reporter = bootstep.NodeReporter(Celery("test", set_as_current=False))
    reporter.start(None)
    assert reported.wait(30)
    reporter.stop(None)
    assert reporter._thread is not None
    reporter._thread.join(10)
    assert not reporter._thread.is_alive()


def test_only_a_nodes_own_worker_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    reporter = bootstep.NodeReporter(Celery("test", set_as_current=False))
    monkeypatch.delenv("MODELYARD_NODE_WORKER", raising=False)
    assert not reporter.include_if(None)
    monkeypatch.setenv("MODELYARD_NODE_WORKER", "1")
    assert reporter.include_if(None)


def test_the_admin_names_accelerators_and_their_load(cast: Cast) -> None:
    gpu = {"index": 0, "name": "Model X", "memory_mb": 8_000}
    node = services.node_register(name="first", **{**CAPACITY, "gpus": [gpu]})
    services.node_report(name=node.name, usage=USAGE | {"gpus": [{"index": 0, "percent": 37}]}, keep=True)
    page = cast.platform.portal.get(f"/admin/resources/node/{node.pk}/change/").content.decode()
    assert "0: Model X" in page
    assert "0: 37 %" in page
