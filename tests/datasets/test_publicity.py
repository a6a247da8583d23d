"""Making versions public and taking them back, on pages and in the admin; who gets what is in
tests/security/test_public_sets.py."""

import pytest

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.testing import Cast, assert_constant_queries
from apps.datasets.models import Dataset, Revision
from apps.organizations.models import Organization
from tests.factories.datasets import DatasetFactory, laid_open

pytestmark = pytest.mark.django_db
PUBLIC = "/api/v1/datasets/public"


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    found = cast.sample("dataset")
    Organization.objects.filter(pk=found.organization_id).update(allows_public=True)
    Dataset.objects.filter(pk=found.pk).update(consent="Asked in 2026", licence="CC-BY-4.0")
    found.refresh_from_db()
    return found


def page(cast: Cast, path: str, person: str = "manager") -> str:
    answer = cast.person(person).portal.get(path)
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def test_the_question_names_what_becomes_public(cast: Cast, dataset: Dataset) -> None:
    shown = page(cast, f"/datasets/{dataset.pk}/public/release/")
    for word in (str(dataset.organization), dataset.name, "r1", "circle", "2 images", "Asked in 2026", "CC-BY-4.0"):
        assert word in shown, word
    # Nobody has said whether there are people in the pictures.
    assert "What was fetched cannot be taken back" in shown


def test_a_manager_makes_a_version_public_and_takes_it_back(cast: Cast, dataset: Dataset) -> None:
    portal, path = cast.manager.portal, f"/datasets/{dataset.pk}/public"
    wrong = portal.post(f"{path}/release/", {"version": "r1", "name": "Another"})
    assert wrong.status_code == 422
    assert "Enter the name of the dataset." in wrong.content.decode()
    assert portal.post(f"{path}/release/", {"version": "r1", "name": dataset.name}).status_code == 302
    sharing = page(cast, f"/datasets/{dataset.pk}/sharing/")
    assert "Withdraw all" in sharing
    assert f"/datasets/public/{dataset.pk}/?version=r1" in sharing
    assert portal.post(f"{path}/withdraw/").status_code == 302
    dataset.refresh_from_db()
    assert (dataset.visibility, dataset.public_revisions) == ("project", [])


@pytest.mark.parametrize(("person", "status"), [("owner", 403), ("viewer", 403), ("member", 404), ("admin", 200)])
def test_the_question_is_for_managers(person: str, status: int, cast: Cast, dataset: Dataset) -> None:
    assert cast.person(person).portal.get(f"/datasets/{dataset.pk}/public/release/").status_code == status


def test_who_may_not_is_told_whom_to_ask(cast: Cast, dataset: Dataset) -> None:
    shown = page(cast, f"/datasets/{dataset.pk}/sharing/", "owner")
    assert "Needed: manager" in shown
    Organization.objects.filter(pk=dataset.organization_id).update(allows_public=False)
    assert "The organization does not allow public datasets." in page(cast, f"/datasets/{dataset.pk}/sharing/")
    assert "public/release" not in page(cast, f"/datasets/{dataset.pk}/sharing/")


def test_what_is_shut_says_so_to_its_own_people(cast: Cast, dataset: Dataset) -> None:
    laid_open(dataset)
    Organization.objects.filter(pk=dataset.organization_id).update(allows_public=False)
    assert "Readers see nothing of it at the moment" in page(cast, f"/datasets/{dataset.pk}/sharing/")


def test_readers_are_told_why_they_cannot_train_or_export(cast: Cast, dataset: Dataset) -> None:
    laid_open(dataset)
    shown = page(cast, f"/datasets/public/{dataset.pk}/versions/", "stranger")
    assert shown.count('aria-disabled="true"') == 2
    assert "Trainings take datasets of their own organization" in shown
    assert "Exports are written and kept by the dataset" in shown
    assert "Open in your organization" not in shown
    assert "Open in your organization" in page(cast, f"/datasets/public/{dataset.pk}/", "member")
    assert "Open in your organization" not in page(cast, f"/datasets/public/{dataset.pk}/", "guest")


def test_a_reader_fetches_it_from_the_page(cast: Cast, dataset: Dataset) -> None:
    laid_open(dataset)
    portal = cast.stranger.portal
    asked = portal.post(f"/datasets/public/{dataset.pk}/download/", {"version": "r1"})
    assert asked.status_code == 302
    archive = b"".join(portal.get(asked["Location"]).streaming_content)
    assert archive.startswith(b"PK")
    assert readable(AuditEvent.objects.filter(action="dataset.public_downloaded"))[0].params["version"] == "r1"
    unknown = portal.post(f"/datasets/public/{dataset.pk}/download/", {"version": "r7"})
    assert unknown["Location"] == f"/datasets/public/{dataset.pk}/versions/"


def test_filters_narrow_the_images(cast: Cast, dataset: Dataset) -> None:
    laid_open(dataset)
    path = f"/datasets/public/{dataset.pk}/"
    assert page(cast, f"{path}?split=val", "stranger").count("image-tile") == 1
    assert page(cast, f"{path}?q=train-0000", "stranger").count("image-tile") == 1
    assert page(cast, f"{path}?class=no-number", "stranger").count("image-tile") == 2
    assert "No image like that" in page(cast, f"{path}?labelled=no", "stranger")


def test_a_list_of_more_costs_no_more(cast: Cast) -> None:
    counts = dict.fromkeys(("images", "labelled", "boxes", "files", "bytes"), 1)
    project = cast.sample("project")
    Organization.objects.filter(pk=project.organization_id).update(allows_public=True)

    def more(count: int) -> None:
        for _number in range(count):
            made = DatasetFactory(project=project, visibility="public", public_revisions=[1], revision_no=1)
            Revision.objects.create(dataset=made, no=1, counts=counts)

    for read in (lambda: page(cast, "/datasets/public/", "stranger"), lambda: cast.stranger.rest.get(PUBLIC).json()):
        assert_constant_queries(read, add_rows=more)
    assert len(cast.stranger.rest.get(PUBLIC).json()["results"]) == 40


class TestAdmin:
    def test_it_is_seen_and_withdrawn_there_and_never_just_chosen(self, cast: Cast, dataset: Dataset) -> None:
        cast.admin.user.is_staff = True
        cast.admin.user.save(update_fields=["is_staff"])
        portal, base = cast.admin.portal, "/admin/datasets/dataset/"
        shown = portal.get(f"{base}{dataset.pk}/change/").content.decode()
        assert '<option value="public"' not in shown
        assert f"/datasets/{dataset.pk}/public/release/" in shown
        laid_open(dataset)
        shown = portal.get(f"{base}{dataset.pk}/change/").content.decode()
        assert '<option value="public" selected' in shown
        assert dataset.name in portal.get(f"{base}?visibility__exact=public").content.decode()
        chosen = {"action": "withdraw_datasets", "_selected_action": [str(dataset.pk)]}
        assert "reason" in portal.post(base, chosen).content.decode()
        portal.post(base, {**chosen, "reason": "Asked for by a person in a picture"})
        dataset.refresh_from_db()
        assert (dataset.visibility, dataset.public_revisions) == ("project", [])
        event = readable(AuditEvent.objects.filter(action="dataset.withdrawn"))[0]
        assert event.params["because"] == "Asked for by a person in a picture"

    def test_an_administrator_allows_it_there(self, cast: Cast) -> None:
        cast.admin.user.is_staff = True
        cast.admin.user.save(update_fields=["is_staff"])
        organization = cast.sample("organization")
        path = f"/admin/organizations/organization/{organization.pk}/change/"
        assert 'name="allows_public"' in cast.admin.portal.get(path).content.decode()
