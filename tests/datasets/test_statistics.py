"""Figures over all images: right by hand count, counted once for a version and its split, and never while one waits."""

import json
from typing import Any

import pytest
from django.urls import reverse

from apps.core.testing import Cast, captured_queries
from apps.datasets.models import Dataset, VersionStatistics
from apps.datasets.selectors import ImageFilter
from apps.datasets.selectors.statistics import CELLS, OBJECTS, SIDES, figures_of
from apps.datasets.selectors.versions import version_named
from apps.datasets.services import ImageChoice, images_move, snapshot_create, split_set
from apps.datasets.services.statistics import statistics_count
from tests.datasets.factories.images import encoded
from tests.factories.datasets import SYSTEM, DatasetFactory, published, shapes

pytestmark = pytest.mark.django_db

#: Two boxes of class 0 and one of class 1 in the first picture, nothing to see in the second, no label for the third.
ROWS = b"0 0.5 0.5 1 1\n0 0.1 0.9 0.1 0.05\n1 0.99 0.01 0.02 0.02\n"


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    files = {
        "images/train/a.png": encoded("PNG", 128, 64, seed=1),
        "images/train/b.png": encoded("PNG", 64, 129, seed=2),
        "images/val/c.png": encoded("PNG", 128, 64, seed=3),
        "labels/train/a.txt": ROWS,
        "labels/train/b.txt": b"",
        "data.yaml": b"names: [circle, square]\ntrain: images/train\nval: images/val\n",
    }
    return published(DatasetFactory(project=cast.sample("project")), files, person=cast.owner.user)


def figures(dataset: Dataset, name: str = "head") -> dict[str, Any]:
    return figures_of(version_named(Dataset.objects.get(pk=dataset.pk), name))


def filled(grid: list[list[int]]) -> dict[tuple[int, int], int]:
    """(row, column) → count of the cells that have any."""
    return {(y, x): count for y, row in enumerate(grid) for x, count in enumerate(row) if count}


def test_the_figures_are_those_counted_by_hand(dataset: Dataset) -> None:
    found = figures(dataset)
    assert found["splits"]["train"] == {"images": 2, "labelled": 2, "boxes": 3}
    assert found["splits"]["val"] == {"images": 1, "labelled": 0, "boxes": 0}
    assert [(row["name"], row["images"]["train"], row["objects"]["train"]) for row in found["classes"]] == [
        ("circle", 1, 2),
        ("square", 1, 1),
    ]
    assert all(sum(row["objects"].values()) == row["objects"]["train"] for row in found["classes"])
    assert found["sides"] == [2, 1, *[0] * (len(SIDES) - 1)]
    assert found["sizes"] == [[128, 64, 2], [64, 129, 1]]
    assert found["objects"] == [1, 0, 0, 1, *[0] * (len(OBJECTS) - 3)]
    last = CELLS - 1
    assert filled(found["places"]) == {
        (CELLS // 2, CELLS // 2): 1,
        (int(0.9 * CELLS), int(0.1 * CELLS)): 1,
        (0, last): 1,
    }
    assert filled(found["extents"]) == {(last, last): 1, (1, 2): 1, (0, 0): 1}


def test_classes_of_whole_images_have_no_place(cast: Cast) -> None:
    files = {f"train/{name}/{number}.png": encoded("PNG", seed=number) for name in ("cat", "dog") for number in (1, 2)}
    made = DatasetFactory(project=cast.sample("project"), task="classify")
    found = figures(published(made, files, person=cast.owner.user))
    assert [row["objects"]["train"] for row in found["classes"]] == [2, 2]
    assert filled(found["places"]) == filled(found["extents"]) == {}


def test_each_version_and_each_split_has_its_own(dataset: Dataset) -> None:
    snapshot_create(actor=SYSTEM, dataset=dataset, tag="first")
    later = published(dataset, shapes(train=4, val=1))
    assert figures(later)["splits"]["train"]["images"] == 6
    assert figures(later, "r1") == figures(later, "first")
    assert figures(later, "r1")["splits"]["train"]["images"] == 2
    split_set(actor=SYSTEM, dataset=later, method="auto", ratios={"val": 1.0})
    assert figures(later)["splits"]["val"]["images"] == 8
    choice = ImageChoice(matching=ImageFilter(search="train-"))
    images_move(actor=SYSTEM, dataset=later, choice=choice, split="test")
    moved = figures(later)
    assert moved["splits"]["test"]["images"] == 4
    assert sum(row["objects"]["test"] for row in moved["classes"]) == moved["splits"]["test"]["boxes"] > 0


def test_counting_costs_as_many_statements_for_many_images(dataset: Dataset) -> None:
    few = len(captured_queries(lambda: figures(dataset)))
    published(dataset, shapes(train=20, val=5))
    assert len(captured_queries(lambda: figures(dataset))) == few


def test_a_version_is_counted_once_and_whoever_asks_first_sends_a_worker(
    cast: Cast, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr("apps.datasets.services.statistics.send_hint", lambda *args, **options: sent.append(args))
    address = f"/datasets/{dataset.pk}/statistics"
    for _time in range(2):
        answer = cast.viewer.rest.get(address)
        assert answer.status_code == 200 and answer.json()["is_ready"] is False
    assert sent == [("datasets.count", str(dataset.pk), "r1")]
    assert statistics_count(dataset.pk, "head") is True
    assert statistics_count(str(dataset.pk), "r1") is False, "the same revision under the same split"
    assert statistics_count(dataset.pk, "nothing") is False and VersionStatistics.objects.count() == 1
    answer = cast.viewer.rest.get(f"{address}?version=r1").json()
    assert answer["is_ready"] is True and answer["classes"][0]["objects"]["train"] == 2
    assert cast.viewer.rest.get(f"{address}?version=r9").status_code == 400
    assert len(sent) == 1


def test_the_page_waits_for_the_worker_and_then_says_all_in_words_too(cast: Cast, dataset: Dataset) -> None:
    address = reverse("datasets:statistics", args=[dataset.pk])
    waiting = cast.viewer.portal.get(address).content.decode()
    assert 'hx-trigger="every 2s"' in waiting and "data-figure" not in waiting
    statistics_count(dataset.pk, "head")
    part = cast.viewer.portal.htmx(address)
    page = part.content.decode()
    assert "<html" not in page and "hx-trigger" not in page
    assert page.count('role="img"') == 5 == page.count("<details")
    chart = json.loads(part.context["figures"]["class_chart"])
    assert chart == {
        "names": ["circle", "square"],
        "series": [{"name": "Training", "values": [2, 1]}, {"name": "Validation", "values": [0, 0]}],
    }
    shares = {label: found for label, found in part.context["figures"]["place_rows"]}
    assert shares["Top"] == [0, 0, pytest.approx(1 / 3)] and shares["Middle"] == [0, pytest.approx(1 / 3), 0]
    assert "<td>circle</td>" in page and "128 × 64: 2" in page
    empty = DatasetFactory(project=cast.sample("project"))
    assert (
        "The dataset is empty"
        in cast.viewer.portal.get(reverse("datasets:statistics", args=[empty.pk])).content.decode()
    )
