"""What a public dataset opens to people of other organizations: the versions that were made public, and nothing else.

The doors that show them are `PUBLIC` in `tenancy.py` and tried there; here is everything around them.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core import policy
from apps.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from apps.core.identity import Actor, Vouched
from apps.core.testing import Cast, RestClient
from apps.core.testing.openapi import Endpoint, endpoints
from apps.datasets import services
from apps.datasets.models import Blob, Damage, Dataset, Entry, Item
from apps.datasets.selectors import public
from apps.datasets.selectors.statistics import figures_of
from apps.datasets.services import public_downloads
from apps.organizations.models import Closure, Membership, Organization
from apps.projects.models import Project
from tests.factories.apikeys import key_of
from tests.factories.datasets import SYSTEM, DatasetFactory, laid_open, published, shapes
from tests.factories.organizations import MembershipFactory
from tests.factories.projects import ProjectFactory
from tests.security.report import TENANCY
from tests.security.tenancy import PAGES, REST, Gets
from tests.security.test_tenancy import (
    assert_no_leak,
    body_of,
    events_of_the_first,
    filled,
    page_row,
    pages,
    rest_row,
    visited,
)

pytestmark = [pytest.mark.django_db, pytest.mark.security, pytest.mark.world("owner", "stranger", "dataset")]
ROOT = "/api/v1/datasets/public"
#: Of an address: what a public dataset might show up in.
NEAR = ("datasets", "projects", "training", "audit", "shares", "search", "organization", "models", "dashboard")


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    """Its first version is public, its second is not."""
    return cast.sample("public-dataset")


@pytest.fixture
def hidden_item(cast: Cast, dataset: Dataset) -> Item:
    """An image that only the second version has."""
    return dataset.items.get(path=f"images/train/{cast.canary}.jpg")


def address(dataset: Dataset, rest: str = "") -> str:
    return f"{ROOT}/{dataset.pk}{rest}"


def sent(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


# --- Every other door stays shut


@pytest.fixture
def opened(cast: Cast) -> Cast:
    """The dataset of every address is public."""
    laid_open(cast.sample("dataset"))
    return cast


def near(found: str) -> bool:
    return any(word in found for word in NEAR)


SHUT = (Gets.HIDDEN, Gets.OWN, Gets.REFUSED)


@pytest.mark.security(TENANCY, "REST operations beside a public dataset")
@pytest.mark.parametrize(
    "endpoint",
    [found for found in endpoints() if near(found.path) and REST[found.operation_id].gets in SHUT],
    ids=lambda endpoint: endpoint.operation_id,
)
def test_a_public_dataset_opens_no_other_door_over_rest(endpoint: Endpoint, opened: Cast) -> None:
    if endpoint.operation_id == "datasets_public_list":
        pytest.skip("it is the list of them")
    row = rest_row(endpoint)
    path, body = filled(opened, endpoint.path, row), body_of(row, opened)
    before = events_of_the_first(opened)
    response = getattr(opened.stranger.rest, endpoint.method.lower())(f"/{path}", body)
    expected = {Gets.HIDDEN: {404}, Gets.REFUSED: {400}, Gets.OWN: set(range(200, 300))}[row.gets]
    assert response.status_code in expected, response.content[:300]
    assert events_of_the_first(opened) == before
    assert_no_leak(opened, response, path + str(body))


@pytest.mark.security(TENANCY, "pages beside a public dataset")
@pytest.mark.parametrize(
    ("route", "name"),
    [found.values for found in pages() if near(found.values[0]) and page_row(found.values[1]).gets in SHUT],
)
def test_a_public_dataset_opens_no_other_page(route: str, name: str, opened: Cast) -> None:
    if name == "datasets:public":
        pytest.skip("it is the list of them")
    row = PAGES.get(name) or page_row(name)
    for method, response, given in visited(opened.stranger, opened, route, row):
        if row.gets == Gets.HIDDEN:
            assert response.status_code == 404, f"{method}: {response.status_code}"
        else:
            assert response.status_code < 400
        assert_no_leak(opened, response, given)


def test_staff_of_another_organization_finds_it_nowhere_in_the_admin(opened: Cast) -> None:
    opened.stranger.user.is_staff = True
    opened.stranger.user.save(update_fields=["is_staff"])
    dataset, portal = opened.sample("dataset"), opened.stranger.portal
    base = "/admin/datasets/dataset/"
    looked_up = "/admin/autocomplete/?app_label=datasets&model_name=snapshot&field_name=dataset&term=Dataset"
    for path in (base, f"{base}?visibility__exact=public", f"{base}?q=Dataset", looked_up):
        assert_no_leak(opened, portal.get(path), path)
    assert portal.get(f"{base}{dataset.pk}/change/").status_code == 302
    chosen = {"action": "withdraw_datasets", "_selected_action": [str(dataset.pk)], "reason": "none of theirs"}
    portal.post(base, chosen)
    dataset.refresh_from_db()
    assert dataset.visibility == "public"


@pytest.mark.parametrize(
    "permission",
    [name for name in policy.names() if policy.rule_of(name).on.startswith("datasets.")],
)
def test_a_reader_elsewhere_holds_one_permission_and_no_other(permission: str, opened: Cast) -> None:
    if permission == "datasets.read_dataset":
        assert policy.allows(opened.stranger.actor, permission, opened.sample("dataset"))
        return
    model = policy.rule_of(permission).model
    for name in (model._meta.label,):
        opened.sample(name)
    rows = model._default_manager.filter(policy.condition(opened.stranger.actor, permission))
    assert not rows.exists()


def test_the_organizations_own_people_see_it_as_if_it_were_the_organizations(opened: Cast) -> None:
    dataset = opened.sample("dataset")
    views, uses = "datasets.view_dataset", "datasets.use_dataset"
    for person in (opened.member, opened.viewer, opened.manager):
        assert policy.allows(person.actor, views, dataset)
        assert policy.allows(person.actor, uses, dataset)
    for person in (opened.guest, opened.stranger):
        assert not policy.allows(person.actor, views, dataset)
        assert not policy.allows(person.actor, uses, dataset)
        assert policy.allows(person.actor, "datasets.read_dataset", dataset)


def test_a_training_elsewhere_cannot_take_it(cast: Cast, dataset: Dataset) -> None:
    own = Project.objects.get_visible(cast.stranger.actor, pk=_own_project(cast).pk)
    body = {"project_id": str(own.pk), "name": "Taken", "trainer": "ultralytics", "dataset_id": str(dataset.pk)}
    answer = cast.stranger.rest.post("/api/v1/training-jobs", body)
    assert answer.status_code == 400, answer.content
    assert "dataset_id" in str(answer.json())
    with pytest.raises(NotFound):
        services.snapshot_for_training(actor=cast.stranger.actor, dataset=dataset)


def _own_project(cast: Cast) -> Project:
    return ProjectFactory(organization_id=cast.stranger.organization_id)


# --- What is shown


DOORS = (
    "",
    "/images",
    "/images/{item}",
    "/images/{item}/content",
    "/images/{item}/thumbnail",
    "/statistics",
    "/download",
)


def doors(dataset: Dataset) -> Iterator[str]:
    item = dataset.items.get(path="images/train/train-0000.jpg")
    for door in DOORS:
        yield address(dataset, door.format(item=item.pk))


@pytest.mark.parametrize("person", ["member", "guest", "stranger", "platform"])
def test_everybody_reads_what_is_public_in_its_own_list(person: str, cast: Cast, dataset: Dataset) -> None:
    reader = cast.person(person)
    assert [row["id"] for row in reader.rest.get(ROOT).json()["results"]] == [str(dataset.pk)]
    for door in doors(dataset):
        assert reader.rest.get(door).status_code == 200, door
    assert "Everybody" in reader.portal.get("/datasets/public/").content.decode()


def test_a_foreign_list_and_the_searches_never_mix_it_in(cast: Cast, dataset: Dataset) -> None:
    assert cast.stranger.rest.get("/api/v1/datasets").json()["results"] == []
    assert cast.stranger.rest.get("/api/v1/datasets/duplicates").json()["results"] == []
    for page in ("/datasets/", "/datasets/?q=shapes", "/search/?q=shapes", "/"):
        assert dataset.name not in cast.stranger.portal.get(page).content.decode().replace("&#x27;", "'"), page


def test_the_answer_holds_what_is_named_and_nothing_more(cast: Cast, dataset: Dataset) -> None:
    found = cast.stranger.rest.get(address(dataset)).json()
    assert set(found) == {
        *("id", "publisher", "name", "description", "licence", "people", "consent", "task", "revision"),
        *("image_count", "labelled_count", "box_count", "file_count", "byte_count", "classes", "versions"),
    }
    assert (found["revision"], found["image_count"]) == (1, 5)
    assert [(row["name"], row["tags"]) for row in found["versions"]] == [("r1", ["v1"])]
    image = cast.stranger.rest.get(address(dataset, "/images")).json()["results"][0]
    assert set(image) == {
        *(
            "id",
            "path",
            "width",
            "height",
            "size",
            "sha256",
            "media_type",
            "split",
            "labelled",
            "class_ids",
            "box_count",
        )
    }


def test_what_was_not_made_public_is_as_if_it_were_not(cast: Cast, dataset: Dataset, hidden_item: Item) -> None:
    rest = cast.stranger.rest
    shown = rest.get(address(dataset, "/images")).json()["results"]
    assert len(shown) == 5
    assert hidden_item.pk not in [row["id"] for row in shown]
    unknown = rest.get(address(dataset, "/images?version=r99"))
    assert unknown.status_code == 400
    for name in ("r2", cast.canary):
        for door in ("/images", "/statistics", "/download"):
            answer = rest.get(address(dataset, f"{door}?version={name}"))
            assert (answer.status_code, answer.json()["errors"]) == (400, unknown.json()["errors"]), door
        asked = rest.post(address(dataset, "/download"), {"version": name})
        assert (asked.status_code, asked.json()["errors"]) == (400, unknown.json()["errors"])
    for door in ("", "/content", "/thumbnail"):
        assert rest.get(address(dataset, f"/images/{hidden_item.pk}{door}")).status_code == 404
    assert rest.get(address(dataset, f"/download?path={hidden_item.path}")).status_code == 404
    manifest = sent(rest.get(address(dataset, "/download?manifest"))).decode()
    assert "train-0000.jpg" in manifest
    assert cast.canary not in manifest


@pytest.mark.parametrize("query", ["uploader_id={user}", "tag={canary}", "since=2020-01-01", "defect=warned"])
def test_filters_that_tell_of_people_do_not_exist_for_readers(query: str, cast: Cast, dataset: Dataset) -> None:
    asked = query.format(user=cast.stranger.user.pk, canary="no-such-tag")
    found = cast.stranger.rest.get(address(dataset, f"/images?{asked}"))
    assert len(found.json()["results"]) == 5, "the filter was heard"
    page = cast.stranger.portal.get(f"/datasets/public/{dataset.pk}/?{asked.replace('uploader_id', 'uploader')}")
    assert page.content.decode().count("image-tile") == 5


def test_changes_of_the_newest_version_reach_readers_only_when_they_are_made_public(
    cast: Cast, dataset: Dataset, hidden_item: Item
) -> None:
    answer = cast.manager.rest.post(f"/api/v1/datasets/{dataset.pk}/release", {"name": dataset.name})
    assert answer.status_code == 200, answer.content
    assert answer.json()["public_revisions"] == [1, 2]
    assert cast.stranger.rest.get(address(dataset)).json()["revision"] == 2
    assert cast.stranger.rest.get(address(dataset, f"/images/{hidden_item.pk}")).status_code == 200
    assert cast.stranger.rest.get(address(dataset, f"/images/{hidden_item.pk}?version=r1")).status_code == 404


def test_what_is_published_while_somebody_reads_is_no_part_of_the_public_version(cast: Cast) -> None:
    dataset = laid_open(published(DatasetFactory(project=cast.sample("project")), shapes(train=2, val=1)))
    reader, worker = public.public_version(dataset), public.public_version(dataset)
    before = figures_of(worker)
    # Between what the request has read of the dataset and what it reads of its images.
    published(Dataset.objects.get(pk=dataset.pk), shapes(seed=1, train=4, val=2), mode="replace")
    held = set(Entry.objects.at(dataset.pk, 1).images().values_list("pk", flat=True))
    assert {entry.pk for entry in public.images_in(reader)} <= held
    assert figures_of(worker) == before


def test_nobody_without_a_sign_in_reads_anything(cast: Cast, dataset: Dataset) -> None:
    for door in [ROOT, *doors(dataset)]:
        assert cast.anonymous.rest.get(door).status_code == 401, door
    assert cast.anonymous.rest.get(address(dataset, "/download?link=%20")).status_code == 401


# --- Who is no reader


def test_who_belongs_nowhere_or_is_suspended_reads_nothing(cast: Cast, dataset: Dataset) -> None:
    doors_now = [ROOT, *doors(dataset)]
    member = MembershipFactory(organization_id=cast.stranger.organization_id)
    actor = Actor.of(member.user)
    assert policy.allows(actor, "datasets.read_dataset", dataset)
    member.change(state="suspended")
    assert not policy.allows(Actor.of(member.user), "datasets.read_dataset", dataset)
    member.delete()
    assert not policy.allows(Actor.of(member.user), "datasets.read_dataset", dataset)
    cast.stranger.rest.get(ROOT)
    Membership.objects.filter(user=cast.stranger.user).delete()
    for door in doors_now[1:]:
        assert cast.stranger.rest.get(door).status_code in {401, 403, 404}, door


def test_a_providers_word_reads_what_is_public_in_its_own_organization_alone(cast: Cast, dataset: Dataset) -> None:
    foreign = cast.stranger.organization_id
    assert foreign is not None
    outside = Actor.of(cast.stranger.user, vouched=Vouched(foreign, factor=True))
    assert not policy.allows(outside, "datasets.read_dataset", dataset)
    inside = Actor.of(cast.guest.user, vouched=Vouched(dataset.organization_id, factor=True))
    assert policy.allows(inside, "datasets.read_dataset", dataset)


def test_a_key_reads_by_its_own_permission_and_never_when_it_is_limited_to_projects(
    cast: Cast, dataset: Dataset
) -> None:
    looks = RestClient(key_of(cast.stranger, "datasets.view_dataset")[1])
    reads = RestClient(key_of(cast.stranger, "datasets.read_dataset")[1])
    project = _own_project(cast)
    limited = RestClient(key_of(cast.stranger, "datasets.read_dataset", projects=[project])[1])
    for door in doors(dataset):
        refused = looks.get(door)
        assert (refused.status_code, refused.json()["code"]) == (403, "outside_scope"), door
        assert reads.get(door).status_code == 200, door
        assert limited.get(door).status_code == 404, door
    assert looks.get(ROOT).status_code == 403
    assert len(reads.get(ROOT).json()["results"]) == 1
    assert limited.get(ROOT).json()["results"] == []
    # It reads there and does nothing: not even what lies beside it.
    assert reads.get("/api/v1/datasets").json()["results"] == []
    assert reads.get(f"/api/v1/datasets/{dataset.pk}").status_code == 404


# --- Shut at once


def _forbid(dataset: Dataset, cast: Cast) -> None:
    body = {"allows_public": False}
    assert cast.admin.rest.patch(f"/api/v1/organizations/{dataset.organization_id}", body).status_code == 200


def _closing(dataset: Dataset, cast: Cast) -> None:
    Organization.objects.filter(pk=dataset.organization_id).update(closure=Closure.CLOSING)


SHUTTING: dict[str, Callable[[Dataset, Cast], Any]] = {
    "withdrawn": lambda dataset, cast: cast.owner.rest.post(f"/api/v1/datasets/{dataset.pk}/withdraw"),
    "changed": lambda dataset, cast: cast.owner.rest.patch(
        f"/api/v1/datasets/{dataset.pk}", {"visibility": "organization"}
    ),
    "trashed": lambda dataset, cast: cast.owner.rest.delete(f"/api/v1/datasets/{dataset.pk}"),
    "project trashed": lambda dataset, cast: cast.owner.rest.delete(f"/api/v1/projects/{dataset.project_id}"),
    "project archived": lambda dataset, cast: Project.objects.filter(pk=dataset.project_id).update(
        archived_at=timezone.now()
    ),
    "forbidden": _forbid,
    "organization closing": _closing,
}


@pytest.mark.parametrize("how", SHUTTING)
def test_readers_see_nothing_from_that_moment_on(how: str, cast: Cast, dataset: Dataset) -> None:
    rest = cast.stranger.rest
    link = rest.post(address(dataset, "/download")).json()["url"]
    shown = list(doors(dataset))
    assert RestClient("").get(link).status_code == 200
    SHUTTING[how](dataset, cast)
    for door in shown:
        assert rest.get(door).status_code == 404, door
    assert rest.get(ROOT).json()["results"] == []
    assert RestClient("").get(link).status_code == 404
    for page in ("", "statistics/", "versions/"):
        assert cast.stranger.portal.get(f"/datasets/public/{dataset.pk}/{page}").status_code == 404


def test_what_is_being_sent_ends_when_it_is_withdrawn(
    cast: Cast, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_downloads, "ASKED_SECONDS", 0.0)
    chunks = public_downloads.while_public(cast.stranger.actor, dataset, [b"a", b"b", b"c"])
    assert next(chunks) == b"a"
    services.dataset_withdraw(actor=SYSTEM, dataset=dataset)
    with pytest.raises(NotFound):
        next(chunks)


def test_what_comes_back_from_the_trash_is_not_public(cast: Cast, dataset: Dataset) -> None:
    services.dataset_trash(actor=cast.owner.actor, dataset=dataset)
    back = services.dataset_restore(actor=cast.owner.actor, dataset=dataset)
    assert (back.visibility, back.public_revisions) == ("project", [])
    assert not policy.allows(cast.stranger.actor, "datasets.read_dataset", back)


def test_a_file_in_quarantine_is_not_given_out(cast: Cast, dataset: Dataset) -> None:
    item = cast.sample("public-image")
    shown = address(dataset, f"/images/{item.pk}")
    assert cast.stranger.rest.get(f"{shown}/thumbnail").status_code == 200
    Blob.objects.filter(entries__item=item).update(damage=Damage.CHANGED)
    for door in ("/content", "/thumbnail"):
        answer = cast.stranger.rest.get(shown + door)
        assert (answer.status_code, answer.json()["code"]) == (409, "file_damaged")
    assert cast.stranger.rest.get(address(dataset, "/download")).status_code == 409


# --- Links


def test_a_link_opens_the_one_dataset_and_no_door_of_its_people(cast: Cast, dataset: Dataset) -> None:
    other = laid_open(published(DatasetFactory(project=dataset.project, name="Other"), shapes(seed=5)))
    link = cast.stranger.rest.post(address(dataset, "/download")).json()["url"].partition("link=")[2]
    nobody = RestClient("")
    assert nobody.get(f"{address(dataset, '/download')}?link={link}").status_code == 200
    assert nobody.get(f"{address(other, '/download')}?link={link}").status_code == 401
    assert nobody.get(f"/api/v1/datasets/{dataset.pk}/download?link={link}").status_code == 401
    own = cast.owner.rest.post(f"/api/v1/datasets/{dataset.pk}/download").json()["url"].partition("link=")[2]
    assert nobody.get(f"{address(dataset, '/download')}?link={own}").status_code == 401


# --- The log


def test_a_download_is_an_event_of_the_owners_that_names_the_reader_by_number_and_organization(
    cast: Cast, dataset: Dataset
) -> None:
    sent(cast.stranger.rest.get(address(dataset, "/download")))
    sent(cast.stranger.rest.get(address(dataset, "/download?manifest")))
    sent(cast.stranger.rest.get(address(dataset, f"/images/{cast.sample('public-image').pk}/content")))
    actions = ["dataset.public_downloaded", "dataset.public_manifest_downloaded", "dataset.public_pictures_opened"]
    events = list(AuditEvent.objects.filter(action__in=actions).order_by("id"))
    assert [event.action for event in events] == actions
    elsewhere = Organization.objects.get(pk=cast.stranger.organization_id)
    for event, shown in zip(events, readable(events), strict=True):
        assert (event.organization_id, event.project_id) == (dataset.organization_id, None)
        assert event.actor_id == cast.stranger.user.pk
        assert (shown.actor_name, shown.actor_email, shown.ip, shown.client) == ("Somebody", "", "", "")
        assert shown.params["reader_organization"] == str(elsewhere)
        assert str(elsewhere) in shown.sentence
    listed = cast.admin.rest.get("/api/v1/audit-logs/organization?action=dataset.public_downloaded").json()
    assert str(cast.stranger.user.pk) in str(listed)
    assert cast.stranger.user.email not in str(listed)
    mine = cast.stranger.rest.get("/api/v1/audit-logs/me").json()["results"]
    assert set(actions) <= {row["action"] for row in mine}
    assert cast.canary not in str(mine)
    assert str(dataset.project_id) not in str(mine)
    theirs = cast.stranger.rest.get("/api/v1/audit-logs/organization").json()
    assert not set(actions) & {row["action"] for row in theirs["results"]}


def test_an_own_reader_is_named_in_the_log_as_ever(cast: Cast, dataset: Dataset) -> None:
    sent(cast.guest.rest.get(address(dataset, "/download")))
    event = AuditEvent.objects.get(action="dataset.public_downloaded")
    assert readable([event])[0].actor_name == cast.guest.user.name


# --- Making it public


@pytest.mark.parametrize(
    ("person", "status"),
    [("owner", 403), ("editor", 403), ("viewer", 403), ("member", 404), ("guest", 404), ("stranger", 404)]
    + [("manager", 200), ("admin", 200), ("platform", 200)],
)
def test_managers_alone_make_a_version_public(person: str, status: int, cast: Cast) -> None:
    dataset = cast.sample("dataset")
    Organization.objects.filter(pk=dataset.organization_id).update(allows_public=True)
    path, body = f"/api/v1/datasets/{dataset.pk}/release", {"name": dataset.name}
    assert cast.person(person).rest.post(path, body).status_code == status
    dataset.refresh_from_db()
    assert dataset.visibility == ("public" if status == 200 else "project")


def test_no_organization_allows_it_by_itself(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    assert not dataset.organization.allows_public
    refused = cast.admin.rest.post(f"/api/v1/datasets/{dataset.pk}/release", {"name": dataset.name})
    assert (refused.status_code, refused.json()["code"]) == (409, "public_forbidden")
    organization = f"/api/v1/organizations/{dataset.organization_id}"
    assert cast.manager.rest.patch(organization, {"allows_public": True}).status_code == 403
    assert cast.admin.rest.patch(organization, {"allows_public": True}).status_code == 200
    assert cast.manager.rest.post(f"/api/v1/datasets/{dataset.pk}/release", {"name": dataset.name}).status_code == 200


def test_no_other_way_makes_it_public(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    Organization.objects.filter(pk=dataset.organization_id).update(allows_public=True)
    path = f"/api/v1/datasets/{dataset.pk}"
    for body in ({"visibility": "public"}, {"visibility": "public", "public_revisions": [1]}):
        assert cast.admin.rest.patch(path, body).status_code == 400
    made = {"project_id": str(dataset.project_id), "name": "New", "visibility": "public"}
    assert cast.admin.rest.post("/api/v1/datasets", made).status_code == 400
    assert cast.admin.rest.patch(path, {"public_revisions": [1]}).json()["public_revisions"] == []
    fields = {"name": dataset.name, "visibility": "public", "description": ""}
    assert cast.admin.portal.post(f"/datasets/{dataset.pk}/edit/", fields).status_code == 422
    with pytest.raises(Invalid):
        services.dataset_change(actor=SYSTEM, dataset=dataset, visibility="public")
    for fields in ({"visibility": "public"}, {"public_revisions": [1]}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Dataset.objects.filter(pk=dataset.pk).update(**fields)


def _released(cast: Cast, dataset: Dataset, **given: Any) -> Dataset:
    return services.version_release(actor=cast.manager.actor, dataset=dataset, **{"name": dataset.name, **given})


@pytest.mark.parametrize(
    ("given", "error", "code"),
    [
        ({"name": "Another"}, Invalid, "name_not_repeated"),
        ({"version": "r9"}, Invalid, "version_unknown"),
        ({"version": "r1"}, Conflict, "public_already"),
    ],
)
def test_what_is_not_meant_is_not_made_public(
    given: dict[str, str], error: type[DomainError], code: str, cast: Cast, dataset: Dataset
) -> None:
    with pytest.raises(error) as raised:
        _released(cast, dataset, **given)
    assert raised.value.code == code


def test_a_private_dataset_is_opened_to_its_own_people_first(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    Organization.objects.filter(pk=dataset.organization_id).update(allows_public=True)
    Dataset.objects.filter(pk=dataset.pk).update(visibility="private")
    with pytest.raises(Conflict) as raised:
        _released(cast, dataset)
    assert raised.value.code == "public_private"
    shown = cast.manager.portal.get(f"/datasets/{dataset.pk}/public/release/").content.decode()
    assert "Open it to the project or the organization first." in shown
    assert 'name="name"' not in shown


def test_an_archived_project_makes_nothing_public(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    Organization.objects.filter(pk=dataset.organization_id).update(allows_public=True)
    Project.objects.filter(pk=dataset.project_id).update(archived_at=timezone.now())
    with pytest.raises(Forbidden):
        _released(cast, dataset)


def test_making_it_public_and_withdrawing_it_are_events_with_before_and_after(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    Organization.objects.filter(pk=dataset.organization_id).update(allows_public=True)
    _released(cast, dataset)
    services.dataset_withdraw(actor=cast.owner.actor, dataset=dataset)
    actions = ["dataset.released", "dataset.withdrawn"]
    released, withdrawn = readable(AuditEvent.objects.filter(action__in=actions).order_by("id"))
    assert released.event.actor_id == cast.manager.user.pk
    assert released.before == {"visibility": "project", "public_revisions": []}
    assert released.after == {"visibility": "public", "public_revisions": [1]}
    assert (released.params["revision"], released.params["images"]) == (1, 2)
    assert withdrawn.after == {"visibility": "project", "public_revisions": []}
    with pytest.raises(Conflict):
        services.dataset_withdraw(actor=cast.owner.actor, dataset=dataset)


def test_readers_never_touch_what_the_owners_may(cast: Cast, dataset: Dataset) -> None:
    for call in (services.dataset_withdraw, services.dataset_trash):
        with pytest.raises(NotFound):
            call(actor=cast.stranger.actor, dataset=dataset)
    with pytest.raises(NotFound):
        services.export_ask(actor=cast.stranger.actor, dataset=dataset, format="yolo")
    assert public.is_readable(cast.stranger.actor, dataset)
