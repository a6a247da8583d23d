"""Words by which datasets are found, and the lists that they narrow (D11)."""

import pytest
from django.urls import reverse
from django.utils.translation import override

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.testing import Cast
from apps.datasets.models import MOST_TAGS, Dataset
from apps.datasets.services import dataset_change, dataset_create
from tests.factories.datasets import DatasetFactory

pytestmark = pytest.mark.django_db


def names(answer: object) -> list[str]:
    return [row["name"] for row in answer.json()["results"]]  # type: ignore[attr-defined]


def test_words_are_kept_once_and_their_change_is_noted(cast: Cast) -> None:
    actor, project = cast.editor.actor, cast.sample("project")
    made = dataset_create(actor=actor, project=project, name="Bolts", tags=[" line 4 ", "night", "line 4", ""])
    assert made.tags == ["line 4", "night"]
    dataset_change(actor=actor, dataset=made, tags=["day"])
    made.refresh_from_db()
    assert made.tags == ["day"]
    event = AuditEvent.objects.filter(entity_id=str(made.pk), action="dataset.changed").latest("time")
    shown = readable([event])[0]
    assert (shown.before["tags"], shown.after["tags"]) == (["line 4", "night"], ["day"])


@pytest.mark.parametrize(
    "tags", [["x" * 41], ["<b>"], [f"tag {number}" for number in range(MOST_TAGS + 1)], ["two\nlines"]], ids=repr
)
def test_words_that_are_none_are_refused_at_every_door(cast: Cast, tags: list[str]) -> None:
    dataset = cast.sample("dataset")
    answer = cast.editor.rest.patch(f"/api/v1/datasets/{dataset.pk}", {"tags": tags}, format="json")
    assert answer.status_code == 400 and "tags" in str(answer.json()["errors"]), answer.json()
    fields = {"name": dataset.name, "visibility": "project", "tags": ",".join(tags)}
    page = cast.editor.portal.post(reverse("datasets:change", args=[dataset.pk]), fields)
    assert page.status_code == 422
    dataset.refresh_from_db()
    assert dataset.tags == []


def test_lists_are_narrowed_by_tag_task_and_visibility(cast: Cast) -> None:
    project = cast.sample("project")
    DatasetFactory(project=project, name="Night set", tags=["night", "line 4"])
    DatasetFactory(project=project, name="Masks", task="segment", visibility="organization", tags=["day"])
    rest = cast.editor.rest
    assert names(rest.get("/api/v1/datasets?tag=night")) == ["Night set"]
    assert names(rest.get("/api/v1/datasets?tag=nigh")) == []
    assert names(rest.get("/api/v1/datasets?task=segment")) == ["Masks"]
    assert names(rest.get("/api/v1/datasets?visibility=organization&tag=day")) == ["Masks"]
    assert rest.get("/api/v1/datasets?task=dance").status_code == 400
    portal, address = cast.editor.portal, reverse("datasets:list")
    with override("en"):
        page = portal.get(address, {"tag": "night", "task": "detect"}).content.decode()
        assert "Night set" in page and "Masks" not in page
        assert "No dataset like that" in portal.get(address, {"tag": "night", "task": "pose"}).content.decode()
        # A word that nothing has, and what is no filter, narrow nothing.
        assert "Masks" in portal.get(address, {"tag": "nowhere", "visibility": "all"}).content.decode()


def test_the_organizations_list_holds_that_organization_alone(cast: Cast) -> None:
    own = cast.sample("dataset")
    listed = names(cast.editor.rest.get("/api/v1/datasets/organization"))
    assert own.name in listed and own.name not in names(cast.stranger.rest.get("/api/v1/datasets/organization"))
    # One who belongs to both sees each by the token that is for it.
    shown = Dataset.objects.visible(cast.editor.actor).filter(organization=cast.editor.actor.organization_id)
    assert len(listed) == shown.count()


def test_words_stand_on_pages_and_lead_to_the_list(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    Dataset.objects.filter(pk=dataset.pk).update(tags=["line 4 & 5"])
    page = cast.viewer.portal.get(dataset.get_absolute_url()).content.decode()
    assert 'href="/datasets/?tag=line%204%20%26%205">line 4 &amp; 5</a>' in page
    assert "line 4 &amp; 5" in cast.viewer.portal.get(reverse("datasets:list")).content.decode()


def test_readers_elsewhere_are_not_shown_them(cast: Cast) -> None:
    dataset = cast.sample("public-dataset")
    Dataset.objects.filter(pk=dataset.pk).update(tags=["for us alone"])
    for address in (reverse("datasets:public-detail", args=[dataset.pk]), f"/api/v1/datasets/public/{dataset.pk}"):
        answer = cast.stranger.portal.get(address)
        assert answer.status_code == 200 and "for us alone" not in answer.content.decode()
