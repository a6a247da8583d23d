"""What pages say: acts that are not allowed, activity, machines, the first steps, and mails."""

import re
from unittest.mock import Mock

import pytest
from django.core import mail

from apps.accounts.models import User
from apps.audit.models import AuditEvent
from apps.core.errors import Invalid
from apps.core.outbox.services import deliver_waiting
from apps.core.testing import assert_constant_queries
from apps.datasets.models import Dataset
from apps.jobs.models import SlotClaim
from apps.projects import services
from apps.resources.models import NodeSample
from tests.factories.accounts import PASSWORD
from tests.factories.jobs import AttemptFactory, JobFactory
from tests.factories.projects import ProjectFactory, ProjectMembershipFactory

# Projects


def test_viewer_is_told_the_role_that_changes_need(cast, page_of):
    project = cast.sample("project")
    settings = page_of(cast.viewer.portal.get(f"/projects/{project.pk}/settings/"))
    members = page_of(cast.viewer.portal.get(f"/projects/{project.pk}/members/"))
    assert 'aria-disabled="true"' in settings.text
    assert "owner of the project" in settings.text
    assert f"/projects/{project.pk}/trash/" not in settings.text
    assert f"/projects/{project.pk}/members/add/" not in members.text


def test_only_people_of_the_organization_can_be_chosen_as_members(cast):
    project = cast.sample("project")
    text = cast.owner.portal.get(f"/projects/{project.pk}/members/").content.decode()
    assert cast.member.user.email in cast.owner.portal.get(f"/projects/{project.pk}/members/").content.decode()
    assert cast.stranger.user.email not in text
    answer = cast.owner.portal.post(
        f"/projects/{project.pk}/members/add/", {"user": str(cast.stranger.user.pk), "role": "viewer"}, follow=True
    )
    assert (answer.status_code, 'role="alert"' in answer.content.decode()) == (422, True)
    assert not project.memberships.filter(user=cast.stranger.user).exists()


def test_last_owner_cannot_leave_and_is_told_why(cast):
    project = cast.sample("project")
    membership = project.memberships.get_or_create(user=cast.owner.user, defaults={"role": "owner"})[0]
    answer = cast.owner.portal.post(f"/projects/{project.pk}/members/{membership.pk}/remove/", follow=True)
    assert "A project needs an owner." in answer.content.decode()
    assert project.memberships.filter(pk=membership.pk).exists()


def test_name_that_is_taken_is_said_at_its_field(cast, page_of):
    first = services.project_create(
        actor=cast.owner.actor, organization=cast.sample("organization"), name="Taken already"
    )
    answer = cast.owner.portal.post("/projects/new/", {"name": first.name.upper(), "description": ""})
    assert answer.status_code == 422
    assert "The organization has a project of this name." in answer.content.decode()


def test_list_finds_by_name_and_says_when_nothing_fits(cast, page_of):
    project = cast.sample("project")
    found = page_of(cast.owner.portal.get("/projects/", {"q": project.name[:9].lower()}))
    nothing = page_of(cast.owner.portal.get("/projects/", {"q": "no such name"}))
    assert f"/projects/{project.pk}/" in found.links
    assert f"/projects/{project.pk}/" not in nothing.links
    assert "No project by that name" in nothing.words


def test_member_who_left_the_organization_meanwhile_is_not_added_and_the_page_says_so(cast, monkeypatch):
    """Between the form and the write: the form knew the person, the service does not any more."""
    project, person = cast.sample("project"), cast.member.user
    refusal = Invalid("This person is not a member of the organization.", hint="Invite them first.")
    monkeypatch.setattr(services, "member_add", Mock(side_effect=refusal))
    answer = cast.owner.portal.post(
        f"/projects/{project.pk}/members/add/", {"user": str(person.pk), "role": "viewer"}, follow=True
    )
    assert answer.redirect_chain == [(f"/projects/{project.pk}/members/", 302)]
    assert "This person is not a member of the organization. Invite them first." in answer.content.decode()


def test_project_that_was_trashed_comes_back(cast, page_of):
    project = cast.sample("project")
    cast.owner.portal.post(f"/projects/{project.pk}/trash/")
    assert cast.owner.portal.get(f"/projects/{project.pk}/").status_code == 404
    assert project.name in cast.owner.portal.get("/projects/trash/").content.decode()
    assert cast.owner.portal.post(f"/projects/{project.pk}/restore/")["Location"] == f"/projects/{project.pk}/"
    assert cast.owner.portal.get(f"/projects/{project.pk}/").status_code == 200


# Dashboard


def test_first_steps_lead_on_and_vanish(cast, page_of):
    client = cast.owner.portal
    organization = cast.sample("organization")
    ProjectFactory(organization=organization)
    assert "/projects/new/" in page_of(cast.member.portal.get("/")).links
    assert "Create a project" in page_of(cast.member.portal.get("/")).words
    Dataset.objects.create(organization=organization, project=cast.sample("project"), name="ready", revision_no=1)
    assert "Start a training" in page_of(client.get("/")).words
    JobFactory(project=cast.sample("project")).change(created_by=cast.owner.user)
    assert "Start a training" not in page_of(client.get("/")).words


def test_dashboard_costs_the_same_however_much_there_is(cast):
    client, project = cast.owner.portal, cast.sample("project")
    group = cast.sample("resource-group")

    def add(count):
        for _ in range(count):
            job = JobFactory(project=project, resource_group=group, state="queued")
            job.change(created_by=cast.owner.user)
            other = ProjectFactory(organization=project.organization)
            ProjectMembershipFactory(project=other, user=cast.owner.user)
            Dataset.objects.create(organization=project.organization, project=project, name=f"set {job.pk}")

    assert_constant_queries(lambda: client.get("/"), add_rows=add, at_most=25)


def test_job_of_another_project_is_not_shown(cast):
    hidden = JobFactory(project=ProjectFactory(organization=cast.sample("organization")), name="hidden job")
    assert hidden.name not in cast.member.portal.get("/").content.decode()


# Machines


def test_what_a_job_holds_is_not_free(cast, page_of):
    node = cast.sample("node")
    before = page_of(cast.owner.portal.get("/resource-groups/"))
    attempt = AttemptFactory(job=JobFactory(project=cast.sample("project"), resource_group=node.group), node=node)
    SlotClaim.objects.create(attempt=attempt, node=node, cpus=1, memory_mb=512)
    after = page_of(cast.owner.portal.get("/resource-groups/"))
    assert "2 CPU slots free" in before.words
    assert "1 CPU slot free" in after.words
    assert "1 job running" in after.words


def test_telemetry_draws_the_last_hour_and_asks_for_itself_again(cast):
    node = cast.sample("node")
    node.change(usage={"cpu_percent": 42, "memory_used_mb": 2048, "disk_used_percent": 7, "gpus": []})
    NodeSample.objects.create(node=node, cpu_percent=100, memory_used_mb=2048, disk_used_percent=7)
    text = cast.owner.portal.htmx(f"/resource-groups/nodes/{node.pk}/telemetry/").content.decode()
    assert re.search(r'<polyline points="[\d.]+,0\.0"', text)
    assert f'hx-get="/resource-groups/nodes/{node.pk}/telemetry/"' in text
    assert "42\N{NO-BREAK SPACE}%" in text


def test_lists_of_machines_cost_the_same_with_twenty(cast):
    from tests.factories.resources import NodeFactory  # import here: models load after Django's set-up

    group = cast.sample("resource-group")
    assert_constant_queries(
        lambda: cast.owner.portal.get("/resource-groups/"),
        add_rows=lambda count: NodeFactory.create_batch(count, group=group),
        at_most=15,
    )


def test_group_cannot_take_the_name_of_another(cast):
    organization, client = cast.sample("organization"), cast.admin.portal
    client.post("/resource-groups/new/", {"name": "First"})
    group = cast.sample("resource-group")
    for path in ("/resource-groups/new/", f"/resource-groups/{group.pk}/edit/"):
        answer = client.post(path, {"name": "First"})
        assert answer.status_code == 422
        assert "There is a resource group of this name." in answer.content.decode()
    assert organization.resource_groups.filter(name="First").count() == 1


# Activity


@pytest.fixture
def acts(cast):
    """A project created by the owner and renamed by the manager."""
    project = services.project_create(
        actor=cast.owner.actor, organization=cast.sample("organization"), name="Before it was renamed"
    )
    services.project_change(actor=cast.manager.actor, project=project, name="Afterwards")
    return project


def test_activity_shows_ones_own_and_nothing_of_others(cast, acts, page_of):
    own = page_of(cast.owner.portal.get("/audit/"))
    assert f"{cast.owner.user.name} created the project Before it was renamed." in own.words
    assert cast.manager.user.name not in own.text


def test_organizations_activity_shows_what_changed(cast, acts, page_of):
    page = page_of(cast.manager.portal.get("/audit/organization/"))
    assert f"{cast.manager.user.name} changed the project Afterwards." in page.words
    assert "Before it was renamed" in page.words
    assert "Before it was renamed" not in cast.stranger.portal.get("/audit/organization/").content.decode()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"action": "project.created"}, {"project.created"}),
        ({"entity": "projects.project"}, {"project.created", "project.changed"}),
        ({"since": "2020-01-01", "until": "2020-12-31"}, set()),
        ({"until": "not a day"}, {"project.created", "project.changed"}),
    ],
)
def test_filters_narrow_the_activity(query, expected, cast, acts):
    response = cast.manager.portal.get("/audit/organization/", query)
    found = {row.readable.event.action for row in response.context["rows"]}
    assert found & {"project.created", "project.changed"} == expected & {"project.created", "project.changed"}


def test_person_filter_offers_and_finds_people_of_the_organization(cast, acts):
    response = cast.manager.portal.get("/audit/organization/", {"person": str(cast.owner.user.pk)})
    assert {row.readable.event.actor_id for row in response.context["rows"]} == {cast.owner.user.pk}
    assert str(cast.stranger.user.pk) not in response.content.decode()


def test_pages_of_activity_follow_each_other_without_gap(cast):
    project = cast.sample("project")
    for number in range(60):
        services.project_change(actor=cast.owner.actor, project=project, description=f"text {number}")
    client, seen, address = cast.owner.portal, [], "/audit/"
    while address:
        response = client.get(address)
        seen += [row.readable.event.pk for row in response.context["rows"]]
        following = response.context["page"].next_cursor
        address = f"/audit/?cursor={following}" if following else ""
    expected = AuditEvent.objects.filter(actor_id=cast.owner.user.pk).order_by("-id")
    assert seen == list(expected.values_list("pk", flat=True))
    assert len(seen) >= 60


# Mails


def sign_up(client, **fields):
    answer = client.post(
        "/account/signup/",
        {"email": "fresh@example.com", "password1": PASSWORD, "company": "Fresh company", "division": "", **fields},
    )
    deliver_waiting()
    return answer


@pytest.mark.parametrize(("language", "word"), [("en", "Confirm your address"), ("ko", "주소 확인")])
def test_sign_up_sends_a_link_that_lets_one_in(language, word, cast, catalogues):
    client = cast.anonymous.portal
    client.cookies["django_language"] = language
    assert sign_up(client).status_code == 302
    (message,) = mail.outbox
    assert message.subject == f"[Modelyard] {word}"
    html, kind = message.alternatives[0]
    assert kind == "text/html"
    link = re.search(r"https?://testserver(/account/confirm-email/\S+)", message.body)[1]
    assert link in html
    assert client.get(link).status_code == 200
    assert client.post(link).status_code == 302
    signed_in = client.post("/account/login/", {"login": "fresh@example.com", "password": PASSWORD}, follow=True)
    assert signed_in.status_code == 200
    user = User.objects.get(email="fresh@example.com")
    assert user.memberships.get().role == "admin"


def test_sign_up_with_a_known_address_tells_the_address_only(cast):
    answer = sign_up(cast.anonymous.portal, email=cast.owner.user.email)
    (message,) = mail.outbox
    assert answer.status_code == 302
    assert (message.to, message.subject) == ([cast.owner.user.email], "[Modelyard] You have an account already")


@pytest.mark.parametrize("known", [True, False])
def test_password_reset_looks_the_same_for_everybody(known, cast):
    client = cast.anonymous.portal
    address = cast.owner.user.email if known else "nobody@example.com"
    answer = client.post("/account/password/reset/", {"email": address})
    deliver_waiting()
    (message,) = mail.outbox
    assert answer["Location"] == "/account/password/reset/done/"
    expected = "Choose a new password" if known else "There is no account for this address"
    assert message.subject == f"[Modelyard] {expected}"


def test_password_is_chosen_anew_with_the_link_of_the_mail(cast):
    client = cast.anonymous.portal
    client.post("/account/password/reset/", {"email": cast.owner.user.email})
    deliver_waiting()
    link = re.search(r"https?://testserver(/account/password/reset/key/\S+)", mail.outbox[0].body)[1]
    form = client.get(link, follow=True)
    address = form.redirect_chain[-1][0]
    short = client.post(address, {"password1": "short", "password2": "short"})
    assert short.status_code == 200
    assert 'role="alert"' in short.content.decode()
    answer = client.post(address, {"password1": "another fine one", "password2": "another fine one"})
    assert answer["Location"] == "/account/password/reset/key/done/"
    cast.owner.user.refresh_from_db()
    assert cast.owner.user.check_password("another fine one")


# Uploads


@pytest.mark.parametrize("state", ["ready", "refused"])
def test_pictures_of_an_upload_are_shown_while_its_files_are_there(cast, state):
    assert "/preview?" in _report(cast, state)


@pytest.mark.parametrize("state", ["publishing", "published", "failed", "cancelled"])
def test_pictures_are_not_asked_for_that_may_be_gone(cast, state):
    """Publishing removes the files the moment it is done: each picture still on its way was a 404."""
    assert "/preview?" not in _report(cast, state)


def _report(cast, state):
    upload = cast.sample("analysed-upload")
    type(upload).objects.filter(pk=upload.pk).update(state=state)
    answer = cast.owner.portal.get(f"/datasets/{upload.dataset_id}/uploads/{upload.pk}/")
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("page", ["/account/confirm-email/", "/account/password/reset/done/"])
@pytest.mark.parametrize(
    ("backend", "told"),
    [
        ("django.core.mail.backends.filebased.EmailBackend", True),
        ("django.core.mail.backends.smtp.EmailBackend", False),
    ],
)
def test_who_waits_for_a_mail_is_told_when_there_is_no_mail_server(page, backend, told, cast, settings):
    settings.EMAIL_BACKEND = backend
    text = cast.anonymous.portal.get(page).content.decode()
    assert ("This installation has no mail server." in text, "var/mail" in text) == (told, told)
