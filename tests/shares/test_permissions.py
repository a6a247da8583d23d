"""Who shares what with whom, and what each level gives through every door."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from guardian.shortcuts import get_user_perms

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core import policy
from apps.core.errors import Forbidden, Invalid, NotFound
from apps.core.identity import Actor, Role
from apps.core.testing import Cast, PermissionMatrix, Persona, assert_constant_queries
from apps.datasets.models import Dataset, DatasetUserShare
from apps.organizations.models import Membership
from apps.organizations.services import membership_remove
from apps.projects import services as project_services
from apps.shares import services
from apps.shares.kinds import kinds
from apps.shares.models import Level
from apps.shares.selectors import access_of
from apps.training import services as training_services
from apps.training.models import TrainingJob
from tests.factories.organizations import MembershipFactory
from tests.factories.projects import ProjectFactory, ProjectMembershipFactory
from tests.factories.shares import shared

pytestmark = pytest.mark.world(*Persona)

KINDS = pytest.mark.parametrize("kind", ["dataset", "training-job"])


def new_share(cast: Cast) -> dict[str, Any]:
    named = {"object_type": "dataset", "object_id": str(cast.sample("dataset").pk)}
    user = MembershipFactory(organization=cast.sample("organization")).user
    # Guests see nobody: they name themselves.
    return {**named, "user_id": str(user.pk), "level": "view"}


class TestShares(PermissionMatrix):
    rest = """
                                                                              owner editor viewer member manager admin guest stranger anonymous platform
    GET     /shares?object_type=dataset&object_id={dataset}                   200   =      =      404    200     =     404   404      401       200
    GET     /shares/access?object_type=dataset&object_id={dataset}            200   =      =      404    200     =     404   404      401       200
    GET     /shares?object_type=training_job&object_id={training-job}         200   =      =      404    200     =     404   404      401       200
    GET     /shares/access?object_type=training_job&object_id={training-job}  200   =      =      404    200     =     404   404      401       200
    POST    /shares                                                           201   403    403    404    201     =     400   400      401       201
    GET     /shares/{share}                                                   200   404    404    200    200     =     404   404      401       200
    PATCH   /shares/{share}                                                   200   404    404    403    200     =     404   404      401       200
    DELETE  /shares/{share}                                                   204   404    404    204    204     =     404   404      401       204
    DELETE  /shares/{group-share}                                             204   404    404    404    204     =     404   404      401       204
    """
    bodies = {
        "POST /shares": new_share,
        "PATCH /shares/{share}": {"level": "manage"},
        "POST /admin/datasets/datasetusershare/{share}/delete/": {"post": "yes", "reason": "a test"},
    }
    portal = """
                                                                     owner editor viewer member manager admin guest stranger anonymous platform
    GET   /datasets/{dataset}/sharing/                               200   =      =      404    200     =     404   404      302       200
    GET   /shares/?object_type=dataset&object_id={dataset}           200   =      =      404    200     =     404   404      302       200
    GET   /shares/?object_type=training_job&object_id={training-job} 200   =      =      404    200     =     404   404      302       200
    POST  /shares/?object_type=dataset&object_id={dataset}           422   403    403    404    422     =     404   404      302       422
    POST  /shares/{share}/level/                                     400   404    404    403    400     =     404   404      302       400
    POST  /shares/{share}/remove/                                    200   404    404    204    200     =     404   404      302       200
    """
    admin = """
                                                            owner editor viewer member manager admin guest stranger anonymous platform
    GET  /admin/datasets/datasetusershare/                  200   =      =      =      =       =     =     =        302       200
    GET  /admin/datasets/datasetusershare/{share}/change/   200   302    302    200    200     =     302   302      302       200
    POST /admin/datasets/datasetusershare/{share}/delete/   302   302    302    302    302     =     302   302      302       302
    GET  /admin/datasets/datasetgroupshare/{group-share}/change/ 200 302 302    302    200     =     302   302      302       200
    GET  /admin/training/trainingjobusershare/{training-share}/change/ 200 302 302 200 200     =     302   302      302       200
    """


# --- What a level gives


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (None, {"view": 404, "change": 404, "retitle": 404, "open": 404, "trash": 404, "share": 404}),
        (Level.VIEW, {"view": 200, "change": 403, "retitle": 403, "open": 403, "trash": 403, "share": 403}),
        (Level.USE, {"view": 200, "change": 403, "retitle": 403, "open": 403, "trash": 403, "share": 403}),
        (Level.EDIT, {"view": 200, "change": 200, "retitle": 200, "open": 403, "trash": 403, "share": 403}),
        (Level.MANAGE, {"view": 200, "change": 200, "retitle": 200, "open": 200, "trash": 204, "share": 201}),
    ],
)
@pytest.mark.parametrize("by_project", [False, True])
def test_what_each_level_of_a_dataset_gives(
    cast: Cast, level: Level | None, expected: dict[str, int], by_project: bool
) -> None:
    dataset, client = cast.sample("dataset"), cast.member.rest
    if level is not None and by_project:
        own = ProjectMembershipFactory(
            project=ProjectFactory(organization=dataset.organization), user=cast.member.user, role="owner"
        )
        shared(dataset, level, project=own.project)
    elif level is not None:
        shared(dataset, level, user=cast.member.user)
    path = f"/datasets/{dataset.pk}"
    body = {
        "object_type": "dataset",
        "object_id": str(dataset.pk),
        "user_id": str(cast.viewer.user.pk),
        "level": "use",
    }
    found = {
        "view": client.get(path).status_code,
        "change": client.patch(path, {"description": "Better"}).status_code,
        "retitle": client.patch(path, {"name": "Another name"}).status_code,
        "open": client.patch(path, {"visibility": "organization" if level else "private"}).status_code,
        "share": client.post("/shares", body).status_code,
    }
    found["trash"] = client.delete(path).status_code
    if level == Level.MANAGE:
        # Opened to the organization above; the trash is the last act.
        assert Dataset.objects.get(pk=dataset.pk).deleted_at is not None
    assert found == expected


@pytest.mark.parametrize(("level", "allowed"), [(Level.VIEW, False), (Level.USE, True), (Level.MANAGE, True)])
def test_training_on_a_dataset_takes_a_share_to_use_it(cast: Cast, level: Level, allowed: bool) -> None:
    dataset = cast.sample("dataset")
    shared(dataset, level, user=cast.member.user)
    actor = cast.member.actor
    project = project_services.project_create(actor=actor, organization=dataset.organization, name="Own")
    fields = {"project": project, "name": "Mine", "trainer": "reference", "dataset": dataset}
    fields["resource_group"] = cast.sample("resource-group")
    if allowed:
        assert training_services.training_create(actor=actor, **fields).dataset_id == dataset.pk
        return
    with pytest.raises(Forbidden):
        training_services.training_create(actor=actor, **fields)
    assert not TrainingJob.objects.filter(job__project=project).exists()


@pytest.mark.parametrize(
    ("level", "view", "weights", "change"),
    [(Level.VIEW, 200, 403, False), (Level.USE, 200, 200, False), (Level.EDIT, 200, 200, True)],
)
def test_what_each_level_of_a_training_gives(cast: Cast, level: Level, view: int, weights: int, change: bool) -> None:
    training, checkpoint, client = cast.sample("training-job"), cast.sample("checkpoint"), cast.member.rest
    path = f"/training-jobs/{training.pk}"
    assert client.get(path).status_code == 404
    shared(training, level, user=cast.member.user)
    assert client.get(path).status_code == view
    assert client.get(f"{path}/checkpoints/{checkpoint.pk}/content").status_code == weights
    assert policy.allows(cast.member.actor, "jobs.change_job", training.job) is change
    assert client.patch(path, {"name": "Renamed"}).status_code == (200 if change else 403)
    # A share lets people work with this training, not start others in its project.
    assert client.post(f"{path}/clone").status_code in {403, 404}
    assert client.get(f"/projects/{training.job.project_id}").status_code == 404
    page = cast.member.portal.get(f"/training/{training.pk}/")
    assert page.status_code == 200
    assert f"/projects/{training.job.project_id}/" not in page.content.decode()


def test_retrying_takes_an_editor_of_the_project_not_a_share(cast: Cast) -> None:
    training = cast.sample("training-job")
    shared(training, Level.MANAGE, user=cast.member.user)
    with pytest.raises(NotFound):
        training_services.training_retry(actor=cast.member.actor, training=training)


@pytest.mark.parametrize(
    ("role", "change", "trash"), [("owner", 200, 204), ("editor", 200, 403), ("viewer", 403, 403)]
)
def test_a_share_with_a_project_gives_no_more_than_the_role_there(
    cast: Cast, role: str, change: int, trash: int
) -> None:
    dataset = cast.sample("dataset")
    own = ProjectMembershipFactory(
        project=ProjectFactory(organization=dataset.organization), user=cast.member.user, role=role
    )
    shared(dataset, Level.MANAGE, project=own.project)
    path = f"/datasets/{dataset.pk}"
    assert cast.member.rest.patch(path, {"description": "Better"}).status_code == change
    assert cast.member.rest.delete(path).status_code == trash


# --- What policy forbids


@KINDS
@pytest.mark.parametrize("reason", ["share removed", "left", "suspended", "project trashed", "left the project"])
def test_a_share_ends_with_what_it_stands_on(cast: Cast, kind: str, reason: str) -> None:
    obj = cast.sample(kind)
    project = cast.sample("sharing-project")
    membership = ProjectMembershipFactory(project=project, user=cast.member.user)
    share = shared(obj, Level.VIEW, project=project)
    path = {"dataset": "/datasets", "training-job": "/training-jobs"}[kind] + f"/{obj.pk}"
    assert cast.member.rest.get(path).status_code == 200
    if reason == "share removed":
        services.share_remove(actor=cast.owner.actor, share=share)
    elif reason == "project trashed":
        project_services.project_trash(actor=cast.admin.actor, project=project)
    elif reason == "left the project":
        project_services.member_remove(actor=cast.member.actor, membership=membership)
    else:
        rows = Membership.objects.filter(user=cast.member.user)
        rows.update(state="suspended") if reason == "suspended" else rows.delete()
    assert cast.member.rest.get(path).status_code == 404


@KINDS
def test_who_leaves_and_comes_back_has_no_share_any_more(cast: Cast, kind: str) -> None:
    obj, organization = cast.sample(kind), cast.sample("organization")
    shared(obj, Level.VIEW, user=cast.member.user)
    left = Membership.objects.get(user=cast.member.user)
    membership_remove(actor=cast.admin.actor, membership=left)
    MembershipFactory(organization=organization, user=cast.member.user)
    path = {"dataset": "/datasets", "training-job": "/training-jobs"}[kind]
    assert cast.member.rest.get(f"{path}/{obj.pk}").status_code == 404


@KINDS
def test_nothing_is_shared_across_organizations(cast: Cast, kind: str) -> None:
    obj = cast.sample(kind)
    # Also not with somebody who manages both, nor with a project that they see in the other one.
    foreign = ProjectFactory(organization=cast.sample("foreign-organization"))
    both = MembershipFactory(organization=cast.sample("foreign-organization"), user=cast.admin.user, role=Role.ADMIN)
    actor = Actor.of(both.user, organization_id=cast.sample("organization").pk)
    with pytest.raises(Invalid) as caught:
        services.share_set(actor=actor, obj=obj, user=cast.stranger.user, level=Level.VIEW)
    assert caught.value.code == "not_in_organization"
    with pytest.raises(Invalid) as caught:
        services.share_set(actor=actor, obj=obj, project=foreign, level=Level.VIEW)
    assert caught.value.code == "other_organization"
    # A row that is there all the same gives nothing.
    shared(obj, Level.MANAGE, user=cast.stranger.user)
    path = {"dataset": "/datasets", "training-job": "/training-jobs"}[kind]
    assert cast.stranger.rest.get(f"{path}/{obj.pk}").status_code == 404


def test_a_person_who_waits_or_is_suspended_gets_no_share(cast: Cast) -> None:
    waiting = cast.sample("pending-membership").user
    with pytest.raises(Invalid):
        services.share_set(actor=cast.owner.actor, obj=cast.sample("dataset"), user=waiting, level=Level.VIEW)


@pytest.mark.parametrize(
    "change",
    [
        {"level": "emperor"},
        {"level": None},
        {"user_id": "x"},
        {"object_type": "galaxy"},
        {"object_id": "x"},
        {"user_id": None},
    ],
)
def test_a_bad_share_is_refused_and_nothing_is_written(cast: Cast, change: dict[str, Any]) -> None:
    body = {**new_share(cast), **change}
    assert cast.owner.rest.post("/shares", body).status_code == 400
    assert not DatasetUserShare.objects.exists()


def test_a_share_names_a_person_or_a_project_and_not_its_own(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    named = {"object_type": "dataset", "object_id": str(dataset.pk), "level": "view"}
    user, own = {"user_id": str(cast.member.user.pk)}, {"project_id": str(dataset.project_id)}
    oneself = {"user_id": str(cast.owner.user.pk)}
    for grantee, code in (
        ({}, "grantee_missing"),
        ({**user, **own}, "grantee_missing"),
        (own, "own_project"),
        (oneself, "own_share"),
    ):
        response = cast.owner.rest.post("/shares", {**named, **grantee})
        assert (response.status_code, response.json()["code"]) == (400, code)
    form = {"user": str(cast.owner.user.pk), "level": "view"}
    panel = cast.owner.portal.post(f"/shares/?object_type=dataset&object_id={dataset.pk}", form)
    assert panel.status_code == 422 and "share something with yourself" in panel.content.decode()
    # A project that the person cannot see is no choice.
    assert (
        cast.owner.rest.post("/shares", {**named, "project_id": str(cast.sample("sharing-project").pk)}).status_code
        == 400
    )


def test_sharing_again_changes_the_level_and_every_act_is_in_the_log(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    first = services.share_set(actor=cast.owner.actor, obj=dataset, user=cast.member.user, level=Level.VIEW)
    second = services.share_set(actor=cast.owner.actor, obj=dataset, user=cast.member.user, level=Level.EDIT)
    assert (first.pk, second.level, second.version) == (second.pk, Level.EDIT, 2)
    services.share_remove(actor=cast.member.actor, share=second)
    events = AuditEvent.objects.filter(entity_id=str(dataset.pk), action__startswith="share.").order_by("time")
    shown = readable(events)
    assert [
        (event.action, row.before.get("level"), row.after.get("level"))
        for event, row in zip(events, shown, strict=True)
    ] == [
        ("share.set", None, "view"),
        ("share.set", "view", "edit"),
        ("share.removed", "edit", None),
    ]
    assert {event.organization_id for event in events} == {dataset.organization_id}
    # Who it was shared with is a person: their name is not in the clear.
    assert cast.member.user.name not in str([event.after for event in events])


def test_an_object_has_a_limit_of_shares(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MAX_SHARES", 1)
    assert cast.owner.rest.post("/shares", new_share(cast)).status_code == 201
    more = cast.owner.rest.post("/shares", new_share(cast))
    assert (more.status_code, more.json()["code"]) == (409, "too_many_shares")


# --- guardian, and who sees it and why


def test_guardian_reads_the_same_rows(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    shared(dataset, Level.EDIT, user=cast.member.user)
    assert list(get_user_perms(cast.member.user, dataset)) == ["change_dataset"]


def test_every_level_is_a_permission_of_django(db: None) -> None:
    assert {kind.name for kind in kinds()} >= {"dataset", "training_job"}
    for kind in kinds():
        names = {level.codename(str(kind.model._meta.model_name)) for level in Level}
        found = Permission.objects.filter(content_type__app_label=kind.model._meta.app_label, codename__in=names)
        assert found.count() == len(Level)
        assert {policy.rule_of(kind.permission(level)).model for level in Level} == {kind.model}


@KINDS
@pytest.mark.parametrize("visibility", ["private", "project", "organization"])
def test_the_table_of_access_says_what_the_rules_say(cast: Cast, kind: str, visibility: str) -> None:
    obj = cast.sample(kind)
    if kind == "dataset":
        Dataset.objects.filter(pk=obj.pk).update(visibility=visibility, created_by=cast.editor.user)
        obj.refresh_from_db()
    people = [
        cast.person(name) for name in ("owner", "editor", "viewer", "member", "manager", "admin", "guest", "stranger")
    ]
    neighbour = ProjectMembershipFactory(project=cast.sample("sharing-project"), user=cast.guest.user, role="viewer")
    shared(obj, Level.EDIT, project=neighbour.project)
    table = access_of(cast.platform.actor, obj)
    found = {access.user.pk: access.level for access in table.people}
    registered = next(known for known in kinds() if isinstance(obj, known.model))
    for person in people:
        for level in Level:
            held = found.get(person.user.pk)
            engineer = person.actor.role is not None and person.actor.role.at_least(Role.ENGINEER_I)
            here = person.organization_id == obj.organization_id
            everybody = table.everybody if engineer and here else None
            said = max((entry.rank for entry in (held, everybody) if entry is not None), default=-1) >= level.rank
            allowed = policy.allows(person.actor, registered.permission(level), obj)
            assert said == allowed, f"{person} {level}: the table says {said}, the rule {allowed}"
    assert all(access.reasons for access in table.people)


def test_people_whom_one_may_not_know_are_not_named(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    shared(dataset, Level.VIEW, user=cast.guest.user)
    path = f"/shares/access?object_type=dataset&object_id={dataset.pk}"
    assert [row["user_name"] for row in cast.guest.rest.get(path).json()["people"]] == [cast.guest.user.name]
    assert len(cast.owner.rest.get(path).json()["people"]) > 1


def test_the_panel_costs_the_same_with_twenty(cast: Cast) -> None:
    dataset = cast.sample("dataset")

    def more(count: int) -> None:
        for _number in range(count):
            user = MembershipFactory(organization=dataset.organization).user
            shared(dataset, Level.VIEW, user=user)
            project = ProjectFactory(organization=dataset.organization)
            ProjectMembershipFactory(project=project, user=user)
            shared(dataset, Level.USE, project=project)

    query = f"?object_type=dataset&object_id={dataset.pk}"
    assert_constant_queries(lambda: cast.owner.rest.get(f"/shares{query}"), add_rows=more, at_most=10)
    assert_constant_queries(lambda: cast.owner.rest.get(f"/shares/access{query}"), add_rows=more)
    assert_constant_queries(lambda: cast.owner.portal.get(f"/datasets/{dataset.pk}/sharing/"), add_rows=more)
