"""Acts on many images at once: whole or nothing, one event that names each of them, and a way back."""

from typing import Any

import pytest
from django.urls import reverse

from apps.core.errors import Conflict, Invalid
from apps.core.testing import Cast, captured_queries
from apps.datasets.models import Dataset, Entry, ImageTag, SplitPlan
from apps.datasets.selectors import ImageFilter, choosing, images_of, split_in_force, tags_on
from apps.datasets.selectors.splits import split_view
from apps.datasets.services import (
    ImageChoice,
    images_delete,
    images_move,
    images_tag,
    images_untag,
    snapshot_create,
    split_set,
    version_restore,
)
from apps.datasets.services.statements import totals
from tests.factories.datasets import SYSTEM, DatasetFactory, published, shapes

pytestmark = pytest.mark.django_db


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    return published(DatasetFactory(project=cast.sample("project")), shapes(train=4, val=2), person=cast.owner.user)


def fresh(dataset: Dataset) -> Dataset:
    return Dataset.objects.get(pk=dataset.pk)


def splits(dataset: Dataset) -> dict[str, str]:
    return {entry.item.path.rpartition("/")[2]: entry.in_split for entry in images_of(fresh(dataset))}


def items(dataset: Dataset, *names: str) -> ImageChoice:
    rows = [entry for entry in images_of(fresh(dataset)) if entry.item.path.rpartition("/")[2] in names]
    assert len(rows) == len(names)
    return ImageChoice(items=[entry.item_id for entry in rows])


METHODS: dict[str, dict[str, Any]] = {
    "uploaded": {},
    "auto": {"seed": 3, "ratios": {"train": 0.5, "val": 0.5}},
    "stratified": {"seed": 3, "ratios": {"train": 0.5, "val": 0.5}},
    "grouped": {"pattern": "train|val", "ratios": {"train": 0.5, "val": 0.5}},
}


@pytest.mark.parametrize("method", METHODS)
def test_moved_images_are_in_their_split_and_the_others_where_they_were(dataset: Dataset, method: str) -> None:
    split_set(actor=SYSTEM, dataset=dataset, method=method, **METHODS[method])
    before = splits(dataset)
    moved = ("train-0001.jpg", "val-0001.jpg")
    assert images_move(actor=SYSTEM, dataset=dataset, choice=items(dataset, *moved), split="test") == 2
    assert splits(dataset) == {**before, **dict.fromkeys(moved, "test")}
    plan = split_in_force(fresh(dataset))
    assert (plan.method, plan.level, plan.moved_count) == (method, "dataset", 2)
    images_move(actor=SYSTEM, dataset=dataset, choice=items(dataset, "val-0001.jpg"), split="train")
    assert splits(dataset) == {**before, "train-0001.jpg": "test", "val-0001.jpg": "train"}
    assert fresh(dataset).revision_no == 1, "a split is a plan, no new content"


def test_the_same_moves_in_another_order_are_the_same_plan_and_snapshot(dataset: Dataset) -> None:
    first, second = items(dataset, "train-0001.jpg"), items(dataset, "train-0002.jpg")
    digests = []
    for order in ((first, second), (second, first)):
        split_set(actor=SYSTEM, dataset=dataset, method="uploaded")
        for choice in order:
            images_move(actor=SYSTEM, dataset=dataset, choice=choice, split="val")
        digests.append(split_in_force(fresh(dataset)).digest)
    assert digests[0] == digests[1]
    assert SplitPlan.objects.filter(dataset=dataset, moved_count=2).count() == 1
    snapshot = snapshot_create(actor=SYSTEM, dataset=fresh(dataset))
    assert (snapshot.counts["train"], snapshot.counts["val"]) == (2, 4)
    images_move(actor=SYSTEM, dataset=dataset, choice=first, split="train")
    view = split_view(snapshot.dataset, snapshot.revision.no, snapshot.split_plan)
    assert view.labelled("val") == 4, "a snapshot keeps the moves of its time"


def test_a_deletion_is_a_revision_without_images_and_labels_that_can_be_undone(dataset: Dataset) -> None:
    before = set(Entry.objects.head(dataset.pk).values_list("item__path", flat=True))
    choice = items(dataset, "train-0001.jpg", "val-0000.jpg")
    images_tag(actor=SYSTEM, dataset=dataset, choice=choice, tags=["dark"])
    revision = images_delete(actor=SYSTEM, dataset=dataset, choice=choice, note="blurred")
    gone = before - set(Entry.objects.head(dataset.pk).values_list("item__path", flat=True))
    assert gone == {
        "images/train/train-0001.jpg",
        "images/val/val-0000.jpg",
        "labels/train/train-0001.txt",
        "labels/val/val-0000.txt",
    }
    now = fresh(dataset)
    assert (revision.no, now.revision_no, now.image_count, revision.note) == (2, 2, 4, "blurred")
    assert revision.counts == {**totals(dataset.pk), "added": 0, "changed": 0, "removed": 4}
    assert Entry.objects.at(dataset.pk, 1).images().count() == 6, "the version before has them"
    version_restore(actor=SYSTEM, dataset=now, version="r1")
    assert set(Entry.objects.head(dataset.pk).values_list("item__path", flat=True)) == before
    assert set(tags_on(choice.items)) == set(choice.items), "tags come back with their images"


def test_a_label_that_another_image_needs_stays(cast: Cast) -> None:
    files = shapes(train=1, val=1)
    twin = {"images/train/train-0000.png": files["images/val/val-0000.jpg"]}
    made = published(DatasetFactory(project=cast.sample("project")), {**files, **twin}, person=cast.owner.user)
    images_delete(actor=SYSTEM, dataset=made, choice=items(made, "train-0000.png"))
    assert Entry.objects.head(made.pk).filter(item__path="labels/train/train-0000.txt").exists()


def test_tags_are_added_and_taken_away(dataset: Dataset) -> None:
    both, one = items(dataset, "train-0001.jpg", "train-0002.jpg"), items(dataset, "train-0002.jpg")
    assert images_tag(actor=SYSTEM, dataset=dataset, choice=both, tags=[" night ", "rain", "night"]) == 2
    images_tag(actor=SYSTEM, dataset=dataset, choice=both, tags=["rain"])
    assert set(map(tuple, tags_on(both.items).values())) == {("night", "rain")}
    images_untag(actor=SYSTEM, dataset=dataset, choice=one, tags=["rain"])
    assert tags_on(one.items) == {one.items[0]: ["night"]}
    images_untag(actor=SYSTEM, dataset=dataset, choice=both, tags=["rain"])
    assert list(ImageTag.objects.values_list("name", flat=True)) == ["night"], "a tag goes with its last image"
    assert fresh(dataset).revision_no == 1
    for wrong in ([], ["", " "], ["<b>"], ["x" * 41], [str(number) for number in range(21)]):
        with pytest.raises(Invalid):
            images_tag(actor=SYSTEM, dataset=dataset, choice=both, tags=wrong)


def test_what_cannot_be_done_to_all_is_done_to_none(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    known = items(dataset, "train-0001.jpg")
    other = images_of(published(DatasetFactory(project=dataset.project), shapes(seed=5))).first()
    assert other is not None
    with pytest.raises(Conflict, match="1 of the images is not"):
        images_delete(actor=SYSTEM, dataset=dataset, choice=ImageChoice(items=[*known.items, other.item_id]))
    label = Entry.objects.head(dataset.pk).filter(is_image=False).first()
    assert label is not None
    with pytest.raises(Conflict):
        images_tag(actor=SYSTEM, dataset=dataset, choice=ImageChoice(items=[label.item_id]), tags=["x"])
    with pytest.raises(Invalid, match="No image is chosen"):
        images_delete(actor=SYSTEM, dataset=dataset, choice=ImageChoice())
    with pytest.raises(Invalid, match="No image is chosen"):
        images_delete(actor=SYSTEM, dataset=dataset, choice=ImageChoice(matching=ImageFilter(search="nowhere")))
    with pytest.raises(Invalid, match="no such split"):
        images_move(actor=SYSTEM, dataset=dataset, choice=known, split="spare")
    monkeypatch.setattr(choosing, "MOST_IMAGES", 5)
    with pytest.raises(Invalid, match="At most 5"):
        images_delete(actor=SYSTEM, dataset=dataset, choice=ImageChoice(matching=ImageFilter()))
    assert fresh(dataset).image_count == 6 and fresh(dataset).revision_no == 1 and not ImageTag.objects.exists()


def test_one_event_names_the_dataset_and_every_image(cast: Cast, dataset: Dataset) -> None:
    base = f"/datasets/{dataset.pk}/images"
    wanted = items(dataset, "train-0001.jpg", "train-0002.jpg")
    for act, body in (("tag", {"tags": ["night"]}), ("move", {"split": "val"}), ("delete", {"note": ""})):
        answer = cast.editor.rest.post(f"{base}/{act}", {"images": list(wanted.items), **body})
        assert answer.status_code == 200, answer.content
    done = ["dataset.images_deleted", "dataset.images_moved", "dataset.images_tagged"]
    for kind, key in (("datasets.dataset", dataset.pk), ("datasets.item", wanted.items[1])):
        history = cast.editor.rest.get(f"/audit-logs/entity/{kind}/{key}").json()["results"]
        assert [row["action"] for row in history][:3] == done, kind
        for row in history[:3]:
            assert {found["id"] for found in row["about"]} == set(map(str, wanted.items))
            assert (row["entity_id"], row["facts"]["count"]) == (str(dataset.pk), 2)


def test_acts_on_many_cost_as_many_statements_as_on_one(dataset: Dataset) -> None:
    def act(choice: ImageChoice, name: str) -> int:
        def run() -> None:
            images_tag(actor=SYSTEM, dataset=fresh(dataset), choice=choice, tags=[name])
            images_move(actor=SYSTEM, dataset=fresh(dataset), choice=choice, split="test")
            images_untag(actor=SYSTEM, dataset=fresh(dataset), choice=choice, tags=[name])
            images_delete(actor=SYSTEM, dataset=fresh(dataset), choice=choice)

        return len(captured_queries(run))

    act(items(dataset, "train-0003.jpg"), "warm")
    one = act(items(dataset, "train-0000.jpg"), "one")
    assert act(items(dataset, "train-0001.jpg", "train-0002.jpg", "val-0000.jpg"), "many") == one


def test_rest_wants_images_or_a_filter(cast: Cast, dataset: Dataset) -> None:
    base = f"/datasets/{dataset.pk}/images"
    some = list(items(dataset, "train-0001.jpg").items)
    for body in ({}, {"images": []}, {"images": some, "matching": {}}, {"matching": {"size": "huge"}}):
        assert cast.editor.rest.post(f"{base}/delete", body).status_code == 400, body
    answer = cast.editor.rest.post(f"{base}/move", {"matching": {"split": "val"}, "split": "train"})
    assert answer.json() == {"images": 2}
    answer = cast.editor.rest.post(f"{base}/delete", {"matching": {"search": "val-", "labelled": True}})
    assert answer.json() == {"revision": 2} and fresh(dataset).image_count == 4


def test_the_page_does_the_same_and_offers_to_undo_it(cast: Cast, dataset: Dataset) -> None:
    page, act = (reverse(f"datasets:{name}", args=[dataset.pk]) for name in ("detail", "images-act"))
    chosen = [str(item) for item in items(dataset, "train-0001.jpg", "train-0002.jpg").items]
    answer = cast.editor.portal.post(f"{act}?split=train&cursor=0", {"act": "move:val", "item": chosen})
    assert answer.status_code == 302 and answer["Location"] == f"{page}?split=train&cursor=0"
    assert splits(dataset)["train-0001.jpg"] == "val"
    cast.editor.portal.post(f"{act}?q=train-", {"act": "tag", "all": "1", "tags": "rain, night"})
    tagged = cast.editor.portal.get(page, {"tag": "rain"})
    assert len(tagged.context["page"]) == 4 and tagged.content.decode().count("<span>night</span>") == 4
    cast.editor.portal.post(f"{act}?cursor=0", {"act": "delete", "item": chosen})
    assert fresh(dataset).image_count == 4
    assert 'value="r1"' in cast.editor.portal.get(page).content.decode()
    assert 'value="r1"' not in cast.owner.portal.get(page).content.decode(), "who did it undoes it"
    cast.editor.portal.post(reverse("datasets:version-restore", args=[dataset.pk]), {"version": "r1"})
    assert fresh(dataset).image_count == 6
    assert 'value="r1"' not in cast.editor.portal.get(page).content.decode()
    for wrong in ({"act": "burn", "item": chosen}, {"act": "delete"}, {"act": "delete", "item": ["x", "9" * 30]}):
        assert cast.editor.portal.post(act, wrong).status_code == 302
    assert fresh(dataset).revision_no == 3


def test_who_may_not_change_sees_why(cast: Cast, dataset: Dataset) -> None:
    page = cast.viewer.portal.get(reverse("datasets:detail", args=[dataset.pk])).content.decode()
    bar = page[page.index("choose-acts") : page.index("image-grid")]
    assert bar.count('aria-disabled="true"') == 3 and "editor of the project" in bar
    assert 'name="act"' not in page
    chosen = [str(item) for item in items(dataset, "train-0001.jpg").items]
    act = reverse("datasets:images-act", args=[dataset.pk])
    assert cast.viewer.portal.post(act, {"act": "delete", "item": chosen}).status_code == 403
    assert fresh(dataset).image_count == 6


def test_the_admin_lists_the_tags_of_a_dataset_with_their_images(dataset: Dataset, cast: Cast) -> None:
    chosen = items(dataset, "train-0000.jpg", "train-0001.jpg")
    images_tag(actor=cast.owner.actor, dataset=dataset, choice=chosen, tags=["rain", "night"])
    page = cast.platform.portal.get(reverse("admin:datasets_dataset_change", args=[dataset.pk]))
    tags = page.context["inline_admin_formsets"][0]
    shown = [(form.original.name, form.original.image_count) for form in tags if form.original]
    assert shown == [("night", 2), ("rain", 2)]
