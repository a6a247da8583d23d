"""Splits that are computed: with the classes spread evenly, and with groups kept together."""

import random
import time
from collections import Counter, defaultdict
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse

from apps.core.errors import Invalid
from apps.core.testing import Cast
from apps.datasets.models import Dataset, SplitGroup, SplitPlan, SplitRow
from apps.datasets.selectors import images_of
from apps.datasets.selectors.splits import split_by_rule
from apps.datasets.services import snapshot_for_training, split_set
from apps.datasets.splitting import BadPattern, check_pattern, divide_groups, stratify
from tests.datasets.factories.images import encoded
from tests.factories.datasets import SYSTEM, DatasetFactory, published

RATIOS = {"train": 0.7, "val": 0.2, "test": 0.1}


def drawn(count: int, classes: int, seed: int = 0) -> list[tuple[str, list[int]]]:
    """Images with up to four classes each, of which the last are rare."""
    randomness = random.Random(seed)
    weights = [1 / (number + 1) ** 1.5 for number in range(classes)]
    return [
        (f"images/{number}.jpg", randomness.choices(range(classes), weights, k=randomness.randrange(5)))
        for number in range(count)
    ]


def worst(images: list[tuple[str, list[int]]], split_of: dict[str, str]) -> float:
    """How far the share of a class in a split is from the ratio, at most, over classes of 30 images and more."""
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for path, found in images:
        for label in set(found):
            counts[label][split_of[path]] += 1
    return max(
        abs(count[split] / count.total() - ratio)
        for count in counts.values()
        if count.total() >= 30
        for split, ratio in RATIOS.items()
    )


def test_classes_are_spread_evenly_where_chance_spreads_them_badly() -> None:
    images = drawn(3000, 30)
    split_of = stratify(images, RATIOS, 1)
    assert worst(images, split_of) < 0.03
    assert worst(images, {path: split_by_rule(1, RATIOS, path) for path, _ in images}) > 0.08
    sizes = Counter(split_of.values())
    assert all(abs(sizes[split] / len(images) - ratio) < 0.01 for split, ratio in RATIOS.items())


def test_a_rare_class_reaches_every_split() -> None:
    images = [*drawn(500, 5), *((f"rare/{number}.jpg", [9]) for number in range(10))]
    split_of = stratify(images, RATIOS, 3)
    assert Counter(split_of[path] for path, found in images if 9 in found) == {"train": 7, "val": 2, "test": 1}


def test_stratifying_follows_from_the_seed_alone() -> None:
    images = drawn(400, 8)
    once = stratify(images, RATIOS, 5)
    shuffled = list(images)
    random.Random(1).shuffle(shuffled)
    assert stratify(shuffled, RATIOS, 5) == once
    assert stratify(images, RATIOS, 6) != once
    assert set(stratify(images, {"train": 0.5, "val": 0.5, "test": 0.0}, 5).values()) == {"train", "val"}


def test_stratifying_is_quick() -> None:
    images = drawn(50_000, 80)
    began = time.process_time()
    stratify(images, RATIOS, 0)
    assert time.process_time() - began < 5


def test_groups_are_kept_whole_near_the_ratios_and_by_the_seed() -> None:
    randomness = random.Random(2)
    sizes = {f"video{number}": randomness.randrange(1, 400) for number in range(40)}
    given = divide_groups(sizes, RATIOS, 1)
    shares = Counter[str]()
    for group, split in given.items():
        shares[split] += sizes[group]
    assert all(abs(shares[split] / shares.total() - ratio) < 0.03 for split, ratio in RATIOS.items())
    assert divide_groups(dict(reversed(sizes.items())), RATIOS, 1) == given
    assert divide_groups(sizes, RATIOS, 2) != given


@pytest.mark.parametrize("count", [3, 4, 7])
def test_few_groups_leave_no_split_empty(count: int) -> None:
    given = divide_groups({f"g{number}": 10 for number in range(count)}, {"train": 0.9, "val": 0.05, "test": 0.05}, 0)
    assert set(given.values()) == {"train", "val", "test"}


@pytest.mark.parametrize(
    "pattern", [r"video[0-9]+", r"(video[0-9]+)_frame", r"^[^/]+", r"(?:cam|video)-?[0-9]{1,4}", r"[](]x", r"a\(b"]
)
def test_usual_patterns_are_taken(pattern: str) -> None:
    check_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("", "characters"),
        ("a" * 201, "characters"),
        ("a\nb", "characters"),
        (r"(a)\1", "special"),
        (r"(?=a)b", "special"),
        (r"(?<!a)b", "special"),
        (r"(?i)video", "special"),
        ("***=a", "special"),
        ("(a)(b)", "groups"),
        ("((a)b)", "groups"),
        ("(a+)+$", "groups"),
        ("(a){2}", "groups"),
        ("(?:(a))*", "groups"),
        ("a{101}", "repeats"),
        ("(?:a{50}){3}", "repeats"),
        ("a{2,101}", "repeats"),
        ("a{x}", "repeats"),
        ("[[:alpha:](]{101}", "repeats"),
    ],
)
def test_costly_patterns_are_refused(pattern: str, code: str) -> None:
    with pytest.raises(BadPattern) as refused:
        check_pattern(pattern)
    assert refused.value.code == code


@pytest.mark.django_db
@pytest.mark.parametrize(
    "pattern",
    [
        r"(?:a+)+$",
        r"(?:a|a)*$",
        r"(?:a|aa)+$",
        r"(?:(?:a+)+)+b",
        r"(?:.*a){20}",
        r"(?:(?:a{1,10}){1,10})b",
        r"((?:a|b|ab)*)c",
        r"(?:x+x+)+(y)",
        r"((?:a?){50}a{2})",
    ],
)
def test_no_pattern_that_is_taken_is_slow(pattern: str) -> None:
    """Those that bring other machines to their knees, on the longest paths there are."""
    check_pattern(pattern)
    paths = ["a" * 1000, "ab" * 500, "a" * 999 + "!", "x" * 1000, "/".join(["aaaa"] * 200)]
    began = time.perf_counter()
    with connection.cursor() as cursor:
        for path in paths:
            cursor.execute("SELECT substring(%s FROM %s)", [path, pattern])
    assert time.perf_counter() - began < 1


def frames(videos: int = 6, each: int = 4) -> dict[str, bytes]:
    files: dict[str, bytes] = {"data.yaml": b"names: [cat, dog]\n"}
    for video in range(videos):
        for frame in range(each):
            name = f"video{video}_{frame}"
            files[f"images/{name}.jpg"] = encoded(width=16, height=16, seed=100 * video + frame)
            files[f"labels/{name}.txt"] = b"%d 0.5 0.5 0.5 0.5\n" % (video % 2)
    return files


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    return published(DatasetFactory(project=cast.sample("project"), name="Frames"), frames())


def splits_by_video(dataset: Dataset) -> dict[str, set[str]]:
    dataset = Dataset.objects.select_related("split_plan").get(pk=dataset.pk)
    found: dict[str, set[str]] = defaultdict(set)
    for entry in images_of(dataset):
        found[entry.item.path.partition("_")[0]].add(entry.in_split)  # type: ignore[attr-defined]
    return found


@pytest.mark.django_db
def test_the_frames_of_a_video_stay_together_also_those_that_come_later(dataset: Dataset) -> None:
    split_set(actor=SYSTEM, dataset=dataset, method="grouped", seed=3, ratios=RATIOS, pattern="video[0-9]+")
    before = splits_by_video(dataset)
    assert len(before) == 6 and all(len(splits) == 1 for splits in before.values())
    assert set.union(*before.values()) == {"train", "val", "test"}
    later = {path: body for path, body in frames(8, 6).items() if path != "data.yaml"}
    published(dataset, {**later, "data.yaml": b"names: [cat, dog]\n"})
    after = splits_by_video(dataset)
    assert {video: after[video] for video in before} == before
    assert len(after) == 8 and all(len(splits) == 1 and splits <= set(RATIOS) for splits in after.values())
    assert SplitRow.objects.count() == 0 and SplitGroup.objects.count() == 6
    snapshot = snapshot_for_training(actor=SYSTEM, dataset=Dataset.objects.get(pk=dataset.pk))
    assert (snapshot.split_plan.method, snapshot.split_plan.level) == ("grouped", "dataset")


@pytest.mark.django_db
def test_folders_are_groups_without_a_pattern(cast: Cast) -> None:
    files = {path.replace("_", "/"): body for path, body in frames().items()}
    dataset = published(DatasetFactory(project=cast.sample("project")), files)
    split_set(actor=SYSTEM, dataset=dataset, method="grouped", ratios=RATIOS)
    dataset.refresh_from_db()
    found: dict[str, set[str]] = defaultdict(set)
    for entry in images_of(dataset):
        found[entry.item.path.rpartition("/")[0]].add(entry.in_split)  # type: ignore[attr-defined]
    assert len(found) == 6 and all(len(splits) == 1 for splits in found.values())


@pytest.mark.django_db
def test_a_stratified_split_is_fixed_and_later_images_follow_the_rule(dataset: Dataset) -> None:
    halves = {"train": 0.5, "val": 0.5}
    split_set(actor=SYSTEM, dataset=dataset, method="stratified", seed=1, ratios=halves)
    dataset.refresh_from_db()
    before = {entry.item.path: (entry.in_split, entry.class_ids) for entry in images_of(dataset)}  # type: ignore[attr-defined]
    assert Counter((split, ids[0]) for split, ids in before.values()) == dict.fromkeys(
        [("train", 0), ("train", 1), ("val", 0), ("val", 1)], 6
    )
    published(dataset, frames(8, 4))
    after = {entry.item.path: entry.in_split for entry in images_of(dataset)}  # type: ignore[attr-defined]
    assert {path: after[path] for path in before} == {path: split for path, (split, _ids) in before.items()}
    ratios = {"train": 0.5, "val": 0.5, "test": 0.0}
    assert all(after[path] == split_by_rule(1, ratios, path) for path in after.keys() - before.keys())
    assert len(after) == len(before) + 8


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["stratified", "grouped"])
def test_the_same_wish_is_the_same_plan(dataset: Dataset, method: str) -> None:
    wanted: dict[str, Any] = {"method": method, "seed": 4, "ratios": RATIOS}
    split_set(actor=SYSTEM, dataset=dataset, **wanted)
    first = (
        snapshot_for_training(actor=SYSTEM, dataset=Dataset.objects.get(pk=dataset.pk))
        if method != "grouped"
        else None
    )
    rows = (SplitRow.objects.count(), SplitGroup.objects.count())
    split_set(actor=SYSTEM, dataset=dataset, **wanted)
    assert SplitPlan.objects.filter(dataset=dataset, method=method).count() == 1
    assert (SplitRow.objects.count(), SplitGroup.objects.count()) == rows
    if first is not None:
        assert snapshot_for_training(actor=SYSTEM, dataset=Dataset.objects.get(pk=dataset.pk)) == first
        other = snapshot_for_training(actor=SYSTEM, dataset=dataset, split_override={**wanted, "seed": 9})
        assert other.split_plan.level == "job" and other.split_digest != first.split_digest
        assert sum(other.counts[split] for split in RATIOS) == 24


@pytest.mark.django_db
def test_computed_splits_over_rest_and_on_the_page(dataset: Dataset, cast: Cast) -> None:
    address = f"/datasets/{dataset.pk}/split"
    made = cast.editor.rest.put(address, {"method": "grouped", "ratios": RATIOS, "pattern": "video[0-9]+"})
    assert (made.status_code, made.json()["plan"]["pattern"], made.json()["plan"]["level"]) == (
        200,
        "video[0-9]+",
        "dataset",
    )
    for pattern, part in (("(a+)+", "cut out"), ("[a", "does not understand"), ("a" * 201, "")):
        refused = cast.editor.rest.put(address, {"method": "grouped", "pattern": pattern})
        assert refused.status_code == 400 and part in refused.json()["errors"]["pattern"][0]
    assert cast.editor.rest.get(address).json()["plan"]["pattern"] == "video[0-9]+"
    page = reverse("datasets:classes", args=[dataset.pk])
    shown = cast.viewer.portal.get(page).content.decode()
    assert "Grouped" in shown and "<code>video[0-9]+</code>" in shown
    form = {"method": "stratified", "train": "0.5", "val": "0.5", "test": "0", "seed": "7", "pattern": ""}
    split = reverse("datasets:split", args=[dataset.pk])
    assert cast.editor.portal.post(split, form).status_code == 302
    assert "Stratified by class" in cast.viewer.portal.get(page).content.decode()
    wrong = cast.editor.portal.post(split, {**form, "method": "grouped", "pattern": "(?=x)"})
    assert wrong.status_code == 422 and "looking ahead" in wrong.content.decode()


@pytest.mark.django_db
def test_a_split_of_nothing_is_refused(cast: Cast) -> None:
    dataset = DatasetFactory(project=cast.sample("project"))
    for method, code in (("stratified", "split_items"), ("grouped", "split_groups")):
        with pytest.raises(Invalid) as refused:
            split_set(actor=SYSTEM, dataset=dataset, method=method)
        assert refused.value.code == code
