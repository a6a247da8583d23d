"""What the images of a dataset are narrowed to, over REST and on the page, and that it stays one page of SQL."""

import io
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from apps.core.testing import Cast, assert_constant_queries
from apps.datasets.models import Blob, Dataset, Entry, Revision
from apps.datasets.selectors import ImageFilter, filtering, images_of
from apps.datasets.services import ImageChoice, images_move, images_tag, split_set
from tests.factories.datasets import SYSTEM, DatasetFactory, published, shapes

pytestmark = pytest.mark.django_db


def picture(width: int, height: int) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (width, height), (width % 256, 90, 160)).save(target, "PNG")
    return target.getvalue()


@pytest.fixture
def sizes(cast: Cast) -> Dataset:
    """Three pictures by the owner (small, medium, large), then one by the editor, of which the report warned."""
    dataset = DatasetFactory(project=cast.sample("project"), created_by=cast.owner.user)
    published(
        dataset,
        {
            "images/train/small.png": picture(640, 20),
            "images/val/medium.png": picture(20, 641),
            "images/train/large.png": picture(1921, 20),
            "labels/train/small.txt": b"0 0.5 0.5 0.2 0.2\n",
            "labels/train/large.txt": b"",
            "labels/val/medium.txt": b"",
            "data.yaml": b"names: [circle, square]\n",
        },
        person=cast.owner.user,
    )
    later = picture(641, 30) + b"a trailer after the end"
    return published(dataset, {"images/val/later.png": later}, person=cast.editor.user)


def names(dataset: Dataset, **wanted: Any) -> list[str]:
    rows = images_of(dataset, ImageFilter(**wanted)).values_list("item__path", flat=True)
    return [path.rpartition("/")[2].removesuffix(".png") for path in rows]


def test_every_filter_finds_its_images_and_no_other(cast: Cast, sizes: Dataset) -> None:
    assert names(sizes) == ["large", "small", "medium", "later"]
    assert names(sizes, size="small") == ["small"]
    assert names(sizes, size="medium") == ["medium", "later"]
    assert names(sizes, size="large") == ["large"]
    assert names(sizes, min_side=641, max_side=641) == ["medium", "later"]
    assert names(sizes, class_id=0) == ["small"] and names(sizes, class_id=1) == []
    assert names(sizes, split="val") == ["medium", "later"]
    assert names(sizes, labelled=True) == ["large", "small", "medium"]
    assert names(sizes, labelled=False) == ["later"]
    assert names(sizes, defect="warned") == ["later"]
    assert names(sizes, uploader_id=cast.editor.user.pk) == ["later"]
    assert names(sizes, uploader_id=cast.viewer.user.pk) == []
    assert names(sizes, search="MEDIUM") == ["medium"]
    assert names(sizes, search="images/val/") == ["medium", "later"]
    assert names(sizes, search="edium") == names(sizes, search="val/medium") == names(sizes, search="m_d") == []
    assert names(sizes, size="medium", split="val", uploader_id=cast.owner.user.pk) == ["medium"]


def test_defects_of_the_file_are_found(sizes: Dataset) -> None:
    assert names(sizes, defect="unsound") == names(sizes, defect="quarantined") == []
    files = {entry.item.path: entry.blob_id for entry in Entry.objects.filter(dataset=sizes).select_related("item")}
    Blob.objects.filter(pk=files["images/train/small.png"]).update(is_sound=False)
    Blob.objects.filter(pk=files["images/val/medium.png"]).update(damage="missing")
    assert names(sizes, defect="unsound") == ["small"]
    assert names(sizes, defect="quarantined") == ["medium"]


def test_the_day_is_that_of_the_revision(sizes: Dataset) -> None:
    today = timezone.localdate()
    Revision.objects.filter(dataset=sizes, no=1).update(created_at=timezone.now() - timedelta(days=3))
    assert names(sizes, since=today) == ["later"]
    assert names(sizes, until=today - timedelta(days=3)) == ["large", "small", "medium"]
    assert names(sizes, since=today + timedelta(days=1)) == []


def test_tags_are_of_one_dataset(sizes: Dataset) -> None:
    other = published(DatasetFactory(project=sizes.project))
    mine = images_of(sizes).first()
    theirs = images_of(other).first()
    assert mine is not None and theirs is not None
    images_tag(actor=SYSTEM, dataset=sizes, choice=ImageChoice(items=[mine.item_id]), tags=["night"])
    images_tag(actor=SYSTEM, dataset=other, choice=ImageChoice(items=[theirs.item_id]), tags=["night"])
    assert names(sizes, tag="night") == ["large"]
    assert names(sizes, tag="day") == []


def test_an_empty_split_of_a_rule_is_empty_but_for_what_was_moved_there(sizes: Dataset) -> None:
    dataset = split_set(actor=SYSTEM, dataset=sizes, method="auto", ratios={"train": 1.0})
    assert names(dataset, split="test") == []
    moved = images_of(dataset).filter(item__path="images/val/medium.png").get()
    images_move(actor=SYSTEM, dataset=dataset, choice=ImageChoice(items=[moved.item_id]), split="test")
    dataset = Dataset.objects.get(pk=dataset.pk)
    assert names(dataset, split="test") == ["medium"]
    assert names(dataset, split="train") == ["large", "small", "later"]


def test_names_that_many_begin_with_are_found_as_those_of_few(sizes: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("MEDIUM", "images/val/", "images/", "L", "s", "edium", "", "images/val/later.png")
    few = {text: names(sizes, search=text) for text in asked}
    both = {text: names(sizes, search=text, size="medium") for text in asked}
    monkeypatch.setattr(filtering, "FEW", 0)
    assert {text: names(sizes, search=text) for text in asked} == few
    assert {text: names(sizes, search=text, size="medium") for text in asked} == both
    assert few["L"] == ["large", "later"] and few["images/"] == ["large", "small", "medium", "later"]


def test_rest_takes_the_same_filters_and_counts_them(cast: Cast, sizes: Dataset) -> None:
    client = cast.viewer.rest
    query = f"size=medium&split=val&uploader_id={cast.editor.user.pk}&defect=warned&min_side=600&search=later"
    found = client.get(f"/datasets/{sizes.pk}/images?{query}").json()["results"]
    assert [row["path"] for row in found] == ["images/val/later.png"]
    assert found[0]["has_warnings"] is True and found[0]["revision"] == 2
    counted = client.get(f"/datasets/{sizes.pk}/images/count?size=medium").json()
    assert counted == {"count": 2, "is_more": False}
    for wrong in ("size=huge", "defect=ugly", "uploader_id=me", "since=yesterday", "min_side=0"):
        assert client.get(f"/datasets/{sizes.pk}/images?{wrong}").status_code == 400, wrong


def test_the_page_shows_what_is_set_with_a_way_to_take_it_away(cast: Cast, sizes: Dataset) -> None:
    address = reverse("datasets:detail", args=[sizes.pk])
    answer = cast.viewer.portal.get(address, {"size": "medium", "split": "val", "q": "", "cursor": "0"})
    page = answer.content.decode()
    assert page.count('class="image-tile"') == 2
    assert [(chip["value"], chip["href"]) for chip in answer.context["chips"]] == [
        ("Validation", "?size=medium"),
        ("Medium: 641 to 1,920 px", "?split=val"),
    ]
    assert answer.context["count_address"].endswith("/images/count?split=val&size=medium")
    counted = cast.viewer.rest.get(answer.context["count_address"].removeprefix("/api/v1"))
    assert counted.json()["count"] == 2
    odd = cast.viewer.portal.get(address, {"size": "huge", "uploader": "me", "since": "x", "class": "999", "q": "\0"})
    assert odd.status_code == 200 and odd.context["chips"] == [] and len(odd.context["page"]) == 4


def test_a_page_of_many_costs_as_many_statements_as_one_of_few(cast: Cast, sizes: Dataset) -> None:
    seeds = iter(range(100, 200))

    def add_rows(count: int) -> None:
        published(sizes, shapes(train=count, val=1, seed=next(seeds)), person=cast.owner.user)
        found = [entry.item_id for entry in images_of(Dataset.objects.get(pk=sizes.pk))]
        images_tag(actor=SYSTEM, dataset=sizes, choice=ImageChoice(items=found), tags=["all"])

    address = reverse("datasets:detail", args=[sizes.pk])
    query = {"tag": "all", "since": "2020-01-01", "uploader": str(cast.owner.user.pk)}
    assert_constant_queries(lambda: cast.viewer.portal.get(address, query), add_rows=add_rows, at_most=32)
