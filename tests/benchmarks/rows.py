"""Rows that benchmarks start from, made in a process of the portal: `python -m tests.benchmarks.rows <command> …`.

Answers with one line of JSON.
"""

import json
import os
import secrets
import sys
import time
from datetime import timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelyard.settings.base")
django.setup()

from django.utils import timezone

from apps.core.identity import Actor, Via
from apps.jobs.models import Attempt
from apps.jobs.services.attempts import attempt_arm
from apps.projects.models import Project, ProjectMembership
from apps.training.services import training_create, training_start
from tests.factories.resources import NodeFactory, ResourceGroupFactory


def attempts(project_id: str, count: str) -> list[dict[str, str]]:
    """Trainings placed on a node that no process serves: the caller speaks as their launcher.

    Each is `{"job", "attempt", "token"}`.
    """
    project = Project.objects.get(pk=project_id)
    owner = ProjectMembership.objects.filter(project=project).select_related("user")[0].user
    actor = Actor.of(owner, organization_id=project.organization_id, via=Via.COMMAND)
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


COMMANDS = {"attempts": attempts}

if __name__ == "__main__":
    print(json.dumps(COMMANDS[sys.argv[1]](*sys.argv[2:])))
