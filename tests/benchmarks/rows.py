"""Rows that benchmarks start from, made in a process of the portal: `python -m tests.benchmarks.rows <command> …`.

Answers with one line of JSON.
"""

import json
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelyard.settings.base")
django.setup()

from django.contrib.auth.models import Group
from django.db import connection, models, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.models import AuditEvent, AuditSeal, AuditWaiting
from apps.audit.services import head_sign, seal_all
from apps.core import policy
from apps.core.identity import Actor, Role, Via
from apps.core.policy import rules
from apps.jobs.models import Attempt, Job
from apps.jobs.services.attempts import attempt_arm
from apps.jobs.states import JobState
from apps.organizations.models import Membership, MembershipState
from apps.organizations.services import token_issue
from apps.projects.models import Project, ProjectMembership, ProjectRole
from apps.training.models import TrainingJob
from apps.training.services import training_create, training_start
from tests.benchmarks.figures import median, percentile
from tests.benchmarks.stand import TRAININGS_PER_PROJECT
from tests.factories.organizations import MembershipFactory
from tests.factories.projects import ProjectMembershipFactory
from tests.factories.resources import NodeFactory, ResourceGroupFactory


def attempts(project_id: str, count: str) -> list[dict[str, str]]:
    """Trainings placed on a node that no process serves: the caller speaks as their launcher.

    Each is `{"job", "attempt", "token"}`.
    """
    project, actor = _people(project_id)
    stand = f"stand-{secrets.token_hex(4)}"
    group = ResourceGroupFactory(organization=project.organization, name=stand)
    tomorrow = timezone.now() + timedelta(days=1)
    NodeFactory(group=group, name=stand, cpus=1000, memory_mb=10**6, last_seen_at=tomorrow)
    found = []
    for number in range(int(count)):
        training = training_create(
            actor=actor, project=project, name=f"Stand {number}", trainer="reference", resource_group=group
        )
        training_start(actor=actor, training=training)
        attempt = _placed(training.pk)
        token = secrets.token_urlsafe(32)
        if not attempt_arm(attempt=attempt, token=token):
            raise RuntimeError("the attempt takes no token")
        found.append({"job": str(training.pk), "attempt": str(attempt.pk), "token": token})
    return found


def _placed(job_id: Any) -> Attempt:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (attempt := Attempt.objects.filter(job_id=job_id).first()) is not None:
            return attempt
        time.sleep(0.05)
    raise RuntimeError("the dispatcher did not place the training")


def fill(project_id: str, count: str, events: str, members: str) -> str:
    """So many ended trainings, in one project of the engineer for every hundred; audit events of the engineer; and members
    of the organization, whose id is returned."""
    project, actor = _people(project_id)
    group = ResourceGroupFactory(organization=project.organization, name="Lists")
    training = training_create(
        actor=actor, project=project, name="Template", trainer="reference", resource_group=group
    )
    event = AuditEvent.objects.filter(actor_id=actor.user_id).order_by("-id")[0]
    membership = ProjectMembership.objects.get(project=project, user_id=actor.user_id)
    rows = int(count)
    projects = max(rows // TRAININGS_PER_PROJECT, 100)
    name = "'bench ' || number"
    _multiply(Group, project.group_id, projects, id="1000000 + number", name=name)
    _multiply(Project, project.pk, projects, id=_id("a"), name=name, group_id="1000000 + number")
    _multiply(ProjectMembership, membership.pk, projects, id=_id("b"), project_id=_id("a"))
    state = f"CASE WHEN mod(number, 50) = 0 THEN '{JobState.FAILED}' ELSE '{JobState.SUCCEEDED}' END"
    ended = {"state": state, "finished_at": "now()", "started_at": "now()"}
    held_by = _id("a", f"1 + mod(number, {projects})")
    _multiply(Job, training.pk, rows, id=_id("c"), name=name, project_id=held_by, **ended)
    _multiply(TrainingJob, training.pk, rows, job_id=_id("c"))
    action = "CASE WHEN mod(number, 50) = 0 THEN 'project.created' ELSE action END"
    own = Membership.objects.get(organization_id=project.organization_id, user_id=actor.user_id)
    email = "'bench' || number || '@example.com'"
    _multiply(User, actor.user_id, int(members), id=_id("8"), name=name, email=email)
    state = f"CASE WHEN mod(number, 1000) = 0 THEN '{MembershipState.PENDING}' ELSE state END"
    _multiply(Membership, own.pk, int(members), id=_id("9"), user_id=_id("8"), state=state)
    # The sealer shall find nothing to do: it would work through all of them while pages are measured.
    with transaction.atomic(), connection.cursor() as cursor:
        _multiply(
            AuditEvent, event.pk, int(events), id=_id("d"), action=action, time="now() - number * interval '1 second'"
        )
        cursor.execute(
            f"INSERT INTO {AuditSeal._meta.db_table} (event_id, chain, seq, previous_hash, hash) "
            f"SELECT {_id('d')}, %s, 1000000 + number, '', '' FROM generate_series(1, %s) AS number",
            [project.organization_id, int(events)],
        )
        cursor.execute(
            f"DELETE FROM {AuditWaiting._meta.db_table} WHERE event_id < '02000000-0000-7000-8000-000000000000'"
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return str(project.organization_id)


def chain(project_id: str, count: str) -> dict[str, Any]:
    """So many audit events of the organization, sealed by the sealer itself; seconds that sealing took, and the chain."""
    _project, actor = _people(project_id)
    event = AuditEvent.objects.filter(actor_id=actor.user_id).order_by("-id")[0]
    time_of_row = "now() - interval '1 day' + number * interval '1 millisecond'"
    request = "md5(number::text)"
    _multiply(AuditEvent, event.pk, int(count), id=_id("e"), time=time_of_row, request_id=request)
    began = time.perf_counter()
    assert event.organization_id is not None
    seal_all(event.organization_id)
    head_sign(chain=event.organization_id)
    return {"seconds": time.perf_counter() - began, "chain": str(event.organization_id)}


def manager(project_id: str) -> str:
    """An access token of somebody who manages the organization and has done nothing yet."""
    membership = _manager(project_id)
    actor = Actor.of(membership.user, organization_id=membership.organization_id, via=Via.COMMAND)
    return token_issue(actor=actor, organization_id=membership.organization_id).access


def session(project_id: str) -> str:
    """The session cookie of somebody who manages the organization."""
    client = Client()
    client.force_login(_manager(project_id).user, backend="apps.accounts.backends.AccountBackend")
    return client.session.session_key or ""


def viewers(project_id: str, count: str) -> list[str]:
    """Access tokens of so many more members of the project."""
    project, _actor = _people(project_id)
    tokens = []
    for _number in range(int(count)):
        email = f"{secrets.token_hex(8)}@example.com"
        membership = MembershipFactory(organization=project.organization, role=Role.ENGINEER_I, user__email=email)
        ProjectMembershipFactory(project=project, user=membership.user, role=ProjectRole.VIEWER)
        actor = Actor.of(membership.user, organization_id=project.organization_id, via=Via.COMMAND)
        tokens.append(token_issue(actor=actor, organization_id=project.organization_id).access)
    return tokens


def statements(project_id: str, name: str, *sizes: str) -> list[int]:
    """Statements that a page of the list costs, for each size of the page; lists of the organization for a manager."""
    project, actor = _people(project_id)
    token = token_issue(actor=actor, organization_id=project.organization_id).access
    if "organization" in name:
        token = manager(project_id)
    client = Client(headers={"Authorization": f"Bearer {token}"}, SERVER_NAME="127.0.0.1")
    found = []
    for size in sizes:
        client.get(f"/api/v1/{name}?page_size={size}")
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(f"/api/v1/{name}?page_size={size}")
        if answer.status_code != 200 or len(answer.json()["results"]) != int(size):
            raise RuntimeError(f"{name}: {answer.status_code} {answer.content[:300]!r}")
        found.append(len(queries))
    return found


def permissions(project_id: str, rounds: str, *names: str) -> list[dict[str, Any]]:
    """Milliseconds that a page of fifty takes in this process, with the policy's conditions and with none: the same rows,
    in turns. For each list its medians and 95th percentiles."""
    project, actor = _people(project_id)
    token = token_issue(actor=actor, organization_id=project.organization_id).access
    found = []
    for name in names:
        bearer = manager(project_id) if "organization" in name else token
        client = Client(headers={"Authorization": f"Bearer {bearer}"}, SERVER_NAME="127.0.0.1")
        taken: dict[bool, list[float]] = {True: [], False: []}
        shown: dict[bool, Any] = {}
        for number in range(int(rounds) + 10):
            for checked in (True, False):
                with nullcontext() if checked else _unchecked():
                    began = time.perf_counter()
                    answer = client.get(f"/api/v1/{name}?page_size=50")
                    seconds = time.perf_counter() - began
                if number >= 10:  # the first ones fill caches
                    taken[checked].append(seconds * 1000)
                shown[checked] = [row["id"] for row in answer.json()["results"]]
        if shown[True] != shown[False] or len(shown[True]) != 50:
            raise RuntimeError(f"{name}: not the same fifty rows")
        found.append({"list": name, "checked": _summed_up(taken[True]), "unchecked": _summed_up(taken[False])})
    return found


@contextmanager
def _unchecked() -> Iterator[None]:
    """The policy says yes to everything and asks the database nothing."""
    with ExitStack() as patched:
        for module in (policy, rules):
            patched.enter_context(patch.object(module, "condition", lambda actor, permission: models.Q()))
            patched.enter_context(patch.object(module, "allows", lambda actor, permission, obj: True))
        yield


def _summed_up(milliseconds: list[float]) -> list[float]:
    return [median(milliseconds), percentile(milliseconds, 0.95)]


def _manager(project_id: str) -> Membership:
    project, _actor = _people(project_id)
    email = f"{secrets.token_hex(8)}@example.com"
    return MembershipFactory(organization=project.organization, role=Role.MANAGER, user__email=email)


def _people(project_id: str) -> tuple[Project, Actor]:
    project = Project.objects.get(pk=project_id)
    owner = ProjectMembership.objects.filter(project=project).select_related("user")[0].user
    return project, Actor.of(owner, organization_id=project.organization_id, via=Via.COMMAND)


def _id(kind: str, number: str = "number") -> str:
    """SQL of the UUID of row `number`, older than every real one."""
    return f"('01000000-0000-7000-8{kind}00-' || lpad(to_hex({number}), 12, '0'))::uuid"


def _multiply(model: type[models.Model], pk: Any, count: int, **columns: str) -> None:
    """Copies a row `count` times; `columns` are SQL expressions of `number` for what differs."""
    table, key = model._meta.db_table, model._meta.pk.column
    names = [field.column for field in model._meta.local_concrete_fields if not field.generated]
    values = ", ".join(columns.get(name, f'row."{name}"') for name in names)
    quoted = ", ".join(f'"{name}"' for name in names)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({quoted}) SELECT {values} FROM {table} AS row, "
            f'generate_series(1, %s) AS number WHERE row."{key}" = %s',
            [count, pk],
        )


COMMANDS = {
    "attempts": attempts,
    "chain": chain,
    "fill": fill,
    "manager": manager,
    "permissions": permissions,
    "session": session,
    "statements": statements,
    "viewers": viewers,
}

if __name__ == "__main__":
    print(json.dumps(COMMANDS[sys.argv[1]](*sys.argv[2:])))
