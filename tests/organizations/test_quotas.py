"""Limits of an organization: who sets them, what they refuse, and that the last unit is given once."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone
from django.utils.translation import override

from apps.core.errors import Conflict, DomainError, Forbidden
from apps.core.identity import Actor, Role
from apps.core.testing import Cast
from apps.datasets.models import Blob, UploadState
from apps.datasets.services import upload_create, upload_publish, upload_store
from apps.invitations.models import Invitation
from apps.jobs.models import Attempt, Job
from apps.jobs.selectors import gpu_hours
from apps.jobs.services.dispatch import dispatch
from apps.jobs.states import JobState
from apps.organizations import services
from apps.organizations.models import Membership, MembershipState, Organization
from apps.organizations.services import quotas
from tests.factories.datasets import DatasetFactory, owner_of, published, shapes, uploaded
from tests.factories.organizations import MembershipFactory, OrganizationFactory
from tests.factories.resources import NodeFactory, ResourceGroupFactory
from tests.jobs.support import make_job

SYSTEM = Actor.system("tests")


def use(organization: Organization, name: str) -> quotas.Use:
    organization.refresh_from_db()
    (found,) = [entry for entry in quotas.uses(organization) if entry.name == name]
    return found


def test_the_platform_sets_limits_and_the_organization_reads_them(cast: Cast) -> None:
    organization = cast.sample("organization")
    with pytest.raises(Forbidden):
        services.quota_change(actor=cast.admin.actor, organization=organization, max_users=1000)
    url = f"/organizations/{organization.pk}/quotas"
    assert cast.platform.rest.patch(url, {"max_users": 40, "max_storage_gb": 1.5}).status_code == 200
    found = {row["name"]: row for row in cast.member.rest.get(url).json()}
    seats = Membership.objects.active().filter(organization=organization).count()
    assert (found["max_users"]["limit"], found["max_users"]["used"]) == (40, seats)
    assert found["max_users"]["left"] == 40 - seats
    assert found["max_gpu_hours_per_month"]["limit"] is None
    assert cast.platform.rest.patch(url, {"max_users": None}).json()[0]["limit"] is None


@pytest.mark.parametrize(
    "body", [{"max_users": 0}, {"max_users": -1}, {"max_storage_gb": "many"}, {"max_storage_gb": -1}]
)
def test_a_bad_limit_is_refused(cast: Cast, body: dict[str, Any]) -> None:
    organization = cast.sample("organization")
    answer = cast.platform.rest.patch(f"/organizations/{organization.pk}/quotas", body)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == list(body)
    organization.refresh_from_db()
    assert (organization.max_users, organization.max_storage_gb) == (None, None)


def test_people_on_their_way_in_are_told_beside_the_seats(cast: Cast) -> None:
    organization = cast.sample("organization")
    Membership.objects.filter(organization=organization, state=MembershipState.PENDING).delete()
    assert use(organization, "max_users").waiting == 0
    pending = MembershipFactory(organization=organization, state=MembershipState.PENDING)
    # One address, invited to two things; one who waits already; one whose time is over.
    for email, kind, days in (
        ("new@example.com", "organization", 1),
        ("NEW@example.com", "project", 1),
        (pending.user.email, "project", 1),
        ("late@example.com", "organization", -1),
    ):
        Invitation.objects.create(
            organization=organization,
            target_type=kind,
            target_id=organization.pk,
            email=email,
            role="guest",
            expires_at=timezone.now() + timedelta(days=days),
        )
    assert use(organization, "max_users").waiting == 2
    seats = quotas.seats_taken(organization.pk)
    Organization.objects.filter(pk=organization.pk).update(max_users=seats + 1)
    with override("en"):
        page = cast.admin.portal.get("/organization/").content.decode()
    assert "2 more wait or are invited." in page and "They do not all have a seat." in page


def test_no_door_gives_a_seat_beyond_the_limit(cast: Cast) -> None:
    organization = cast.sample("organization")
    pending, suspended = cast.sample("pending-membership"), cast.sample("suspended-membership")
    member = cast.member.user.memberships.get()
    assert cast.admin.user and cast.stranger.user
    taken = Membership.objects.active().filter(organization=organization).count()
    services.quota_change(actor=cast.platform.actor, organization=organization, max_users=taken)
    doors = [
        lambda: services.membership_approve(actor=cast.admin.actor, membership=pending),
        lambda: services.membership_reinstate(actor=cast.admin.actor, membership=suspended),
        lambda: services.membership_add(
            actor=cast.admin.actor, organization=organization, user=cast.stranger.user, role=Role.GUEST
        ),
    ]
    for door in doors:
        with pytest.raises(Conflict) as caught:
            door()
        assert (caught.value.code, caught.value.params["quota"]) == ("quota_exceeded", "max_users")
    services.membership_suspend(actor=cast.admin.actor, membership=member)
    doors[0]()


@pytest.mark.django_db(transaction=True)
def test_the_last_seat_is_given_once() -> None:
    organization = OrganizationFactory(max_users=2)
    admin = MembershipFactory(organization=organization, role=Role.ADMIN)
    waiting = [MembershipFactory(organization=organization, state=MembershipState.PENDING) for _number in range(8)]
    barrier = threading.Barrier(len(waiting))
    refused: list[str] = []

    def approve(membership: Membership) -> None:
        try:
            actor = Actor.of(admin.user)
            barrier.wait(20)
            services.membership_approve(actor=actor, membership=membership)
        except DomainError as error:
            refused.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=approve, args=[membership]) for membership in waiting]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert refused == ["quota_exceeded"] * 7
    assert quotas.seats_taken(organization.pk) == 2


@pytest.mark.django_db
def test_storage_refuses_what_does_not_fit_and_keeps_what_there_was() -> None:
    dataset = published(DatasetFactory())
    organization = dataset.organization
    stored = use(organization, "max_storage_gb").used * quotas.GIGABYTE
    assert stored == sum(Blob.objects.filter(organization=organization).values_list("size", flat=True)) > 0

    # A little more than there is fits no second set, and the same one again needs nothing.
    upload = uploaded(dataset, shapes(seed=7))
    services.quota_change(actor=SYSTEM, organization=organization, max_storage_gb=(stored + 10) / quotas.GIGABYTE)
    upload_publish(actor=Actor.of(owner_of(dataset)), upload=upload)
    upload_store(upload.pk)
    upload.refresh_from_db()
    assert (upload.state, upload.failure["code"]) == (UploadState.FAILED, "quota_exceeded")
    dataset.refresh_from_db()
    assert dataset.revision_no == 1
    published(dataset, shapes())

    services.quota_change(actor=SYSTEM, organization=organization, max_storage_gb=stored / quotas.GIGABYTE)
    with pytest.raises(Conflict) as caught:
        upload_create(actor=SYSTEM, dataset=dataset)
    assert caught.value.code == "quota_exceeded"


def gpu_job(organization: Organization, group: Any, **fields: Any) -> Job:
    return make_job(
        JobState.QUEUED, resource_group=group, organization=organization, queued_at=timezone.now(), **fields
    )


@pytest.mark.django_db
def test_a_job_waits_when_the_months_hours_do_not_suffice() -> None:
    group = ResourceGroupFactory(organization=None)
    NodeFactory(group=group, cpus=16, gpus=[{"index": number} for number in range(8)])
    organization = OrganizationFactory(max_gpu_hours_per_month=3)
    jobs = [gpu_job(organization, group, gpus=2), gpu_job(organization, group, gpus=2)]
    free, other = gpu_job(organization, group), gpu_job(OrganizationFactory(), group, gpus=1)
    dispatch()
    found = [Job.objects.get(pk=job.pk) for job in (*jobs, free, other)]
    assert [job.state for job in found] == ["starting", "queued", "starting", "starting"]
    assert found[1].reason_code == "gpu_hours_used"
    assert found[1].reason_params == {"left": "1", "needed": "2"}
    assert "GPU hours" in found[1].reason["text"]

    services.quota_change(actor=SYSTEM, organization=organization, max_gpu_hours_per_month=4)
    Attempt.objects.filter(job=other).update(state="ended", ended_at=timezone.now())
    dispatch()
    assert Job.objects.get(pk=jobs[1].pk).state == "starting"


@pytest.mark.django_db
def test_hours_are_counted_within_the_month_and_while_work_goes_on() -> None:
    group = ResourceGroupFactory(organization=None)
    NodeFactory(group=group, cpus=16, gpus=[{"index": 0}, {"index": 1}])
    organization = OrganizationFactory()
    job = gpu_job(organization, group, gpus=2)
    dispatch()
    begin, end = quotas.month_of(datetime(2026, 12, 31, 23, tzinfo=UTC))
    assert (begin, end) == (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    # Three hours in December, and one in January that is January's.
    Attempt.objects.update(claimed_at=end - timedelta(hours=3), ended_at=end + timedelta(hours=1), state="ended")
    assert gpu_hours([organization.pk], begin, end) == {organization.pk: 6.0}
    assert gpu_hours([organization.pk], end, end + timedelta(days=31)) == {organization.pk: 2.0}
    now = timezone.now()
    Attempt.objects.filter(job=job).update(claimed_at=now - timedelta(minutes=30), ended_at=None, state="live")
    hours = gpu_hours([organization.pk], now - timedelta(days=1), now + timedelta(days=1))[organization.pk]
    assert hours == pytest.approx(1.0, abs=0.02)


@pytest.mark.django_db
def test_the_forecast_is_the_pace_so_far() -> None:
    organization = OrganizationFactory(max_gpu_hours_per_month=10)
    found = use(organization, "max_gpu_hours_per_month")
    assert (found.used, found.forecast, found.left, found.share) == (0, 0, 10, 0)


def test_the_page_shows_limits_and_the_admin_sets_them(cast: Cast) -> None:
    organization = cast.sample("organization")
    body = {
        "company": organization.company,
        "division": "",
        "join_policy": "approval",
        "join_role": "guest",
        "max_users": "3",
        "reason": "Agreed with them",
    }
    url = f"/admin/organizations/organization/{organization.pk}/change/"
    formset = {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    assert cast.platform.portal.post(url, {**body, **formset}).status_code == 302
    organization.refresh_from_db()
    assert organization.max_users == 3
    page = cast.viewer.portal.get("/organization/").content.decode()
    assert "of 3 left" in page
    assert ("1 member<" in page, "1 members" in page) == (True, False)
