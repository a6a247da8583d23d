"""The deletion of a whole organization: the grace, its end, and that nobody else loses anything."""

import threading
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.core import mail
from django.db import connections
from django.utils import timezone

from apps.accounts.models import User
from apps.audit import services as audit
from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.audit.verification import verify
from apps.core.errors import Conflict, DomainError, Invalid, NotFound
from apps.core.identity import Actor, Role
from apps.core.outbox.services import deliver_waiting
from apps.core.storage import storage
from apps.core.storage.keys import blob_key
from apps.core.testing import Cast
from apps.datasets.folders import UploadFolder
from apps.datasets.models import Blob
from apps.datasets.services import snapshot_create
from apps.departures import services
from apps.departures.contributions import removals
from apps.departures.models import DeletionState, OrganizationDeletion
from apps.departures.services import purging
from apps.invitations.services import invitation_create
from apps.jobs.models import Job
from apps.jobs.services.lifecycle import job_submit
from apps.jobs.states import JobState
from apps.organizations import services as organizations
from apps.organizations.models import Closure, Membership, Organization
from apps.projects import services as projects
from apps.singlesignon import services as singlesignon
from tests.departures.support import furnished, objects_with, purged, scheduled, tables_with
from tests.factories.datasets import DatasetFactory, published, shapes
from tests.factories.organizations import MembershipFactory, OrganizationFactory
from tests.factories.projects import ProjectFactory, ProjectMembershipFactory
from tests.jobs.support import running

#: Where an organization's id may stand when it is gone: its sealed chain, the row of its deletion, and messages that
#: were delivered, which go after two weeks.
LEFT = {
    *("audit_auditevent", "audit_auditseal", "audit_auditkey", "audit_auditwaiting", "audit_audithead"),
    *("departures_organizationdeletion", "core_outboxmessage"),
}


# --- The grace


def test_it_needs_the_name_and_a_reason(cast: Cast) -> None:
    organization = cast.sample("organization")
    for name, reason, field in (("Another", "It closes", "name"), (str(organization), "  ", "reason")):
        with pytest.raises(Invalid) as caught:
            services.deletion_schedule(actor=cast.admin.actor, organization=organization, name=name, reason=reason)
        assert set(caught.value.fields) == {field}
    assert not OrganizationDeletion.objects.exists()


def test_the_name_may_be_typed_without_the_point_that_no_keyboard_has(cast: Cast) -> None:
    organization = cast.sample("organization")
    Organization.objects.filter(pk=organization.pk).update(company="Hanbit", division="Vision")
    with pytest.raises(Invalid):
        services.deletion_schedule(
            actor=cast.admin.actor, organization=organization, name="Hanbit", reason="It closes"
        )
    services.deletion_schedule(
        actor=cast.admin.actor, organization=organization, name=" hanbit vision", reason="It closes"
    )


def test_every_administrator_gets_a_mail_with_the_day_the_reason_and_who(cast: Cast, settings: Any) -> None:
    settings.ORGANIZATION_DELETION_GRACE_DAYS = 5
    other = MembershipFactory(organization=cast.sample("organization"), role=Role.ADMIN, user__language="ko").user
    assert cast.manager.user.email
    deletion = scheduled(cast)
    assert timedelta(days=4, hours=23) < deletion.due_at - timezone.now() <= timedelta(days=5)
    deliver_waiting()
    letters = {letter.to[0]: letter for letter in mail.outbox}
    assert set(letters) == {cast.admin.user.email, other.email}
    text = letters[cast.admin.user.email].body
    assert (
        cast.admin.user.name in text
        and "The company closes" in text
        and f"{timezone.localtime(deletion.due_at):%Y-%m-%d}" in text
    )
    assert "is to be deleted" not in letters[other.email].subject
    services.deletion_cancel(actor=cast.admin.actor, deletion=deletion)
    deliver_waiting()
    assert len(mail.outbox) == 4 and "was cancelled" in mail.outbox[2].body + mail.outbox[3].body


def test_a_mail_that_comes_late_says_nothing_that_is_over(cast: Cast) -> None:
    deletion = scheduled(cast)
    services.deletion_cancel(actor=cast.admin.actor, deletion=deletion)
    deliver_waiting()
    assert len(mail.outbox) == 1 and "stays" in mail.outbox[0].subject


def test_while_it_waits_everything_is_seen_and_nothing_changes(cast: Cast) -> None:
    project, owner = cast.sample("project"), cast.owner
    applicant, connection = cast.sample("pending-membership"), cast.sample("connection")
    scheduled(cast)
    refusals = [
        lambda: projects.project_change(actor=owner.actor, project=project, name="Late"),
        lambda: projects.project_change(actor=cast.platform.actor, project=project, name="Late"),
        lambda: projects.project_create(actor=owner.actor, organization=project.organization, name="Late"),
        lambda: organizations.membership_approve(actor=cast.admin.actor, membership=applicant),
        lambda: organizations.membership_add(
            actor=Actor.system("invitations"),
            organization=project.organization,
            user=cast.stranger.user,
            role=Role.GUEST,
        ),
        lambda: invitation_create(
            actor=cast.admin.actor, target=project.organization, email="late@example.com", role="guest"
        ),
        lambda: organizations.quota_change(
            actor=cast.platform.actor, organization=project.organization, max_calls_per_minute=9
        ),
        lambda: organizations.organization_change(
            actor=cast.admin.actor, organization=project.organization, join_policy="invitation"
        ),
        lambda: singlesignon.connection_change(actor=cast.admin.actor, connection=connection, is_enabled=False),
        lambda: singlesignon.connection_remove(actor=cast.platform.actor, connection=connection),
    ]
    for refusal in refusals:
        with pytest.raises(Conflict) as caught:
            refusal()
        assert caught.value.code == "organization_closing"
    assert owner.rest.get(f"/projects/{project.pk}").json()["name"] == project.name
    assert cast.manager.rest.get("/audit-logs/organization").status_code == 200
    page = owner.portal.get(f"/projects/{project.pk}/settings/")
    assert page.status_code == 200 and b"This organization is deleted on" in page.content
    assert b"Read why" in page.content and b"Export or cancel" not in page.content
    assert b"Export or cancel" in cast.admin.portal.get("/").content
    for person in (owner, cast.admin):
        for path in ("/", "/projects/"):
            assert b"New project" not in person.portal.get(path).content, path


def test_other_organizations_of_the_same_people_stay_open(cast: Cast) -> None:
    there = MembershipFactory(user=cast.owner.user, role=Role.ENGINEER_I).organization
    scheduled(cast)
    actor = Actor.of(cast.owner.user, organization_id=there.pk)
    projects.project_create(actor=actor, organization=there, name="Goes on")
    with pytest.raises(Conflict):
        projects.project_create(actor=actor, organization=cast.sample("organization"), name="Late")


def test_everybody_may_still_leave_and_nobody_is_removed(cast: Cast) -> None:
    scheduled(cast)
    membership = cast.member.user.memberships.get()
    with pytest.raises(Conflict):
        organizations.membership_remove(actor=cast.admin.actor, membership=membership)
    organizations.membership_remove(actor=cast.member.actor, membership=membership)
    assert not Membership.objects.filter(pk=membership.pk).exists()


def test_cancelling_brings_everything_back(cast: Cast) -> None:
    project = cast.sample("project")
    deletion = scheduled(cast)
    before = Membership.objects.filter(organization=project.organization).count()
    services.deletion_cancel(actor=cast.admin.actor, deletion=deletion)
    assert Membership.objects.filter(organization=project.organization).count() == before
    projects.project_change(actor=cast.owner.actor, project=project, name="As before")
    assert purging.purge_due() == 0
    with pytest.raises((Conflict, NotFound)):
        services.deletion_cancel(actor=cast.admin.actor, deletion=deletion)
    assert scheduled(cast).pk != deletion.pk, "it may be scheduled again"
    actions = AuditEvent.objects.filter(action__startswith="organization.deletion").order_by("id")
    assert [event.action.rpartition("_")[2] for event in actions] == ["scheduled", "cancelled", "scheduled"]


def test_what_runs_or_waits_is_stopped_and_nothing_starts(cast: Cast) -> None:
    launcher = running()
    job = launcher.attempt.job
    queued = cast.sample("queued-training").job
    elsewhere = cast.sample("organization")
    organization = job.organization
    admin = MembershipFactory(organization=organization, role=Role.ADMIN).user
    draft = Job.objects.create(
        organization=organization,
        project=job.project,
        resource_group=job.resource_group,
        kind="training",
        name="Draft",
    )
    services.deletion_schedule(
        actor=Actor.of(admin), organization=organization, name=str(organization), reason="It closes"
    )
    assert purging.halt_closing() == 1, "the launcher has the word and writes its checkpoint"
    job.refresh_from_db()
    assert (job.state, job.stop_reason) == (JobState.STOPPING, "user")
    queued.refresh_from_db()
    assert queued.organization_id == elsewhere.pk and queued.state == JobState.QUEUED, "others go on"
    with pytest.raises(Conflict):
        job_submit(actor=Actor.of(admin), job=draft)


# --- The end


def test_nothing_of_it_is_left_anywhere_but_the_sealed_chain(cast: Cast) -> None:
    organization = furnished(cast)
    uploads = [UploadFolder(cast.sample(name).pk).root for name in ("dataset-upload", "analysed-upload")]
    people = list(Membership.objects.filter(organization=organization).values_list("user_id", flat=True))
    assert objects_with(organization.pk) and any(folder.exists() for folder in uploads)
    deletion = purged(cast)
    assert tables_with(str(organization.pk)) <= LEFT
    left = tables_with(cast.canary)
    assert left <= {"accounts_user", "account_emailaddress", "mfa_authenticator"}, "people keep their accounts"
    kept = objects_with(organization.pk)
    assert all(key.startswith("audit/heads/") for key in kept), kept
    assert not any(folder.exists() for folder in uploads)
    assert User.objects.filter(pk__in=people, is_active=True).count() == len(people)
    assert (deletion.state, deletion.reason, deletion.requested_by) == (DeletionState.DONE, "", None)
    assert deletion.removed["datasets.Dataset"] >= 3 and deletion.removed["objects"] > 0


def test_people_whose_only_one_it_was_have_none_and_can_sign_in(cast: Cast) -> None:
    client = cast.member.portal
    assert client.get("/projects/").status_code == 200
    token, admin = cast.member.rest, cast.admin.rest
    purged(cast)
    assert Actor.of(cast.member.user).memberships == {}
    page = client.get("/projects/")
    assert page.status_code == 200 and b"You belong to no organization yet." in page.content
    assert token.get("/projects").json()["results"] == []
    assert admin.get(f"/organizations/{cast.sample('organization').pk}").status_code == 404


def test_the_chain_verifies_and_nobody_reads_it(cast: Cast) -> None:
    organization = cast.sample("organization")
    projects.project_change(actor=cast.owner.actor, project=cast.sample("project"), name="A secret plan")
    audit.seal()
    audit.head_sign(chain=organization.pk)
    purged(cast)
    audit.seal()
    found = verify(organization.pk)
    assert found.is_sound and found.heads == 1 and found.events == 3
    for row in readable(AuditEvent.objects.filter(organization_id=organization.pk)):
        assert "A secret plan" not in str(row) and row.actor_name == "(erased)"
    (event,) = AuditEvent.objects.filter(action="organization.deleted")
    assert event.organization_id is None, "what is said of it stands in the platform's own chain"
    assert verify(audit.PLATFORM).is_sound


def test_another_organization_with_the_same_bytes_keeps_every_one(cast: Cast) -> None:
    """The same pictures, the same digests, the same people."""
    mine = cast.sample("dataset")
    project = ProjectFactory(organization=cast.stranger.user.memberships.get().organization)
    MembershipFactory(organization=project.organization, user=cast.owner.user, role=Role.ENGINEER_I)
    ProjectMembershipFactory(project=project, user=cast.owner.user, role="owner")
    theirs = published(DatasetFactory(project=project), shapes(train=1, val=1), person=cast.owner.user)
    shared = set(Blob.objects.filter(organization=mine.organization).values_list("sha256", flat=True))
    assert shared == set(Blob.objects.filter(organization=theirs.organization).values_list("sha256", flat=True))
    before = sorted(objects_with(theirs.organization_id))
    rows = {table: _rows_of(table, theirs.organization_id) for table in ("datasets_dataset", "datasets_blob")}
    purged(cast)
    assert sorted(objects_with(theirs.organization_id)) == before
    assert {table: _rows_of(table, theirs.organization_id) for table in rows} == rows
    for digest in shared:
        content = storage().read(blob_key(theirs.organization_id, digest))
        assert sha256(content).hexdigest() == digest
        assert storage().size(blob_key(mine.organization_id, digest)) is None
    actor = Actor.of(cast.owner.user, organization_id=theirs.organization_id)
    assert snapshot_create(actor=actor, dataset=theirs, tag="after").counts["images"] > 0


def _rows_of(table: str, organization_id: Any) -> int:
    with connections["default"].cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table} WHERE organization_id = %s", [organization_id])
        return int(cursor.fetchone()[0])


class Crash(BaseException):
    """As a worker that is killed: nothing catches it."""


@pytest.mark.parametrize("after", [0, 1, 3, 7, 12, 20, 30])
def test_a_pass_that_is_broken_off_anywhere_is_finished_by_the_next(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    organization = furnished(cast)
    scheduled(cast, due=True)
    left = [after]
    real = purging.rows_remove

    def counted(**arguments: Any) -> None:
        if left[0] == 0:
            raise Crash
        left[0] -= 1
        real(**arguments)

    monkeypatch.setattr(purging, "BATCH", 2)
    monkeypatch.setattr(purging, "rows_remove", counted)
    with pytest.raises(Crash):
        purging.purge_due()
    assert Organization.objects.get(pk=organization.pk).closure == Closure.ENDING
    assert not Membership.objects.filter(organization=organization).exists(), "nobody comes back in between"
    monkeypatch.setattr(purging, "rows_remove", real)
    assert purging.purge_due() == 1
    assert tables_with(str(organization.pk)) <= LEFT
    assert purging.purge_due() == 0


def test_a_pass_hands_over_when_its_time_is_up(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    furnished(cast)
    scheduled(cast, due=True)
    hints: list[str] = []
    monkeypatch.setattr(purging, "send_hint", lambda name, **options: hints.append(name))
    monkeypatch.setattr(purging, "PASS_SECONDS", 0.0)
    assert purging.purge_due() == 0
    assert hints == ["departures.purge"]
    passes = 1
    while purging.purge_due() == 0:
        passes += 1
        assert passes < 200
    assert passes > 5 and not Organization.objects.filter(pk=cast.sample("organization").pk).exists()


def test_what_still_runs_is_waited_for_and_not_for_ever(cast: Cast) -> None:
    launcher = running()
    organization = launcher.attempt.job.organization
    admin = MembershipFactory(organization=organization, role=Role.ADMIN).user
    deletion = services.deletion_schedule(
        actor=Actor.of(admin), organization=organization, name=str(organization), reason="It closes"
    )
    rows = OrganizationDeletion.objects.filter(pk=deletion.pk)
    rows.update(due_at=timezone.now())
    assert purging.purge_due() == 0
    assert rows.get().state == DeletionState.ENDING and Job.objects.filter(organization=organization).exists()
    rows.update(begun_at=timezone.now() - purging.WAIT)
    assert purging.purge_due() == 1
    assert not Job.objects.filter(organization_id=organization.pk).exists()


def test_every_table_with_a_way_to_an_organization_is_emptied_in_batches() -> None:
    """What is left to a cascade goes in one transaction, however much it is: only what a row above bounds."""
    batched = {removal.rows(OrganizationFactory.build().pk).model._meta.label for removal in removals()}
    large = {
        *("datasets.Entry", "datasets.Item", "datasets.Blob", "datasets.AnnotationDocument", "datasets.SplitRow"),
        *("metrics.Point", "metrics.Rollup", "jobs.JobEvent", "jobs.LogChunk", "jobs.AttemptFile"),
        *("apikeys.EndpointUsage", "resources.NodeSample", "projects.ProjectMembership", "invitations.Invitation"),
    }
    assert large <= batched


# --- At once


def test_before_it_is_due_and_after_it_was_cancelled_no_pass_begins(cast: Cast) -> None:
    deletion = scheduled(cast)
    system = Actor.system("test")
    with pytest.raises(Conflict):
        purging.deletion_begin(actor=system, deletion=deletion)
    assert not purging.purge(deletion.pk)
    for person in (cast.admin, cast.platform):
        with pytest.raises(DomainError):
            purging.deletion_begin(actor=person.actor, deletion=deletion)
    services.deletion_cancel(actor=cast.admin.actor, deletion=deletion)
    OrganizationDeletion.objects.filter(pk=deletion.pk).update(due_at=timezone.now())
    assert not purging.purge(deletion.pk)
    assert Organization.objects.get(pk=deletion.organization_id).closure == Closure.OPEN


def at_once(*calls: Any) -> list[str]:
    """What became of calls made at the same moment: "done" or the code of the refusal."""
    barrier, answers = threading.Barrier(len(calls)), []

    def run(call: Any) -> None:
        try:
            barrier.wait(10)
            call()
            answers.append("done")
        except DomainError as error:
            answers.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return sorted(answers)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_schedule_at_once_one_does() -> None:
    organization = OrganizationFactory()
    actors = [Actor.of(MembershipFactory(organization=organization, role=Role.ADMIN).user) for _number in range(2)]
    answers = at_once(
        *(
            lambda actor=actor: services.deletion_schedule(
                actor=actor, organization=organization, name=str(organization), reason="It closes"
            )
            for actor in actors
        )
    )
    assert answers == ["deletion_scheduled", "done"]
    assert OrganizationDeletion.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("trial", range(5))
def test_of_cancelling_and_the_end_at_once_one_comes_first_and_is_whole(trial: int) -> None:
    organization = OrganizationFactory()
    admin = Actor.of(MembershipFactory(organization=organization, role=Role.ADMIN).user)
    deletion = services.deletion_schedule(
        actor=admin, organization=organization, name=str(organization), reason="It closes"
    )
    OrganizationDeletion.objects.filter(pk=deletion.pk).update(due_at=timezone.now())
    admin = Actor.of(admin.user)
    at_once(lambda: services.deletion_cancel(actor=admin, deletion=deletion), lambda: purging.purge(deletion.pk))
    deletion.refresh_from_db()
    there = Organization.objects.filter(pk=organization.pk).first()
    if deletion.state == DeletionState.CANCELLED:
        assert there is not None and there.closure == Closure.OPEN
        assert Membership.objects.filter(organization=organization, role=Role.ADMIN).exists()
    else:
        assert deletion.state == DeletionState.DONE
        assert there is None


@pytest.mark.django_db(transaction=True)
def test_two_passes_at_once_delete_it_once() -> None:
    organization = OrganizationFactory()
    admin = Actor.of(MembershipFactory(organization=organization, role=Role.ADMIN).user)
    deletion = services.deletion_schedule(
        actor=admin, organization=organization, name=str(organization), reason="It closes"
    )
    OrganizationDeletion.objects.filter(pk=deletion.pk).update(due_at=timezone.now())
    assert at_once(lambda: purging.purge(deletion.pk), lambda: purging.purge(deletion.pk)) == ["done", "done"]
    while not OrganizationDeletion.objects.filter(state=DeletionState.DONE).exists():
        purging.purge_due()
    assert AuditEvent.objects.filter(action="organization.deleted").count() == 1
