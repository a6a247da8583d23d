"""Splits on three levels, and the snapshots that fix them."""

import json
import time
from collections import Counter
from typing import Any
from unittest import mock

import pytest
from django.db import connection
from django.db.models import ProtectedError

from apps.audit.models import AuditEvent
from apps.core.errors import Conflict, Invalid, NotFound
from apps.core.testing import Cast, captured_queries
from apps.datasets.models import BucketHash, Dataset, Revision, Snapshot
from apps.datasets.samples import sample_files
from apps.datasets.selectors import images_of, manifest_lines, splits_of
from apps.datasets.selectors.splits import split_by_rule
from apps.datasets.services import snapshot_create, snapshot_delete, snapshot_for_training, split_remove, split_set
from apps.datasets.services.splits import plan_of
from tests.factories.datasets import SYSTEM, DatasetFactory, published, shapes

pytestmark = pytest.mark.django_db
HALVES = {"train": 0.5, "val": 0.5}


@pytest.fixture
def dataset(db: None) -> Dataset:
    return published(DatasetFactory(), dict(sample_files(train=20, val=4, size=32)))


def lines_of(snapshot: Snapshot) -> list[dict[str, Any]]:
    return [json.loads(line) for line in manifest_lines(snapshot)]


def test_uploaded_splits_are_the_default(dataset: Dataset) -> None:
    snapshot = snapshot_for_training(actor=SYSTEM, dataset=dataset)
    assert (snapshot.split_plan.level, snapshot.split_plan.method) == ("default", "uploaded")
    assert (snapshot.counts["train"], snapshot.counts["val"]) == (20, 4)


def test_without_uploaded_splits_the_default_divides_by_rule() -> None:
    files = {path.replace("/train/", "/").replace("/val/", "/"): content for path, content in shapes(8, 8).items()}
    files["data.yaml"] = b"names: [circle, square, triangle]\n"
    dataset = published(DatasetFactory(), files)
    snapshot = snapshot_for_training(actor=SYSTEM, dataset=dataset)
    assert (snapshot.split_plan.level, snapshot.split_plan.method) == ("default", "auto")
    assert snapshot.counts["train"] + snapshot.counts["val"] == 16 and snapshot.counts["test"] == 0


def test_the_rule_is_the_same_in_the_database_and_in_python(dataset: Dataset) -> None:
    ratios = {"train": 0.4, "val": 0.3, "test": 0.3}
    split_set(actor=SYSTEM, dataset=dataset, method="auto", seed=7, ratios=ratios)
    dataset.refresh_from_db()
    found = {entry.item.path: entry.in_split for entry in images_of(dataset)}  # type: ignore[attr-defined]
    assert found == {path: split_by_rule(7, ratios, path) for path in found}
    assert set(Counter(found.values())) == {"train", "val", "test"}


def test_the_job_comes_before_the_dataset_and_the_dataset_before_the_default(dataset: Dataset) -> None:
    split_set(actor=SYSTEM, dataset=dataset, method="auto", seed=1, ratios=HALVES)
    of_dataset = snapshot_for_training(actor=SYSTEM, dataset=dataset)
    of_job = snapshot_for_training(
        actor=SYSTEM, dataset=dataset, split_override={"method": "auto", "seed": 2, "ratios": HALVES}
    )
    split_remove(actor=SYSTEM, dataset=dataset)
    of_default = snapshot_for_training(actor=SYSTEM, dataset=dataset)
    plans = [found.split_plan for found in (of_job, of_dataset, of_default)]
    assert [plan.level for plan in plans] == ["job", "dataset", "default"]
    assert len({plan.digest for plan in plans}) == 3
    override = plan_of(dataset, "job", method="auto", seed=2, ratios=HALVES)
    assert splits_of(of_default, override).labelled("train") == of_job.counts["train"]
    assert splits_of(of_default).labelled("train") == 20


def test_a_split_by_hand_is_rows(dataset: Dataset, cast: Cast) -> None:
    paths = [entry.item.path for entry in images_of(dataset)]
    items = {"train": paths[:3], "val": paths[3:5]}
    split_set(actor=SYSTEM, dataset=dataset, method="manual", items=items)
    snapshot = snapshot_for_training(actor=SYSTEM, dataset=dataset)
    assert [(line["path"], line["split"]) for line in lines_of(snapshot)[1:]] == [
        (path, split) for split, given in items.items() for path in given
    ]
    for wrong, code in (({"train": ["nowhere.jpg"]}, "split_items"), ({}, "split_items")):
        with pytest.raises(Invalid) as refused:
            split_set(actor=SYSTEM, dataset=dataset, method="manual", items=wrong)
        assert refused.value.code == code
    with pytest.raises(Invalid, match="two splits"):
        split_set(actor=SYSTEM, dataset=dataset, method="manual", items={"train": paths[:1], "val": paths[:1]})


@pytest.mark.parametrize(
    "ratios",
    [
        {"train": 0.5, "val": 0.4},
        {"train": 2, "val": -1},
        {"train": float("nan"), "val": 1},
        {"train": 1.0, "eval": 0.0},
    ],
)
def test_ratios_that_are_none_are_refused(dataset: Dataset, ratios: dict[str, float]) -> None:
    with pytest.raises(Invalid) as refused:
        split_set(actor=SYSTEM, dataset=dataset, method="auto", ratios=ratios)
    assert refused.value.code == "split_ratios"


@pytest.mark.parametrize(("files", "split"), [((0, 4), "train"), ((4, 0), "val")])
def test_a_training_needs_both_splits(files: tuple[int, int], split: str) -> None:
    dataset = published(DatasetFactory(), dict(sample_files(train=files[0], val=files[1], size=32)))
    with pytest.raises(Invalid) as refused:
        snapshot_for_training(actor=SYSTEM, dataset=dataset)
    assert (refused.value.code, refused.value.params["split"]) == ("split_empty", split)
    assert refused.value.hint


def test_an_empty_dataset_cannot_be_fixed() -> None:
    with pytest.raises(Conflict) as refused:
        snapshot_for_training(actor=SYSTEM, dataset=DatasetFactory())
    assert refused.value.code == "dataset_empty"


def test_whoever_sees_the_dataset_may_train_on_it_and_nobody_else(cast: Cast) -> None:
    dataset = cast.sample("dataset")
    assert snapshot_for_training(actor=cast.viewer.actor, dataset=dataset).created_by == cast.viewer.user
    with pytest.raises(NotFound):
        snapshot_for_training(actor=cast.stranger.actor, dataset=dataset)


def test_an_unchanged_dataset_gives_the_same_snapshot(dataset: Dataset) -> None:
    first = snapshot_for_training(actor=SYSTEM, dataset=dataset)
    events = AuditEvent.objects.count()
    again = snapshot_for_training(actor=SYSTEM, dataset=dataset)
    assert again == first and AuditEvent.objects.count() == events
    with pytest.raises(Conflict) as refused:
        snapshot_create(actor=SYSTEM, dataset=dataset, tag="mine")
    assert (refused.value.code, refused.value.params["tag"]) == ("snapshot_exists", "v1")


def test_a_change_gives_another_and_leaves_the_first_as_it_was(dataset: Dataset) -> None:
    first = snapshot_for_training(actor=SYSTEM, dataset=dataset)
    before = lines_of(first)
    published(dataset, {"images/train/one.jpg": shapes()["images/train/train-0000.jpg"], "labels/train/one.txt": b""})
    second = snapshot_for_training(actor=SYSTEM, dataset=dataset)
    assert second.root_hash != first.root_hash and (first.tag, second.tag) == ("v1", "v2")
    assert lines_of(second)[0]["counts"]["train"] == 21
    assert lines_of(first) == before


def test_the_root_hash_is_of_the_content_and_not_of_its_history(dataset: Dataset) -> None:
    first = snapshot_for_training(actor=SYSTEM, dataset=dataset)
    extra = {"images/train/one.jpg": shapes()["images/train/train-0000.jpg"], "labels/train/one.txt": b""}
    published(dataset, extra)
    snapshot_for_training(actor=SYSTEM, dataset=dataset)
    published(dataset, dict(sample_files(train=20, val=4, size=32)), mode="replace")
    assert dataset.revision_no == 3
    assert snapshot_for_training(actor=SYSTEM, dataset=dataset) == first
    other = published(DatasetFactory(), dict(sample_files(train=20, val=4, size=32)))
    assert snapshot_for_training(actor=SYSTEM, dataset=other).root_hash == first.root_hash


def test_only_buckets_that_changed_are_hashed_anew(dataset: Dataset) -> None:
    snapshot_for_training(actor=SYSTEM, dataset=dataset)
    assert set(BucketHash.objects.values_list("revision_no", flat=True)) == {1}
    published(dataset, {"images/train/one.jpg": shapes()["images/train/train-0000.jpg"], "labels/train/one.txt": b""})
    snapshot_for_training(actor=SYSTEM, dataset=dataset)
    counts = Counter(BucketHash.objects.values_list("revision_no", flat=True))
    assert 1 <= counts[2] <= 2 and counts[1] > 10


def test_a_snapshot_of_an_unchanged_set_of_100_000_files_takes_less_than_a_second(dataset: Dataset) -> None:
    enlarge(dataset, 100_000)
    first = snapshot_for_training(actor=SYSTEM, dataset=dataset)
    assert first.counts["images"] > 100_000
    with mock.patch("apps.datasets.services.snapshots.HASH_BUCKETS", "SELECT must_not_run()"):
        began = time.monotonic()
        assert snapshot_for_training(actor=SYSTEM, dataset=dataset) == first
        assert time.monotonic() - began < 1


def enlarge(dataset: Dataset, count: int) -> None:
    """Multiplies one entry of the dataset, as a publication of `count` files would have written it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH made AS (
                INSERT INTO datasets_item (dataset_id, path, bucket)
                SELECT %(dataset)s, 'images/train/more-' || n || '.jpg', n %% 256 FROM generate_series(1, %(count)s) n
                RETURNING id
            ), model AS (
                SELECT e.* FROM datasets_entry e WHERE e.dataset_id = %(dataset)s AND e.split = 'train' LIMIT 1
            )
            INSERT INTO datasets_entry (dataset_id, item_id, from_revision, blob_id, is_image, width, height,
                annotation_id, class_ids, box_count, split)
            SELECT m.dataset_id, made.id, 1, m.blob_id, true, m.width, m.height, m.annotation_id, m.class_ids,
                m.box_count, m.split
            FROM made, model m
            """,
            {"dataset": dataset.pk, "count": count},
        )
        cursor.execute("ANALYZE datasets_item, datasets_entry")


def test_a_manifest_says_how_the_images_were_divided(dataset: Dataset) -> None:
    split_set(actor=SYSTEM, dataset=dataset, method="auto", seed=7, ratios={"train": 0.5, "val": 0.5})
    snapshot = snapshot_for_training(actor=SYSTEM, dataset=dataset)

    manifest = lines_of(snapshot)[0]

    assert manifest["split"] == {
        "level": "dataset",
        "method": "auto",
        "seed": 7,
        "ratios": {"train": 0.5, "val": 0.5, "test": 0.0},
        "pattern": "",
        "moved_count": 0,
        "digest": snapshot.split_digest,
    }


def test_a_manifest_is_read_by_one_query(dataset: Dataset) -> None:
    snapshot = Snapshot.objects.select_related("dataset", "revision", "split_plan").get(
        pk=snapshot_for_training(actor=SYSTEM, dataset=dataset).pk
    )
    assert len(captured_queries(lambda: list(manifest_lines(snapshot)))) <= 1


def test_a_snapshot_in_use_stays(dataset: Dataset) -> None:
    snapshot = snapshot_for_training(actor=SYSTEM, dataset=dataset)
    used = mock.patch.object(Snapshot, "delete", side_effect=ProtectedError("used", set()))
    with used, pytest.raises(Conflict) as refused:
        snapshot_delete(actor=SYSTEM, snapshot=snapshot)
    assert refused.value.code == "snapshot_in_use" and refused.value.hint
    snapshot_delete(actor=SYSTEM, snapshot=snapshot)
    assert not Snapshot.objects.exists() and Revision.objects.exists()


def test_snapshots_over_rest(cast: Cast) -> None:
    base = f"/datasets/{cast.sample('dataset').pk}/snapshots"
    made = cast.editor.rest.post(base, {"tag": "first-cut", "note": "before the fair"})
    assert made.status_code == 201 and made.json()["tag"] == "first-cut"
    assert made.json()["counts"] | {"bytes": 0} == {
        "train": 1,
        "val": 1,
        "test": 0,
        "images": 2,
        "boxes": made.json()["counts"]["boxes"],
        "bytes": 0,
    }
    again = cast.editor.rest.post(base, {})
    assert (again.status_code, again.json()["code"]) == (409, "snapshot_exists")
    assert [found["id"] for found in cast.viewer.rest.get(base).json()["results"]] == [made.json()["id"]]
    assert cast.editor.rest.post(base, {"tag": "a b"}).status_code == 400
    assert cast.editor.rest.delete(f"{base}/{made.json()['id']}").status_code == 204
