"""Versions: the history, two of them side by side, going back to one, and what used which."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.errors import Conflict, Invalid
from apps.core.testing import Cast, assert_constant_queries
from apps.datasets.models import Dataset, Entry, Revision
from apps.datasets.selectors.compare import Comparison
from apps.datasets.selectors.versions import image_at, splits_of_image, version_named
from apps.datasets.services import snapshot_create, snapshot_delete, snapshot_for_training, split_set, version_restore
from apps.jobs.models import Job
from tests.datasets.factories.images import encoded
from tests.factories.datasets import DatasetFactory, published, shapes
from tests.factories.training import TrainingJobFactory

pytestmark = pytest.mark.django_db
Content = dict[str, tuple[str, str, str]]


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    """Three revisions: a set; one picture replaced, one label changed, one image added; another set."""
    found = published(DatasetFactory(project=cast.sample("project"), name="Shapes"))
    published(found, changed_files())
    return published(found, shapes(train=2, seed=3), mode="replace")


def changed_files() -> dict[str, bytes]:
    files = shapes()
    label = "labels/train/train-0001.txt"
    return {
        "images/train/train-0000.jpg": encoded(width=64, height=64, seed=9),
        "labels/train/train-0000.txt": files["labels/train/train-0000.txt"],
        "images/train/train-0001.jpg": files["images/train/train-0001.jpg"],
        label: files[label] + b"2 0.5 0.5 0.1 0.1\n",
        "images/train/new.jpg": encoded(width=64, height=64, seed=10),
        "labels/train/new.txt": b"0 0.5 0.5 0.5 0.5\n",
        "data.yaml": b"names: [circle, square, triangle]\n",
    }


def content(dataset: Dataset, no: int) -> Content:
    rows = Entry.objects.at(dataset.pk, no).select_related("item", "blob", "annotation")
    return {
        row.item.path: (row.blob.sha256, row.annotation.sha256 if row.annotation else "", row.split) for row in rows
    }


def compared(dataset: Dataset, before: str, after: str) -> Comparison:
    return Comparison(dataset, version_named(dataset, before), version_named(dataset, after))


def test_a_comparison_says_what_really_differs(dataset: Dataset) -> None:
    found = compared(dataset, "r1", "r2")
    assert found.images == {"added": 1, "removed": 0, "content": 1, "annotations": 1, "split": 0}
    assert found.files == {"added": 1, "removed": 0, "content": 2}
    rows = {row.path: row for row in found.page().rows}
    assert {path: row.kinds for path, row in rows.items()} == {
        "images/train/train-0000.jpg": ["content"],
        "images/train/train-0001.jpg": ["annotations"],
        "images/train/new.jpg": ["added"],
    }
    assert rows["images/train/new.jpg"].before is None
    changed = rows["images/train/train-0001.jpg"]
    assert changed.before and changed.after and changed.after.box_count == changed.before.box_count + 1


@pytest.mark.parametrize(("before", "after"), [(1, 2), (1, 3), (2, 3), (3, 1), (2, 1), (1, 1)])
def test_a_comparison_agrees_with_both_contents_in_both_directions(dataset: Dataset, before: int, after: int) -> None:
    old, new = content(dataset, before), content(dataset, after)
    found = compared(dataset, f"r{before}", f"r{after}")
    both = old.keys() & new.keys()
    expected = {
        "added": len(new.keys() - old.keys()),
        "removed": len(old.keys() - new.keys()),
        "content": sum(old[path][0] != new[path][0] for path in both),
    }
    assert {name: found.images[name] + found.files[name] for name in expected} == expected
    for kind in ("added", "removed", "content", "annotations"):
        rows = found.page(kind).rows
        assert len(rows) == found.images[kind] and all(kind in row.kinds for row in rows)
    counts = {no: images_by_class(dataset, no) for no in (before, after)}
    assert {row["name"]: (row["before"], row["after"]) for row in found.classes} == {
        name: (counts[before][name], counts[after][name]) for name in ("circle", "square", "triangle")
    }


def images_by_class(dataset: Dataset, no: int) -> dict[str, int]:
    names = [found["name"] for found in Revision.objects.get(dataset=dataset, no=no).classes]
    rows = Entry.objects.at(dataset.pk, no).images().values_list("class_ids", flat=True)
    return {name: sum(number in ids for ids in rows) for number, name in enumerate(names)}


def test_what_came_back_to_what_it_was_does_not_differ(dataset: Dataset, cast: Cast) -> None:
    version_restore(actor=cast.editor.actor, dataset=dataset, version="r1")
    dataset.refresh_from_db()
    found = compared(dataset, "r1", "head")
    assert found.after.no == 4 and sum(found.images.values()) == sum(found.files.values()) == 0
    assert found.page().rows == []


def test_pages_of_differences_meet_without_gap_or_repetition(dataset: Dataset) -> None:
    found = compared(dataset, "r1", "r3")
    whole = [row.item_id for row in found.page(size=200).rows]
    assert len(whole) > 4
    cursor, seen, pages = None, [], []
    while True:
        page = found.page(after=cursor, size=2)
        seen += [row.item_id for row in page.rows]
        pages.append(page)
        if (cursor := page.below) is None:
            break
    assert seen == whole
    back = found.page(before=pages[2].rows[0].item_id, size=2)
    assert [row.item_id for row in back.rows] == [row.item_id for row in pages[1].rows]
    assert back.above is not None and found.page(before=pages[1].rows[0].item_id, size=2).above is None


def test_numbers_that_mean_another_class_are_told(cast: Cast) -> None:
    dataset = published(DatasetFactory(project=cast.sample("project")))
    files = {path: body for path, body in shapes().items() if path != "data.yaml"}
    published(dataset, {**files, "data.yaml": b"names: [square, circle, triangle]\n"}, mode="replace")
    found = compared(dataset, "r1", "r2")
    assert [(row["id"], row["before"], row["after"]) for row in found.renumbered] == [
        (0, "circle", "square"),
        (1, "square", "circle"),
    ]
    before, after = images_by_class(dataset, 1), images_by_class(dataset, 2)
    assert {row["name"]: row["before"] for row in found.classes} == before
    assert {row["name"]: row["after"] for row in found.classes} == after
    assert (before["circle"], before["square"]) == (after["square"], after["circle"])


def test_a_version_is_restored_as_the_next_revision_and_nothing_is_lost(dataset: Dataset, cast: Cast) -> None:
    history = {no: content(dataset, no) for no in (1, 2, 3)}
    first = Revision.objects.get(dataset=dataset, no=1)
    revision = version_restore(actor=cast.editor.actor, dataset=dataset, version="r1", note="as it was")
    dataset.refresh_from_db()
    assert (revision.no, dataset.revision_no, revision.restored_from, revision.note) == (4, 4, 1, "as it was")
    assert content(dataset, 4) == history[1] and revision.classes == first.classes
    assert {no: content(dataset, no) for no in (1, 2, 3)} == history
    sizes = ("images", "labelled", "boxes", "files", "bytes")
    assert {name: revision.counts[name] for name in sizes} == {name: first.counts[name] for name in sizes}
    assert dataset.image_count == first.counts["images"]
    old, new = history[3], history[1]
    assert revision.counts["added"] == len(new.keys() - old.keys())
    assert revision.counts["removed"] == len(old.keys() - new.keys())
    assert revision.counts["changed"] == sum(old[path] != new[path] for path in old.keys() & new.keys())
    event = readable(AuditEvent.objects.filter(action="dataset.version_restored"))[0]
    assert (event.params["version"], event.params["revision"]) == ("r1", 4)


def test_the_same_content_has_the_same_root_hash_again(dataset: Dataset, cast: Cast) -> None:
    actor = cast.editor.actor
    version_restore(actor=actor, dataset=dataset, version="r1")
    first = snapshot_create(actor=actor, dataset=dataset)
    version_restore(actor=actor, dataset=dataset, version="r3")
    other = snapshot_create(actor=actor, dataset=dataset)
    version_restore(actor=actor, dataset=dataset, version=first.tag)
    with pytest.raises(Conflict, match=f"since the snapshot {first.tag}"):
        snapshot_create(actor=actor, dataset=dataset)
    assert first.root_hash != other.root_hash


def test_restoring_what_is_there_is_refused(dataset: Dataset, cast: Cast) -> None:
    with pytest.raises(Conflict) as refused:
        version_restore(actor=cast.editor.actor, dataset=dataset, version="head")
    assert refused.value.code == "nothing_to_restore"
    assert Revision.objects.filter(dataset=dataset).count() == 3
    assert not Entry.objects.filter(dataset=dataset, to_revision=4).exists()


@pytest.mark.parametrize("name", ["", "r0", "r4", "r99999999999", "v1", "Head", "a b", "\0", "r1; --"])
def test_an_unknown_version_is_named(dataset: Dataset, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        version_named(dataset, name, field="before")
    assert refused.value.code == "version_unknown" and "before" in refused.value.fields and refused.value.hint


@pytest.mark.parametrize("tag", ["r3", "r12", "head"])
def test_a_tag_that_would_hide_a_revision_is_refused(dataset: Dataset, cast: Cast, tag: str) -> None:
    answer = cast.editor.rest.post(f"/datasets/{dataset.pk}/snapshots", {"tag": tag})
    assert (answer.status_code, answer.json()["code"]) == (400, "tag_reserved")


def test_versions_over_rest(dataset: Dataset, cast: Cast) -> None:
    rest, base = cast.editor.rest, f"/datasets/{dataset.pk}"
    made = rest.post(f"{base}/versions/auto-increment", {"note": "first"})
    assert (made.status_code, made.json()["tag"], made.json()["revision"]) == (201, "v1", 3)
    assert rest.post(f"{base}/versions/auto-increment").json()["code"] == "snapshot_exists"
    back = rest.post(f"{base}/versions/restore", {"version": "r2"})
    assert (back.status_code, back.json()["revision"], back.json()["restored_from"]) == (201, 4, 2)
    assert rest.post(f"{base}/versions/auto-increment").json()["tag"] == "v2"
    rows = rest.get(f"{base}/versions").json()["results"]
    assert [row["revision"] for row in rows] == [4, 3, 2, 1]
    assert [[found["tag"] for found in row["snapshots"]] for row in rows] == [["v2"], ["v1"], [], []]
    asked = f"dataset_id={dataset.pk}&before=v1&after=v2"
    found = rest.get(f"/datasets/compare?{asked}").json()
    assert (found["before"]["revision"], found["after"]["revision"]) == (3, 4)
    total = found["images"]["added"]
    first = rest.get(f"/datasets/compare/images?{asked}&kind=added&page_size=1").json()
    assert len(first["results"]) == 1 and first["results"][0]["before"] is None and total > 1
    second = rest.get(f"/datasets/compare/images?{asked}&kind=added&page_size=1&cursor={first['next']}").json()
    assert second["results"][0]["id"] > first["results"][0]["id"]
    wrong = rest.get(f"/datasets/compare?dataset_id={dataset.pk}&before=v9")
    assert (wrong.status_code, list(wrong.json()["errors"])) == (400, ["before"])


def test_viewers_read_versions_and_cannot_restore(dataset: Dataset, cast: Cast) -> None:
    base = f"/datasets/{dataset.pk}/versions"
    assert cast.viewer.rest.get(base).status_code == 200
    assert cast.viewer.rest.post(f"{base}/restore", {"version": "r1"}).status_code == 403
    assert cast.viewer.rest.post(f"{base}/auto-increment").status_code == 403
    assert cast.member.rest.get(base).status_code == 404
    restore = reverse("datasets:version-restore", args=[dataset.pk])
    assert cast.viewer.portal.post(restore, {"version": "r1"}).status_code == 403
    dataset.refresh_from_db()
    assert dataset.revision_no == 3


def test_a_picture_is_shown_as_it_was_in_a_revision(dataset: Dataset, cast: Cast) -> None:
    item = dataset.items.get(path="images/train/train-0000.jpg")
    address = f"/datasets/{dataset.pk}/images/{item.pk}"
    found = [cast.viewer.rest.get(f"{address}?revision={no}").json()["sha256"] for no in (1, 2)]
    assert found == [image_at(dataset, item.pk, no).blob.sha256 for no in (1, 2)] and found[0] != found[1]
    bodies = [cast.viewer.rest.get(f"{address}/content?revision={no}").content for no in (1, 2)]
    assert bodies == [shapes()["images/train/train-0000.jpg"], changed_files()["images/train/train-0000.jpg"]]
    small = [cast.viewer.rest.get(f"{address}/thumbnail?size=128&revision={no}").content for no in (1, 2)]
    assert small[0] != small[1]
    assert cast.viewer.rest.get(f"{address}?revision=4").status_code == 404
    gone = dataset.items.get(path="images/train/new.jpg")
    assert cast.viewer.rest.get(f"/datasets/{dataset.pk}/images/{gone.pk}?revision=1").status_code == 404


def trained(dataset: Dataset, snapshot: Any) -> Any:
    return TrainingJobFactory(job__project=dataset.project, dataset=dataset, snapshot=snapshot)


def test_usage_of_a_version_and_of_an_image(cast: Cast) -> None:
    dataset = published(DatasetFactory(project=cast.sample("project"), name="Used"))
    actor = cast.owner.actor
    first = trained(dataset, snapshot_for_training(actor=actor, dataset=dataset))
    published(dataset, changed_files())
    second = trained(dataset, snapshot_for_training(actor=actor, dataset=dataset))
    old, new = (dataset.items.get(path=f"images/train/{name}.jpg") for name in ("train-0002", "new"))
    base = f"/datasets/{dataset.pk}/usage"

    def used(query: str = "") -> dict[str, str]:
        rows = cast.viewer.rest.get(f"{base}{query}").json()["results"]
        return {row["id"]: row["split"] for row in rows}

    assert used() == {str(first.pk): "", str(second.pk): ""}
    assert used("?version=v1") == used("?version=r1") == {str(first.pk): ""}
    assert used(f"?image={new.pk}") == {str(second.pk): "train"}
    assert used(f"?image={old.pk}") == {str(first.pk): "train", str(second.pk): "train"}
    assert used(f"?image={old.pk}&version=v2") == {str(second.pk): "train"}
    page = cast.viewer.rest.get(f"{base}?page_size=1").json()
    rest = cast.viewer.rest.get(base, {"page_size": 1, "before": page["next"]}).json()
    assert [row["id"] for row in (*page["results"], *rest["results"])] == [str(second.pk), str(first.pk)]
    assert rest["next"] is None
    portal = cast.viewer.portal.get(reverse("datasets:usage", args=[dataset.pk]), {"image": new.pk}).content.decode()
    assert second.job.name in portal and first.job.name not in portal and "What saw the image" in portal


def test_uses_are_counted_by_day_and_by_dataset(cast: Cast) -> None:
    project = cast.sample("project")
    busy, quiet, unused = (published(DatasetFactory(project=project, name=name)) for name in ("Busy", "Quiet", "Idle"))
    snapshot = snapshot_for_training(actor=cast.owner.actor, dataset=busy)
    jobs = [trained(busy, snapshot), trained(busy, snapshot), trained(busy, None), trained(quiet, None)]
    for training, ago in zip(jobs, (0, 3, 40, 5), strict=True):
        Job.objects.filter(pk=training.pk).update(created_at=timezone.now() - timedelta(days=ago))
    found = cast.viewer.rest.get(f"/datasets/{busy.pk}/usage").json()["by_day"]
    assert len(found) == 30 and [row["uses"] for row in found[-4:]] == [1, 0, 0, 1]
    assert sum(row["uses"] for row in found) == 2
    of_version = cast.viewer.rest.get(f"/datasets/{quiet.pk}/usage?version=r1").json()["by_day"]
    assert sum(row["uses"] for row in of_version) == 0, "the draft has fixed nothing yet"

    def most(query: str = "", person: Any = None) -> list[tuple[str, int]]:
        rows = (person or cast.viewer).rest.get(f"/datasets/most-used{query}").json()
        return [(row["name"], row["uses"]) for row in rows]

    assert most() == [("Busy", 2), ("Quiet", 1)]
    assert most("?days=90") == [("Busy", 3), ("Quiet", 1)]
    assert most("?days=1") == [("Busy", 1)]
    assert most("", cast.stranger) == most("", cast.member) == []
    listed = cast.viewer.portal.get(reverse("datasets:list"))
    assert {dataset: uses for dataset, _cover, uses in listed.context["rows"]} == {busy: 3, quiet: 1, unused: 0}
    page = cast.viewer.portal.get(reverse("datasets:usage", args=[busy.pk])).content.decode()
    assert "Uses in the last 14 days" in page


def test_an_image_outside_of_every_split_was_seen_by_nobody(cast: Cast) -> None:
    dataset = published(DatasetFactory(project=cast.sample("project")))
    paths = ["images/train/train-0000.jpg", "images/train/train-0001.jpg"]
    split_set(actor=cast.owner.actor, dataset=dataset, method="manual", items={"train": paths[:1], "val": paths[1:]})
    snapshot = snapshot_for_training(actor=cast.owner.actor, dataset=Dataset.objects.get(pk=dataset.pk))
    items = {item.path: item.pk for item in dataset.items.all()}
    assert splits_of_image(dataset, items[paths[0]]) == {snapshot.pk: "train"}
    assert splits_of_image(dataset, items[paths[1]]) == {snapshot.pk: "val"}
    assert splits_of_image(dataset, items["images/train/train-0002.jpg"]) == {}


def test_a_version_that_a_training_used_is_not_deleted(cast: Cast) -> None:
    dataset = published(DatasetFactory(project=cast.sample("project")))
    snapshot = snapshot_for_training(actor=cast.owner.actor, dataset=dataset)
    trained(dataset, snapshot)
    with pytest.raises(Conflict) as refused:
        snapshot_delete(actor=cast.owner.actor, snapshot=snapshot)
    assert refused.value.code == "snapshot_in_use" and refused.value.hint
    address = reverse("datasets:snapshot-delete", args=[dataset.pk, snapshot.pk])
    assert "Jobs were trained on this snapshot" in cast.editor.portal.post(address, follow=True).content.decode()
    snapshot.refresh_from_db()


def test_only_what_may_go_is_offered_for_deletion(dataset: Dataset, cast: Cast) -> None:
    trained(dataset, snapshot_create(actor=cast.owner.actor, dataset=dataset, tag="used"))
    version_restore(actor=cast.owner.actor, dataset=dataset, version="r2")
    snapshot_create(actor=cast.owner.actor, dataset=dataset, tag="free")
    page = cast.editor.portal.get(reverse("datasets:versions", args=[dataset.pk])).content.decode()
    assert "Delete the snapshot free?" in page and "Delete the snapshot used?" not in page
    assert page.count("Delete. Jobs were trained on this snapshot.") == 1


def test_the_history_is_drawn_with_tags_and_what_used_them(dataset: Dataset, cast: Cast) -> None:
    training = trained(dataset, snapshot_create(actor=cast.owner.actor, dataset=dataset, tag="golden", note="the one"))
    version_restore(actor=cast.owner.actor, dataset=dataset, version="r2")
    address = reverse("datasets:versions", args=[dataset.pk])
    page = cast.editor.portal.get(address).content.decode()
    for text in ("Revision 4", "Revision 1", "Restored from r2", "golden", "the one", training.job.name):
        assert text in page
    assert page.count('class="version is-head"') == 1
    assert (
        cast.viewer.portal.get(address).content.decode().count(reverse("datasets:version-restore", args=[dataset.pk]))
        == 0
    )
    made = cast.editor.portal.post(address, {"tag": "", "note": ""})
    assert made.status_code == 302 and dataset.snapshots.filter(tag="v2").exists()
    assert cast.editor.portal.post(address, {"tag": "r9", "note": ""}).status_code == 422


def test_two_versions_are_drawn_side_by_side(dataset: Dataset, cast: Cast) -> None:
    address = reverse("datasets:compare", args=[dataset.pk])
    page = cast.viewer.portal.get(address, {"before": "r1", "after": "r2"}).content.decode()
    assert page.count("image-tile") == 5 and "Was not there" in page
    assert "&amp;revision=1" in page and "&amp;revision=2" in page
    assert "images/train/new.jpg" in page
    only = cast.viewer.portal.get(address, {"before": "r1", "after": "r2", "kind": "content"}).content.decode()
    assert only.count("image-tile") == 2 and "images/train/new.jpg" not in only
    assert "no version of this name" in cast.viewer.portal.get(address, {"before": "v77"}).content.decode()
    assert cast.viewer.portal.get(address).status_code == 200


def test_a_version_is_restored_from_its_page(dataset: Dataset, cast: Cast) -> None:
    address = reverse("datasets:version-restore", args=[dataset.pk])
    page = cast.editor.portal.post(address, {"version": "r1"}, follow=True).content.decode()
    assert "The version is back, as revision 4." in page
    assert (
        "holds just this version" in cast.editor.portal.post(address, {"version": "r1"}, follow=True).content.decode()
    )


def test_the_history_costs_the_same_whatever_its_length(cast: Cast) -> None:
    dataset = published(DatasetFactory(project=cast.sample("project")))

    def more(number: int) -> None:
        for _ in range(number):
            no = Revision.objects.filter(dataset=dataset).count()
            if no < 3:
                published(dataset, shapes(seed=no))
            else:
                version_restore(actor=cast.owner.actor, dataset=dataset, version=f"r{no - 1}")
            split_set(actor=cast.owner.actor, dataset=dataset, method="auto", seed=no)
            trained(dataset, snapshot_create(actor=cast.owner.actor, dataset=dataset))

    address = reverse("datasets:versions", args=[dataset.pk])
    assert_constant_queries(lambda: cast.viewer.portal.get(address), add_rows=more)
