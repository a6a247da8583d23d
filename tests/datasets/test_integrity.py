"""Whether the files are whole: found when they are not, kept from harm, and whole again after an upload."""

import hashlib
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.errors import Conflict
from apps.core.storage import storage
from apps.core.storage.keys import blob_key
from apps.core.testing import Cast, committed
from apps.datasets import tasks
from apps.datasets.models import Blob, BucketHash, Dataset, IntegrityCheck, Revision
from apps.datasets.services import integrity, integrity_check, snapshot_for_training, version_restore
from tests.datasets.factories.images import encoded
from tests.factories.datasets import SYSTEM, DatasetFactory, published, shapes

pytestmark = pytest.mark.django_db


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    return published(DatasetFactory(project=cast.sample("project"), name="Kept"))


def place_of(blob: Blob) -> Path:
    path = storage().local_path(blob_key(blob.organization_id, blob.sha256))
    assert path is not None
    return path


def blob_at(dataset: Dataset, path: str) -> Blob:
    return Blob.objects.get(entries__item__path=path, entries__dataset=dataset, entries__to_revision=None)


def flip(blob: Blob, at: int = 0) -> None:
    """Turns one byte over. The file is written anew: the upload's own copy may be the same one."""
    path = place_of(blob)
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= 0xFF
    path.unlink()
    path.write_bytes(content)


def checked(dataset: Dataset) -> IntegrityCheck:
    check = integrity_check(actor=SYSTEM, dataset=dataset)
    tasks.check(str(check.pk))
    check.refresh_from_db()
    return check


def test_what_is_whole_raises_no_alarm(dataset: Dataset) -> None:
    check = checked(dataset)
    assert (check.state, check.missing_count, check.changed_count) == ("done", 0, 0)
    assert check.file_count == check.done_count == Blob.objects.filter(organization=dataset.organization).count()
    assert check.byte_count == sum(Blob.objects.values_list("size", flat=True))
    assert not Blob.objects.filter(checked_at=None).exists()


def test_every_damage_among_many_files_is_found_and_nothing_else(cast: Cast) -> None:
    """2,010 small files, 20 with one byte turned over anywhere, 5 gone: 25 of 25."""
    files = {f"images/train/many-{number}.bmp": encoded("BMP", 5, 4, seed=number) for number in range(1000)}
    files |= {f"labels/train/many-{number}.txt": b"0 0.5 0.5 0.%04d 0.5\n" % (number + 1) for number in range(1000)}
    dataset = published(DatasetFactory(project=cast.sample("project")), {**shapes(), **files})
    blobs = list(Blob.objects.filter(organization=dataset.organization).order_by("pk"))
    chosen = random.Random(4).sample(blobs, 25)
    for number, blob in enumerate(chosen[:20]):
        flip(blob, number * 7)
    for blob in chosen[20:]:
        place_of(blob).unlink()
    check = checked(dataset)
    assert (check.state, check.changed_count, check.missing_count) == ("done", 20, 5)
    found = dict(Blob.objects.exclude(damage="").values_list("pk", "damage"))
    assert found == {blob.pk: "changed" for blob in chosen[:20]} | {blob.pk: "missing" for blob in chosen[20:]}
    assert check.done_count == len(blobs) > 2000


def test_files_of_older_revisions_are_read_too(dataset: Dataset) -> None:
    old = blob_at(dataset, "images/train/train-0000.jpg")
    published(dataset, shapes(seed=5), mode="replace")
    flip(old)
    assert checked(dataset).changed_count == 1
    old.refresh_from_db()
    assert old.damage == "changed"


def test_no_training_starts_on_what_is_damaged(dataset: Dataset, cast: Cast) -> None:
    place_of(blob_at(dataset, "images/train/train-0001.jpg")).unlink()
    flip(blob_at(dataset, "images/val/val-0000.jpg"))
    snapshot_for_training(actor=cast.owner.actor, dataset=dataset)
    checked(dataset)
    with pytest.raises(Conflict) as refused:
        snapshot_for_training(actor=cast.owner.actor, dataset=dataset)
    assert (refused.value.code, refused.value.params["count"]) == ("file_damaged", 2)
    assert "train-0001.jpg" in str(refused.value.message) and refused.value.hint


def test_a_damaged_picture_is_not_given_out(dataset: Dataset, cast: Cast) -> None:
    flip(blob_at(dataset, "images/train/train-0000.jpg"))
    checked(dataset)
    item = dataset.items.get(path="images/train/train-0000.jpg")
    for part in ("content", "thumbnail"):
        answer = cast.viewer.rest.get(f"/datasets/{dataset.pk}/images/{item.pk}/{part}")
        assert (answer.status_code, answer.json()["code"]) == (409, "file_damaged")


def test_the_same_content_uploaded_again_repairs_it(dataset: Dataset, cast: Cast) -> None:
    flipped, gone = (blob_at(dataset, f"images/train/train-000{number}.jpg") for number in (0, 1))
    flip(flipped)
    place_of(gone).unlink()
    assert checked(dataset).changed_count == 1
    other = DatasetFactory(project=dataset.project)
    files = {"a.jpg": shapes()["images/train/train-0000.jpg"], "b.jpg": shapes()["images/train/train-0001.jpg"]}
    published(other, files)
    for blob in (flipped, gone):
        blob.refresh_from_db()
        assert blob.damage == "" and hashlib.sha256(place_of(blob).read_bytes()).hexdigest() == blob.sha256
    snapshot_for_training(actor=cast.owner.actor, dataset=dataset)
    check = checked(dataset)
    assert (check.changed_count, check.missing_count, check.repaired_count) == (0, 0, 0)


def test_an_unchanged_upload_repairs_too_and_makes_no_revision(dataset: Dataset) -> None:
    place_of(blob_at(dataset, "data.yaml")).unlink()
    assert checked(dataset).missing_count == 1
    published(dataset)
    dataset.refresh_from_db()
    assert dataset.revision_no == 1 and not Blob.objects.exclude(damage="").exists()
    assert place_of(blob_at(dataset, "data.yaml")).read_bytes() == shapes()["data.yaml"]


def test_what_is_whole_again_by_itself_is_found_by_the_next_check(dataset: Dataset) -> None:
    blob = blob_at(dataset, "data.yaml")
    content = place_of(blob).read_bytes()
    flip(blob)
    checked(dataset)
    place_of(blob).write_bytes(content)
    check = checked(dataset)
    assert (check.changed_count, check.repaired_count) == (0, 1)
    blob.refresh_from_db()
    assert blob.damage == ""


def test_a_single_bad_reading_is_no_alarm(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    read = type(storage()).open
    seen: set[str] = set()

    def short(self: Any, key: str, offset: int = 0, length: int | None = None) -> Any:
        if key not in seen:
            seen.add(key)
            return iter([b"half"])
        return read(self, key, offset, length)

    monkeypatch.setattr(type(storage()), "open", short)
    assert checked(dataset).changed_count == 0 and seen


def test_a_worker_that_takes_over_goes_on_behind_the_last_file(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integrity, "KEYS", 5)
    monkeypatch.setattr(integrity, "BATCH", 3)
    whole, read = integrity.damage_of, []

    def dying(blob: Blob) -> str:
        if len(read) >= 4:
            raise ConnectionError("the store is away")
        read.append(blob.pk)
        return whole(blob)

    monkeypatch.setattr(integrity, "AT_ONCE", 1)
    monkeypatch.setattr(integrity, "damage_of", dying)
    check = integrity_check(actor=SYSTEM, dataset=dataset)
    with pytest.raises(ConnectionError):
        tasks.check(str(check.pk))
    check.refresh_from_db()
    assert (check.state, check.done_count) == ("failed", 3)
    assert not Blob.objects.exclude(damage="").exists(), "trouble of the store is no damage"
    IntegrityCheck.objects.filter(pk=check.pk).update(state="running", ended_at=None)
    monkeypatch.setattr(integrity, "damage_of", lambda blob: read.append(blob.pk) or whole(blob))
    tasks.check(str(check.pk))
    check.refresh_from_db()
    total = Blob.objects.filter(organization=dataset.organization).count()
    assert (check.state, check.done_count, check.file_count) == ("done", total, total)
    assert len(read) == 4 + total - 3
    tasks.check(str(check.pk))
    assert len(read) == 4 + total - 3, "a message delivered twice does nothing"


def test_one_check_at_a_time_and_none_of_nothing(dataset: Dataset, cast: Cast) -> None:
    base = f"/datasets/{dataset.pk}/integrity"
    with committed(execute=False) as sent:
        started = cast.editor.rest.post(base)
    assert (started.status_code, started.json()["state"], len(sent)) == (202, "waiting", 1)
    assert (cast.editor.rest.post(base).status_code, cast.editor.rest.post(base).json()["code"]) == (
        409,
        "check_running",
    )
    empty = DatasetFactory(project=dataset.project)
    assert cast.editor.rest.post(f"/datasets/{empty.pk}/integrity").json()["code"] == "dataset_empty"
    assert cast.viewer.rest.post(base).status_code == 403
    assert cast.viewer.rest.get(base).json()["check"]["state"] == "waiting"


def test_a_check_is_told_over_rest_and_in_the_log(dataset: Dataset, cast: Cast) -> None:
    flip(blob_at(dataset, "images/train/train-0000.jpg"))
    place_of(blob_at(dataset, "data.yaml")).unlink()
    checked(dataset)
    found = cast.viewer.rest.get(f"/datasets/{dataset.pk}/integrity?page_size=1").json()
    assert (found["damaged_count"], found["check"]["changed_count"], found["check"]["missing_count"]) == (2, 1, 1)
    rest = cast.viewer.rest.get(f"/datasets/{dataset.pk}/integrity?cursor={found['next']}").json()
    rows = {row["path"]: row["damage"] for row in (*found["results"], *rest["results"])}
    assert rows == {"images/train/train-0000.jpg": "changed", "data.yaml": "missing"} and rest["next"] is None
    event = readable(AuditEvent.objects.filter(action="dataset.check_ended"))[0]
    assert (event.params["changed"], event.params["missing"]) == (1, 1)


def test_the_root_hash_is_computed_anew(dataset: Dataset) -> None:
    tasks.decode(str(dataset.pk))
    revision = Revision.objects.get(dataset=dataset)
    right = revision.root_hash
    assert right
    Revision.objects.filter(pk=revision.pk).update(root_hash="f" * 64)
    BucketHash.objects.filter(dataset=dataset).update(digest="0" * 64)
    checked(dataset)
    revision.refresh_from_db()
    assert revision.root_hash == right
    event = readable(AuditEvent.objects.filter(action="dataset.check_ended"))[0]
    assert (event.params["root_hash"], event.params["root_hash_before"]) == (right, "f" * 64)


def test_the_schedule_checks_each_set_once_a_month(dataset: Dataset, cast: Cast) -> None:
    trashed = published(DatasetFactory(project=dataset.project))
    long_ago = timezone.now() - timedelta(days=31)
    Dataset.objects.filter(pk=trashed.pk).update(deleted_at=timezone.now(), created_at=long_ago)
    assert tasks.check_due() == 0, "it is new"
    Dataset.objects.filter(pk=dataset.pk).update(created_at=long_ago)
    assert tasks.check_due() == 1
    check = IntegrityCheck.objects.get()
    assert check.is_scheduled and check.dataset == dataset and check.created_by is None
    assert tasks.check_due() == 0
    tasks.check(str(check.pk))
    assert tasks.check_due() == 0
    IntegrityCheck.objects.update(created_at=long_ago)
    assert tasks.check_due() == 1


def test_a_lost_message_is_sent_again(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    check = integrity_check(actor=SYSTEM, dataset=dataset)
    sent: list[Any] = []
    monkeypatch.setattr(integrity.messages, "send", lambda name, pk: sent.append((name, pk)))
    tasks.check_due()
    assert sent == []
    IntegrityCheck.objects.update(updated_at=timezone.now() - timedelta(minutes=3))
    tasks.check_due()
    assert sent == [("datasets.check", check.pk)]


def test_sets_that_hold_the_same_are_found(dataset: Dataset, cast: Cast) -> None:
    same = published(DatasetFactory(project=dataset.project, name="Copy"))
    other = published(DatasetFactory(project=dataset.project, name="Other"), shapes(seed=6))
    hidden = published(DatasetFactory(name="Of others"))
    assert hidden.organization_id != dataset.organization_id
    private = published(
        DatasetFactory(project=dataset.project, name="Mine", visibility="private", created_by=cast.owner.user)
    )
    for found in (dataset, same, other, hidden, private):
        tasks.decode(str(found.pk))

    def groups(person: Any) -> list[set[str]]:
        rows = person.rest.get("/datasets/duplicates").json()["results"]
        return [{found["name"] for found in row["datasets"]} for row in rows]

    assert groups(cast.viewer) == [{"Kept", "Copy"}]
    assert groups(cast.owner) == [{"Kept", "Copy", "Mine"}]
    assert groups(cast.stranger) == []
    page = cast.viewer.portal.get(reverse("datasets:files", args=[dataset.pk])).content.decode()
    assert "Copy" in page and "Mine" not in page
    published(same, {"images/train/more.jpg": encoded(seed=77)})
    tasks.decode(str(same.pk))
    assert groups(cast.viewer) == []
    version_restore(actor=cast.owner.actor, dataset=same, version="r1")
    tasks.decode(str(same.pk))
    assert groups(cast.viewer) == [{"Kept", "Copy"}]


def test_pictures_under_several_paths_are_found(dataset: Dataset, cast: Cast) -> None:
    published(dataset, {"images/train/again.jpg": shapes()["images/train/train-0000.jpg"]})
    found = cast.viewer.rest.get(f"/datasets/{dataset.pk}/duplicates").json()
    assert [{image["path"] for image in row["images"]} for row in found["results"]] == [
        {"images/train/again.jpg", "images/train/train-0000.jpg"}
    ]
    page = cast.viewer.portal.get(reverse("datasets:files", args=[dataset.pk])).content.decode()
    assert "images/train/again.jpg" in page


def test_a_check_is_followed_on_the_page_of_files(dataset: Dataset, cast: Cast) -> None:
    flip(blob_at(dataset, "images/train/train-0000.jpg"))
    address, start = (reverse(f"datasets:{name}", args=[dataset.pk]) for name in ("files", "check"))
    assert cast.viewer.portal.post(start).status_code == 403
    assert cast.editor.portal.post(start).status_code == 302
    part = cast.viewer.portal.htmx(address).content.decode()
    assert 'hx-trigger="every 1s"' in part and "<html" not in part
    assert "being checked already" in cast.editor.portal.post(start, follow=True).content.decode()
    tasks.check(str(IntegrityCheck.objects.get().pk))
    page = cast.viewer.portal.get(address).content.decode()
    assert "1 file is damaged or missing." in page and "images/train/train-0000.jpg" in page
    assert "every 1s" not in page and "Without the 1 file that is damaged" in page
