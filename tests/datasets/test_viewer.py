"""The page of one image: its neighbours among what the filters leave, and the layers that it is drawn in."""

import re
from typing import Any

import pytest
from django.urls import reverse
from django.utils.translation import override

from apps.core.testing import Cast, assert_constant_queries
from apps.datasets.models import Dataset, Entry, Item
from apps.datasets.views.viewer import viewer_context
from tests.factories.datasets import DatasetFactory, published, shapes

pytestmark = pytest.mark.django_db


def link(page: str, rel: str) -> str | None:
    found = re.search(rf'href="([^"]*)" rel="{rel}"', page)
    return found[1].replace("&amp;", "&") if found else None


def items_of(dataset: Dataset) -> dict[str, int]:
    return dict(Item.objects.filter(dataset=dataset, path__endswith=".jpg").order_by("pk").values_list("path", "pk"))


@pytest.fixture
def images(cast: Cast) -> tuple[Dataset, dict[str, int]]:
    dataset = published(DatasetFactory(project=cast.sample("project"), name="Neighbours"), shapes(train=3, val=2))
    return dataset, items_of(dataset)


def opened(cast: Cast, dataset: Dataset, item: int, query: str = "") -> str:
    answer = cast.editor.portal.get(reverse("datasets:image", args=[dataset.pk, item]) + query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_neighbours_lead_through_all_images_and_end_at_both_ends(
    cast: Cast, images: tuple[Dataset, dict[str, int]]
) -> None:
    dataset, items = images
    order = list(items.values())
    seen, page = [order[0]], opened(cast, dataset, order[0])
    assert link(page, "prev") is None
    while address := link(page, "next"):
        page = cast.editor.portal.get(address).content.decode()
        seen.append(int(address.rstrip("/").rpartition("/")[2]))
    assert seen == order
    assert str(link(page, "prev")).endswith(f"/{order[-2]}/")


def test_the_filters_of_the_list_go_along(cast: Cast, images: tuple[Dataset, dict[str, int]]) -> None:
    dataset, items = images
    of_val = [item for path, item in items.items() if "/val/" in path]
    listed = cast.editor.portal.get(reverse("datasets:detail", args=[dataset.pk]), {"split": "val", "cursor": "1"})
    first = reverse("datasets:image", args=[dataset.pk, of_val[0]])
    assert f'href="{first}?split=val"' in listed.content.decode()
    page = opened(cast, dataset, of_val[0], "?split=val")
    assert link(page, "prev") is None
    assert str(link(page, "next")).endswith(f"/{of_val[1]}/?split=val")
    # Back to the page of the list that begins with it.
    back = re.search(r'href="([^"]*cursor=[^"]*)"', page)
    assert back is not None
    again = cast.editor.portal.get(back[1].replace("&amp;", "&")).content.decode()
    assert "val-0000.jpg" in again and "train-0000.jpg" not in again
    # One that the filters leave out has neighbours among those that they leave.
    assert str(link(opened(cast, dataset, items["images/train/train-0000.jpg"], "?split=val"), "next")).endswith(
        f"/{of_val[0]}/?split=val"
    )


def test_a_filter_that_is_none_is_none(cast: Cast, images: tuple[Dataset, dict[str, int]]) -> None:
    dataset, items = images
    page = opened(cast, dataset, items["images/train/train-0000.jpg"], "?split=nowhere&since=never&cursor=zzz")
    assert f"/{items['images/train/train-0001.jpg']}/" in str(link(page, "next"))


def test_readers_of_a_public_version_have_neighbours_of_it_alone(cast: Cast) -> None:
    dataset = cast.sample("public-dataset")
    items = list(items_of(dataset).values())
    answer = cast.stranger.portal.get(reverse("datasets:public-image", args=[dataset.pk, items[0]]))
    page = answer.content.decode()
    following = str(link(page, "next"))
    assert (
        following.startswith(reverse("datasets:public-image", args=[dataset.pk, items[1]])) and "version=" in following
    )
    assert "/api/v1/datasets/public/" in page and reverse("datasets:usage", args=[dataset.pk]) not in page


def test_opening_an_image_asks_as_often_in_a_large_set(cast: Cast, images: tuple[Dataset, dict[str, int]]) -> None:
    dataset, items = images
    numbers = iter(range(1000))

    def add(count: int) -> None:
        picture = shapes()["images/train/train-0000.jpg"]
        more = {f"images/train/more-{next(numbers)}.jpg": picture for _ in range(count)}
        published(dataset, more, person=cast.owner.user)

    middle = items["images/train/train-0001.jpg"]
    assert_constant_queries(lambda: opened(cast, dataset, middle, "?split=train"), add_rows=add)


@override("en")
def test_layers_count_what_is_drawn(cast: Cast) -> None:
    rows = Entry.objects.filter(dataset=cast.sample("dataset"))
    entry: Any = rows.select_related("annotation", "blob").exclude(annotation=None).first()
    square = [0.0, 0.0, 4.0, 4.0]
    entry.annotation.document = {
        "objects": [
            {"class": 0, "bbox": square},
            {"class": 1, "bbox": square, "polygon": [[0.0, 0.0, 4.0, 0.0, 4.0, 4.0]]},
            {"class": 1, "bbox": square, "keypoints": [1.0, 1.0, 2]},
            {"class": 7},
        ]
    }
    names = [{"id": 0, "name": "circle"}, {"id": 1, "name": "square"}]
    shown = viewer_context(entry, rows.none(), names, content="/content", page=str, back="/")
    assert {kind["name"]: kind["count"] for kind in shown["kinds"]} == {
        "polygon": 1,
        "keypoints": 1,
        "bbox": 2,
        "picture": 1,
    }
    assert [(row["name"], row["count"]) for row in shown["drawn_classes"]] == [("circle", 1), ("square", 2), ("#7", 1)]
    assert [row["kind"] for row in shown["objects"]] == ["Box", "Outline", "Keypoints", "Whole image"]
    assert (shown["previous"], shown["next"]) == (None, None)
    # Browsers draw no TIFF: the small copy stays.
    assert shown["original"] == "/content"
    entry.blob.media_type = "image/tiff"
    assert viewer_context(entry, rows.none(), names, content="/content", page=str, back="/")["original"] == ""
