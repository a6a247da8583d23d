"""Who reads which events, what they find in them, and what a page of them costs."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from apps.audit import selectors, services
from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.testing import Cast, PermissionMatrix, assert_constant_queries
from apps.datasets.services import dataset_change, dataset_trash
from apps.organizations.services import organization_change
from apps.projects import services as projects
from apps.training.services import training_create
from tests.audit.test_chain import verifier
from tests.factories.datasets import DatasetFactory
from tests.factories.organizations import MembershipFactory
from tests.factories.projects import ProjectFactory

pytestmark = pytest.mark.world("owner", "admin")

NAME = "Zirkonium Schrauben"


@pytest.fixture
def project(cast: Cast) -> Any:
    """Changed by its owner and by the organization's administrator."""
    found = cast.sample("project")
    projects.project_change(actor=cast.owner.actor, project=found, name=NAME)
    projects.member_change(actor=cast.admin.actor, membership=cast.sample("project-member"), role="editor")
    return found


def listed(person: Any, path: str) -> list[dict[str, Any]]:
    answer = person.rest.get(f"/audit-logs{path}")
    assert answer.status_code == 200, answer.content
    return list(answer.json()["results"])


def actions_of(rows: list[dict[str, Any]]) -> list[str]:
    return [row["action"] for row in rows]


def drafted(cast: Cast, name: str) -> Any:
    group = cast.sample("resource-group")
    project = cast.sample("project")
    return training_create(
        actor=cast.owner.actor, project=project, name=name, trainer="reference", resource_group=group
    )


class TestWhoMayReadWhat(PermissionMatrix):
    rest = """
                                                                owner editor viewer member manager admin guest stranger anonymous platform
    GET  /audit-logs/me                                         200   =      =      =      =       =     =     =        401       200
    GET  /audit-logs/me/export                                  200   =      =      =      =       =     =     =        401       200
    GET  /audit-logs/organization                               403   =      =      =      200     =     403   200      401       200
    GET  /audit-logs/organization/export                        403   =      =      =      200     =     403   200      401       200
    GET  /audit-logs/project/{audit-logs/project}               200   403    403    404    200     =     404   404      401       200
    GET  /audit-logs/project/{audit-logs/project}/export        200   403    403    404    200     =     404   404      401       200
    GET  /audit-logs/entity/projects.project/{audit-logs/project}         200  =  =  404  200  =  404  404  401  200
    GET  /audit-logs/entity/projects.project/{audit-logs/project}/export  200  =  =  404  200  =  404  404  401  200
    GET  /audit-logs/entity/projects.project/{trashed-project}  200   404    404    404    200     =     404   404      401       200
    GET  /audit-logs/entity/resources.resourcegroup/{resource-group}      200  =  =  =    200  =  200  404  401  200
    GET  /audit-heads                                           200   =      =      =      =       =     =     =        401       200
    GET  /audit-checks                                          200   =      =      =      =       =     =     =        401       200
    GET  /audit-checks/{audit-checks}                           404   =      =      =      200     =     404   404      401       200
    POST /audit-checks                                          403   =      =      =      202     =     403   202      401       202
    """
    portal = """
                                                                owner editor viewer member manager admin guest stranger anonymous platform
    GET  /audit/                                                200   =      =      =      =       =     =     =        302       200
    GET  /audit/export/                                         200   =      =      =      =       =     =     =        302       200
    GET  /audit/organization/                                   403   =      =      =      200     =     403   200      302       200
    GET  /audit/organization/export/                            403   =      =      =      200     =     403   200      302       200
    POST /audit/organization/check/                             403   =      =      =      302     =     403   302      302       302
    GET  /audit/heads/{audit/heads}/                            404   =      =      =      200     =     404   404      302       200
    GET  /audit/verifier/                                       200   =      =      =      =       =     =     =        302       200
    GET  /audit/history/projects.project/{project}/             200   =      =      404    200     =     404   404      302       200
    GET  /audit/history/projects.project/{project}/export/      200   =      =      404    200     =     404   404      302       200
    GET  /projects/{project}/history/                           200   =      =      404    200     =     404   404      302       200
    GET  /datasets/{dataset}/history/                           200   =      =      404    200     =     404   404      302       200
    """


def test_one_s_own_events_are_those_that_one_made_anywhere(cast: Cast, project: Any) -> None:
    assert "project.changed" in actions_of(listed(cast.owner, "/me"))
    assert {row["actor_id"] for row in listed(cast.owner, "/me")} == {str(cast.owner.user.pk)}
    assert "project.changed" not in actions_of(listed(cast.admin, "/me"))


def test_a_project_s_log_holds_all_that_happened_in_it(cast: Cast, project: Any) -> None:
    dataset_change(actor=cast.owner.actor, dataset=cast.sample("dataset"), name="Renamed set")
    drafted(cast, "Draft")
    found = actions_of(listed(cast.owner, f"/project/{project.pk}"))
    assert {"project.changed", "project.member_changed", "dataset.changed", "training.created"} <= set(found)


def test_an_object_s_history_holds_what_speaks_of_it_and_of_its_parts(cast: Cast, project: Any) -> None:
    upload = cast.sample("analysed-upload")
    found = actions_of(listed(cast.owner, f"/entity/datasets.dataset/{upload.dataset_id}"))
    assert {"dataset.created", "dataset.upload_started"} & set(found)
    training = drafted(cast, "Draft")
    clone = cast.owner.rest.post(f"/training-jobs/{training.pk}/clone").json()
    history = listed(cast.owner, f"/entity/training.trainingjob/{training.pk}")
    assert actions_of(history) == ["training.cloned", "training.created"]
    assert history[0]["about"] == [{"type": "training.trainingjob", "id": str(training.pk), "name": "Draft"}]
    assert actions_of(listed(cast.owner, f"/entity/jobs.job/{clone['id']}")) == ["training.cloned"]


@pytest.mark.parametrize(
    "path",
    [
        "/entity/projects.nothing/1",
        "/entity/auth.group/1",
        "/entity/audit.auditkey/1",
        "/entity/projects.project/x",
        "/entity/projects.project/00000000-0000-0000-0000-000000000000",
        "/entity/metrics.point/99999999999999999999",
        "/entity/projects.project/%00",
        "/project/00000000-0000-0000-0000-00000000000-",
    ],
)
def test_what_is_no_object_is_not_found(cast: Cast, path: str) -> None:
    assert cast.admin.rest.get(f"/audit-logs{path}").status_code == 404


def test_colleagues_see_who_it_was_and_not_from_where(cast: Cast) -> None:
    cast.owner.rest.patch(f"/projects/{cast.sample('project').pk}", {"name": NAME}, headers={"User-Agent": "Owl/1.0"})
    path = f"/entity/projects.project/{cast.sample('project').pk}"
    (seen,) = listed(cast.viewer, path)
    assert (seen["actor_name"], seen["actor_email"], seen["ip"], seen["client"]) == (cast.owner.user.name, "", "", "")
    for person in (cast.owner, cast.manager, cast.platform):
        (whole,) = listed(person, path)
        assert (whole["actor_email"], whole["ip"], whole["client"]) == (cast.owner.user.email, "127.0.0.1", "Owl/1.0")


def test_who_works_on_the_installation_s_machines_is_not_told_to_tenants(cast: Cast) -> None:
    from apps.resources.models import ResourceGroup  # import here: models load after Django's set-up

    group = ResourceGroup.objects.create(name="Shared machines")
    cast.platform.rest.patch(f"/resource-groups/{group.pk}", {"description": "New fans"})
    path = f"/entity/resources.resourcegroup/{group.pk}"
    assert actions_of(listed(cast.platform, path)) == ["resource_group.changed"]
    assert listed(cast.member, path) == []


# --- Search and filters


@pytest.mark.parametrize(
    "text", ["Zirkonium", "zirk", "ZIR schr", "schrauben zirkonium", "Project changed", "zirk project"]
)
def test_words_of_names_and_actions_are_found_by_their_beginnings(cast: Cast, project: Any, text: str) -> None:
    assert "project.changed" in actions_of(listed(cast.admin, f"/organization?q={text}"))


@pytest.mark.parametrize("text", ["irkonium", "zirkoniumoxid schrauben", "wolfram", "zirk wolfram", "%", "' OR 1=1"])
def test_what_is_not_there_is_not_found(cast: Cast, project: Any, text: str) -> None:
    assert listed(cast.admin, f"/organization?q={text}") == [] or not text.strip("%' ")


def test_people_are_found_by_name_and_address_as_actors_and_as_those_concerned(cast: Cast, project: Any) -> None:
    helper = cast.sample("project-member").user
    assert actions_of(listed(cast.admin, f"/organization?q={helper.name.split('-')[0]}")) == ["project.member_changed"]
    found = listed(cast.admin, f"/organization?q={cast.owner.user.email.split('@')[0].split('-')[0]}")
    assert "project.changed" in actions_of(found)
    assert listed(cast.stranger, f"/organization?q={helper.name.split('-')[0]}") == []


def test_korean_words_are_found_by_their_first_syllable(cast: Cast) -> None:
    projects.project_change(actor=cast.owner.actor, project=cast.sample("project"), name="볼트 검사")
    for text in ("볼", "검사", "볼트 검"):
        assert actions_of(listed(cast.admin, f"/organization?q={text}")) == ["project.changed"]


def test_a_whole_id_finds_its_object_person_or_request(cast: Cast, project: Any) -> None:
    event = AuditEvent.objects.get(action="project.changed")
    for text in (str(project.pk), str(cast.owner.user.pk), event.request_id):
        assert "project.changed" in actions_of(listed(cast.admin, f"/organization?q={text}"))
    assert listed(cast.admin, f"/organization?q={UUID(int=3)}") == []


@pytest.mark.parametrize("few", [0, 1, 5000])
def test_few_finds_and_many_are_read_in_the_same_order(cast: Cast, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    """The log is asked in two ways, by how many events have the word; the settings of the connection stay."""
    for number in range(4):
        projects.project_change(actor=cast.owner.actor, project=cast.sample("project"), name=f"Zirkonium {number}")
    monkeypatch.setattr(selectors, "FEW_FINDS", few)
    found = listed(cast.admin, "/organization?q=zirkonium")
    assert len(found) == 4 and found == sorted(found, key=lambda row: row["id"], reverse=True)
    with connection.cursor() as cursor:
        cursor.execute("SHOW enable_seqscan")
        assert cursor.fetchone() == ("on",)


def test_terms_tell_nothing_without_the_organization_s_key(cast: Cast, project: Any) -> None:
    event = AuditEvent.objects.get(action="project.changed")
    blind = [term for term in event.terms if term.startswith("w:")]
    assert len(blind) > 10
    assert "zirk" not in " ".join(event.terms).casefold()
    foreign = cast.sample("foreign-organization")
    organization_change(actor=cast.stranger.actor, organization=foreign, division=NAME)
    other = AuditEvent.objects.filter(organization_id=foreign.pk).latest("id")
    assert not set(blind) & set(other.terms), "another organization's term for the same word is another one"


def test_days_narrow_by_time_and_by_id_alike(cast: Cast, project: Any) -> None:
    now = timezone.now()
    for hours, expected in ((-1, True), (1, False)):
        moment = (now + timedelta(hours=hours)).isoformat().replace("+", "%2B")
        assert ("project.changed" in actions_of(listed(cast.admin, f"/organization?after={moment}"))) is expected
        assert ("project.changed" in actions_of(listed(cast.admin, f"/organization?before={moment}"))) is not expected


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("name", ["after", "before"])
def test_the_ends_of_the_calendar_are_moments_too(cast: Cast, project: Any, name: str, moment: str) -> None:
    assert cast.admin.rest.get(f"/audit-logs/organization?{name}={moment}").status_code == 200


@pytest.mark.parametrize("query", ["after=yesterday", "actor_id=me", "project_id=1"])
def test_a_filter_that_cannot_be_understood_is_refused(cast: Cast, query: str) -> None:
    assert cast.admin.rest.get(f"/audit-logs/organization?{query}").status_code == 400
    assert cast.admin.rest.get(f"/audit-logs/organization/export?{query}").status_code == 400


def test_pages_follow_one_another_without_gap_or_repetition(cast: Cast) -> None:
    for number in range(12):
        projects.project_change(actor=cast.owner.actor, project=cast.sample("project"), name=f"Name {number}")
    client, path, found = cast.admin.rest, "/audit-logs/organization?page_size=5", []
    rows = AuditEvent.objects.filter(organization_id=cast.owner.organization_id).order_by("-pk")
    expected = [str(pk) for pk in rows.values_list("pk", flat=True)]
    while path:
        page = client.get(path).json()
        found += [row["id"] for row in page["results"]]
        path = page["next"]
    assert [pk for pk in found if pk in expected] == expected
    assert len(found) == len(set(found))


@pytest.mark.parametrize("scope", ["organization", "me", "project", "entity"])
def test_a_page_costs_the_same_for_one_event_and_for_twenty(cast: Cast, scope: str) -> None:
    project = cast.sample("project")
    path = {
        "organization": "/organization?q=name",
        "me": "/me",
        "project": f"/project/{project.pk}",
        "entity": f"/entity/projects.project/{project.pk}",
    }[scope]

    def add_rows(count: int) -> None:
        for number in range(count):
            name = f"Name {number} of {AuditEvent.objects.count()}"
            projects.project_change(actor=cast.owner.actor, project=project, name=name)
            membership = cast.sample("project-member")
            role = "editor" if number % 2 else "viewer"
            projects.member_change(actor=cast.owner.actor, membership=membership, role=role)

    client = cast.owner.rest if scope != "organization" else cast.admin.rest
    assert_constant_queries(lambda: client.get(f"/audit-logs{path}"), add_rows=add_rows, at_most=12)


def test_an_event_whose_action_nothing_registers_any_more_is_still_read(cast: Cast) -> None:
    AuditEvent.objects.create(
        time=timezone.now(),
        organization_id=cast.sample("organization").pk,
        actor_kind="system",
        via="system",
        request_id="x",
        action="gone.by",
    )
    assert [row["sentence"] for row in listed(cast.admin, "/organization?action=gone.by")] == ["gone.by"]


# --- Bulk


def test_a_sentence_names_the_first_objects_and_counts_the_others(cast: Cast) -> None:
    from apps.core.admin.selections import selected_delete  # import here: models load after Django's set-up

    made = [
        projects.project_create(actor=cast.admin.actor, organization=cast.sample("organization"), name=f"Project {no}")
        for no in range(5)
    ]
    selected_delete(
        actor=cast.admin.actor,
        objects=made,
        delete=lambda row: projects.project_trash(actor=cast.admin.actor, project=row),
    )
    event = AuditEvent.objects.get(action="selection.deleted")
    (shown,) = readable([event])
    assert shown.sentence.endswith("deleted 5 objects at once: Project 0, Project 1, Project 2 and 2 more.")
    assert [item["id"] for item in shown.about] == [str(row.pk) for row in made]
    assert AuditEvent.objects.filter(parent_id=event.pk, action="project.trashed").count() == 5
    assert not AuditEvent.objects.filter(parent_id=None, action="project.trashed").exists()
    history = listed(cast.admin, f"/entity/projects.project/{made[4].pk}")
    assert "selection.deleted" in actions_of(history)


def test_a_bulk_event_names_to_others_what_they_asked_for_alone(cast: Cast) -> None:
    from apps.core.admin.selections import selected_delete  # import here: models load after Django's set-up

    mine = DatasetFactory(project=cast.sample("project"), name="Mine", visibility="project")
    elsewhere = ProjectFactory(organization=mine.organization)
    hidden = [DatasetFactory(project=elsewhere, name=f"Secret {no}", visibility="private") for no in range(2)]
    actor = cast.admin.actor
    selected_delete(actor=actor, objects=[mine, *hidden], delete=lambda row: dataset_trash(actor=actor, dataset=row))
    history = f"/entity/datasets.dataset/{mine.pk}"
    (whole,) = listed(cast.admin, f"{history}?action=selection.deleted")
    assert [row["name"] for row in whole["about"]] == ["Mine", "Secret 0", "Secret 1"] and whole["about_more"] == 0
    (row,) = listed(cast.editor, f"{history}?action=selection.deleted")
    assert row["about"] == [{"type": "datasets.dataset", "id": str(mine.pk), "name": "Mine"}]
    assert row["about_more"] == 2 and row["sentence"].endswith("deleted 3 objects at once: Mine and 2 more.")
    shown = cast.editor.portal.htmx(f"/audit/history/datasets.dataset/{mine.pk}/").content.decode()
    assert "2 more" in shown and "Secret" not in shown
    table = cast.editor.rest.get(f"/audit-logs{history}/export?as=csv")
    lines = b"".join(table.streaming_content).decode()
    assert "Mine and 2 more" in lines and "Secret" not in lines


def test_a_bulk_event_is_found_by_no_word_and_holds_no_id_of_what_is_hidden(cast: Cast) -> None:
    from apps.core.admin.selections import selected_delete  # import here: models load after Django's set-up

    mine = DatasetFactory(project=cast.sample("project"), name="Mine", visibility="project")
    elsewhere = ProjectFactory(organization=mine.organization)
    hidden = DatasetFactory(project=elsewhere, name="Secret", visibility="private")
    actor = cast.admin.actor
    selected_delete(actor=actor, objects=[mine, hidden], delete=lambda row: dataset_trash(actor=actor, dataset=row))
    services.seal()
    history = f"/entity/datasets.dataset/{mine.pk}"
    assert "selection.deleted" in actions_of(listed(cast.admin, f"{history}?q=secret"))
    assert listed(cast.editor, f"{history}?q=secret") == []
    for text in (cast.admin.user.name, cast.admin.user.pk, "together"):
        assert "selection.deleted" in actions_of(listed(cast.editor, f"{history}?q={text}")), text
    for reader, is_told in ((cast.admin, True), (cast.editor, False)):
        answer = reader.rest.get(f"/audit-logs{history}/export?as=jsonl")
        lines = b"".join(answer.streaming_content).splitlines(keepends=True)
        assert (str(hidden.pk).encode() in b"".join(lines)) == is_told
        report, _first, found = verifier().verify(lines)
        assert report.sound and found.withheld == (not is_told), vars(report)


# --- Pages


def test_the_history_of_an_object_is_on_its_own_page(cast: Cast, project: Any) -> None:
    group, training = cast.sample("resource-group"), cast.sample("training-job")
    for page, label, pk in (
        (f"/projects/{project.pk}/history/", "projects.project", project.pk),
        (f"/datasets/{cast.sample('dataset').pk}/history/", "datasets.dataset", cast.sample("dataset").pk),
        (f"/resource-groups/{group.pk}/", "resources.resourcegroup", group.pk),
        (f"/training/{training.pk}/", "training.trainingjob", training.pk),
    ):
        address = f"/audit/history/{label}/{pk}/"
        assert f'hx-get="{address}"' in cast.owner.portal.get(page).content.decode(), page
        assert cast.owner.portal.htmx(address).status_code == 200
        assert cast.owner.portal.get(address).status_code == 200
    text = cast.owner.portal.htmx(f"/audit/history/projects.project/{project.pk}/").content.decode()
    assert f"changed the project {NAME}" in text
    assert "<html" not in text


def test_events_lead_to_the_history_of_their_object(cast: Cast, project: Any) -> None:
    """Also of objects that have no page of their own; none of the links leads nowhere."""
    for reader, page in ((cast.owner.portal, "/audit/"), (cast.admin.portal, "/audit/organization/")):
        links = set(re.findall(r'href="(/audit/history/[^"]+)"', reader.get(page).content.decode()))
        assert f"/audit/history/projects.project/{project.pk}/" in links, page
        assert {reader.get(link).status_code for link in links} == {200}


def test_members_see_the_project_s_own_history_and_owners_everything_in_it(cast: Cast, project: Any) -> None:
    drafted(cast, "Draft of the owner")
    address = f"/audit/history/projects.project/{project.pk}/"
    assert "Draft of the owner" in cast.owner.portal.htmx(address).content.decode()
    text = cast.viewer.portal.htmx(address).content.decode()
    assert "Draft of the owner" not in text
    assert f"changed the project {NAME}" in text


def test_old_and_new_values_stand_side_by_side(cast: Cast, project: Any) -> None:
    text = cast.admin.portal.get("/audit/organization/?q=zirkonium").content.decode()
    assert f">{NAME}</ins>" in text
    assert "</del>" in text
    assert text.count('class="row-title"') == 1


def test_the_organization_s_page_shows_the_last_verification_and_the_signed_head(cast: Cast, project: Any) -> None:
    assert "not verified yet" in cast.admin.portal.get("/audit/organization/").content.decode()
    services.seal()
    head = services.head_sign(chain=cast.sample("organization").pk)
    assert head is not None
    cast.admin.portal.post("/audit/organization/check/")
    assert "Waiting" in cast.admin.portal.get("/audit/organization/").content.decode()
    from apps.audit.services.checking import checks_waiting  # import here: models load after Django's set-up

    assert checks_waiting() == 1
    text = cast.admin.portal.get("/audit/organization/").content.decode()
    assert "Sound" in text and f"/audit/heads/{head.pk}/" in text


def test_the_page_of_the_organization_costs_the_same_for_one_event_and_for_twenty(cast: Cast) -> None:
    project, client = cast.sample("project"), cast.admin.portal

    def add_rows(count: int) -> None:
        for _number in range(count):
            name = f"Name {AuditEvent.objects.count()}"
            projects.project_change(actor=cast.owner.actor, project=project, name=name)
            MembershipFactory(organization=cast.sample("organization"))

    assert_constant_queries(lambda: client.get("/audit/organization/"), add_rows=add_rows)


def test_a_person_is_chosen_from_a_list_as_long_as_it_is_one_to_choose_from(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = {cast.admin.user.name, cast.owner.user.name, cast.viewer.user.name}
    page = cast.admin.portal.get("/audit/organization/").context["form"]
    assert people <= {name for _key, name in page.fields["person"].choices}
    monkeypatch.setattr("apps.audit.views.MOST_PEOPLE", 1)
    assert "person" not in cast.admin.portal.get("/audit/organization/").context["form"].fields
    asked = cast.admin.portal.get(f"/audit/organization/?person={cast.owner.user.pk}")
    assert [name for _key, name in asked.context["form"].fields["person"].choices[1:]] == [cast.owner.user.name]
    assert {row.readable.event.actor_id for row in asked.context["rows"]} <= {cast.owner.user.pk}
    assert "person" not in cast.admin.portal.get("/audit/organization/?person=x").context["form"].fields


# --- Admin


def test_the_admin_s_list_costs_the_same_for_one_event_and_for_twenty(cast: Cast) -> None:
    project = cast.sample("project")

    def add_rows(count: int) -> None:
        for number in range(count):
            name = f"Name {number} of {AuditEvent.objects.count()}"
            projects.project_change(actor=cast.owner.actor, project=project, name=name)

    client = cast.platform.portal
    assert_constant_queries(lambda: client.get("/admin/audit/auditevent/"), add_rows=add_rows)


def test_the_admin_finds_by_words_and_shows_the_sentence(cast: Cast, project: Any) -> None:
    text = cast.platform.portal.get("/admin/audit/auditevent/?q=zirkonium").content.decode()
    assert f"changed the project {NAME}" in text
    assert "role of" not in text
    event = AuditEvent.objects.get(action="project.changed")
    page = cast.platform.portal.get(f"/admin/audit/auditevent/{event.pk}/change/").content.decode()
    assert NAME in page
