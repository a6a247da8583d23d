"""Fifty who ask at once for the last seat, GPU hour or byte of an organization: one gets it, each time."""

import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from django.db import connection, connections

from apps.core.identity import Actor, Role, Via
from apps.core.testing import RestClient, schema
from apps.datasets.models import Upload, UploadState
from apps.datasets.services import upload_store
from apps.jobs.models import Job
from apps.jobs.services.dispatch import dispatch
from apps.jobs.states import JobState
from apps.organizations.models import Membership, MembershipState, Organization
from apps.organizations.services import membership_approve, membership_remove, quotas, token_issue
from apps.training.services import training_create
from tests.factories.datasets import DatasetFactory, shapes, uploaded
from tests.factories.invitations import invitation_to
from tests.factories.organizations import MembershipFactory, OrganizationFactory
from tests.factories.projects import ProjectFactory, ProjectMembershipFactory
from tests.factories.resources import NodeFactory, ResourceGroupFactory
from tests.security.report import FULL, PROOFS

ASKERS = 50
ROUNDS = 20 if FULL else 2
#: Seconds in which everybody is through, on a machine that is busy with other tests.
LONGEST = 240
#: As many passes at once as a worker has threads.
PASSES = 8

DOOR = pytest.mark.security(PROOFS, f"the last unit of a limit, asked for by {ASKERS} at once: rounds")
pytestmark = [DOOR, pytest.mark.django_db(transaction=True)]
EACH_ROUND = pytest.mark.parametrize("round", range(ROUNDS))


@pytest.fixture(autouse=True)
def patient_pool(transactional_db: None) -> Iterator[None]:
    """Fifty wait for a dozen connections, on a machine that may be busy with other tests: nobody is sent away for that."""
    schema()  # drawn once, before many ask for it at once
    options = connection.settings_dict["OPTIONS"]["pool"]
    before = options["timeout"]
    for seconds in (300, before):
        connection.close()
        connection.close_pool()
        options["timeout"] = seconds
        if seconds == 300:
            yield


def at_once(calls: Iterable[Callable[[], Any]]) -> Counter[str]:
    """Runs the calls side by side, each in a thread with a connection of its own; how often each came to what."""
    calls = list(calls)
    barrier, outcomes = threading.Barrier(len(calls)), []

    def run(call: Callable[[], Any]) -> None:
        try:
            barrier.wait(60)
            outcomes.append(call())
        except Exception as error:  # noqa: BLE001 - whatever broke in a thread must reach the test
            outcomes.append(getattr(error, "code", "") or "".join(traceback.format_exception(error)))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[call], daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    ends = time.monotonic() + LONGEST
    for thread in threads:
        thread.join(max(0, ends - time.monotonic()))
    # Who still waits stands in an order of locks that can last for ever: the others' answers alone would not show it.
    stacks = sys._current_frames()
    stuck = ["".join(traceback.format_stack(stacks[thread.ident])) for thread in threads if thread.ident in stacks]
    assert not stuck, f"{len(stuck)} of {len(threads)} have not ended:\n{stuck[0]}"
    return Counter(map(str, outcomes))


def token_of(membership: Membership) -> str:
    organization_id = membership.organization_id
    actor = Actor.of(membership.user, organization_id=organization_id, via=Via.TOKEN)
    return token_issue(actor=actor, organization_id=organization_id).access


def posted(token: str, path: str, number: int, body: Any = None) -> Callable[[], str]:
    """A call that posts from an address of its own and answers with the status, or with the refusal's code."""

    def post() -> str:
        answer = RestClient(token, REMOTE_ADDR=f"10.0.0.{number}").post(path, body or {})
        return str(answer.status_code) if answer.status_code < 300 else answer.json()["code"]

    return post


ONE_OF_THEM = {"200": 1, "quota_exceeded": ASKERS - 1}


@EACH_ROUND
def test_one_of_fifty_invited_takes_the_last_seat(round: int) -> None:
    organization = OrganizationFactory(max_users=2)
    admin = MembershipFactory(organization=organization, role=Role.ADMIN)
    home = OrganizationFactory()
    calls = []
    for number in range(ASKERS):
        invited = MembershipFactory(organization=home)
        link = f"{number:03}-{'x' * 39}"
        fields = {"email": invited.user.email, "role": "guest", "invited_by": admin.user}
        invitation_to(organization, "organization", token=link, **fields)
        calls.append(posted(token_of(invited), f"/invitations/{link}/accept", number))
    assert at_once(calls) == ONE_OF_THEM
    assert quotas.seats_taken(organization.pk) == 2


@EACH_ROUND
def test_one_of_fifty_approvals_gives_the_last_seat(round: int) -> None:
    organization = OrganizationFactory(max_users=2)
    token = token_of(MembershipFactory(organization=organization, role=Role.ADMIN))
    waiting = [MembershipFactory(organization=organization, state=MembershipState.PENDING) for _ in range(ASKERS)]
    paths = [f"/organizations/{organization.pk}/members/{membership.pk}/approve" for membership in waiting]
    assert at_once(posted(token, path, number) for number, path in enumerate(paths)) == ONE_OF_THEM
    assert quotas.seats_taken(organization.pk) == 2


@EACH_ROUND
def test_one_of_fifty_trainings_gets_the_last_gpu_hour(round: int) -> None:
    organization = OrganizationFactory(max_gpu_hours_per_month=1)
    group = ResourceGroupFactory(organization=organization)
    NodeFactory(group=group, cpus=100, memory_mb=10**6, gpus=[{"index": number} for number in range(ASKERS)])
    owner = MembershipFactory(organization=organization)
    project = ProjectFactory(organization=organization)
    ProjectMembershipFactory(project=project, user=owner.user, role="owner")
    actor = Actor.of(owner.user, organization_id=organization.pk)
    fields = {"project": project, "trainer": "reference", "resource_group": group, "gpus": 1}
    trainings = [training_create(actor=actor, name=f"Training {number}", **fields) for number in range(ASKERS)]
    token, passes = token_of(owner), threading.BoundedSemaphore(PASSES)

    def start(number: int) -> Callable[[], str]:
        post = posted(token, f"/training-jobs/{trainings[number].pk}/start", number)

        def run() -> str:
            status = post()
            with passes:
                dispatch()
            return status

        return run

    assert at_once(start(number) for number in range(ASKERS)) == {"200": ASKERS}
    states = Counter(Job.objects.values_list("state", "reason_code"))
    assert states == {(JobState.STARTING, ""): 1, (JobState.QUEUED, "gpu_hours_used"): ASKERS - 1}


def test_one_of_fifty_publications_takes_the_last_bytes() -> None:
    """An upload for every publication that fits once; who was refused is ready again in the next round."""
    organization = OrganizationFactory()
    owner = MembershipFactory(organization=organization)
    project = ProjectFactory(organization=organization)
    ProjectMembershipFactory(project=project, user=owner.user, role="owner")
    waiting = [
        uploaded(DatasetFactory(project=project), shapes(train=1, val=1, seed=number))
        for number in range(ASKERS + ROUNDS - 1)
    ]
    token = token_of(owner)

    def publish(number: int, upload: Upload) -> Callable[[], str]:
        post = posted(token, f"/datasets/{upload.dataset_id}/uploads/{upload.pk}/publish", number)

        def run() -> str:
            status = post()
            upload_store(upload.pk)
            return status

        return run

    for _round in range(ROUNDS):
        stored = quotas.stored_bytes(organization.pk)
        sizes = sorted(upload.byte_count for upload in waiting)
        assert sizes[-1] < sizes[0] * 2, "two never fit where one does"
        Organization.objects.filter(pk=organization.pk).update(max_storage_gb=(stored + sizes[-1]) / quotas.GIGABYTE)
        asking = waiting[:ASKERS]
        answers = at_once(publish(number, upload) for number, upload in enumerate(asking))
        assert set(answers) == {"202"}, answers
        for upload in asking:
            upload.refresh_from_db()
        ends = Counter((upload.state, upload.failure.get("code", "")) for upload in asking)
        assert ends == {(UploadState.PUBLISHED, ""): 1, (UploadState.FAILED, "quota_exceeded"): ASKERS - 1}
        assert stored < quotas.stored_bytes(organization.pk) <= stored + sizes[-1]
        waiting = [upload for upload in waiting if upload.state != UploadState.PUBLISHED]
        refused = Upload.objects.filter(pk__in=[upload.pk for upload in waiting])
        refused.update(state=UploadState.READY, failure={}, published_by=None)


@EACH_ROUND
def test_who_is_let_in_and_turned_away_at_once_is_one_of_both(round: int) -> None:
    """Both lock the organization before the membership, so that neither waits for the other for ever."""
    organization = OrganizationFactory(max_users=100)
    admins = [MembershipFactory(organization=organization, role=Role.ADMIN) for _number in range(2)]
    approving, removing = (Actor.of(admin.user, organization_id=organization.pk) for admin in admins)
    waiting = [MembershipFactory(organization=organization, state=MembershipState.PENDING) for _number in range(10)]

    def approve(membership: Membership) -> str:
        membership_approve(actor=approving, membership=membership)
        return "approved"

    def remove(membership: Membership) -> str:
        membership_remove(actor=removing, membership=membership)
        return "removed"

    calls = [lambda act=act, one=one: act(one) for one in waiting for act in (approve, remove)]
    came = at_once(calls)
    assert set(came) <= {"approved", "removed", "not_found"}, came
    assert came["removed"] == 10, "who was let in first is turned away all the same"
