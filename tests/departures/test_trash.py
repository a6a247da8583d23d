"""What is deleted for good: who may, what stands in the way, that it is gone batch by batch, and what stays."""

import io
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone
from django.utils.translation import override

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.errors import Conflict, DomainError, Invalid, NotFound
from apps.core.identity import Actor
from apps.core.models import LooseObject
from apps.core.outbox.models import OutboxMessage
from apps.core.storage import results, storage
from apps.core.storage.keys import blob_key
from apps.core.storage.locks import blobs_shared
from apps.core.testing import Cast
from apps.datasets import services
from apps.datasets.folders import UploadFolder
from apps.datasets.models import AnnotationDocument, Blob, Dataset, Entry, Item, Upload, UploadState, Visibility
from apps.datasets.selectors import ImageFilter, stored_bytes
from apps.datasets.selectors.images import thumbnail_key
from apps.datasets.services import collecting, fsck
from apps.datasets.services.sweeping import sweep, sweep_archives
from apps.departures import removing
from apps.departures.services import trash
from apps.experiments import services as experiments
from apps.experiments.models import Experiment, Run
from apps.jobs.models import Job
from apps.jobs.states import JobState
from apps.organizations.models import Closure, Organization
from apps.projects import services as projects
from apps.projects.models import Project
from apps.training.models import Checkpoint, TrainingJob
from tests.departures.support import tables_with
from tests.factories.datasets import SYSTEM, DatasetFactory, exported, laid_open, published, shapes, uploaded
from tests.factories.projects import ProjectFactory

pytestmark = pytest.mark.django_db

#: Where the id of what was deleted may stand: in the audit log, and in messages that were delivered.
LEFT = {"audit_auditevent", "audit_auditwaiting", "core_outboxmessage"}


@pytest.fixture(autouse=True)
def _english() -> Any:
    with override("en"):
        yield


def trashed(dataset: Dataset) -> Dataset:
    services.dataset_trash(actor=SYSTEM, dataset=dataset)
    dataset.refresh_from_db()
    return dataset


def purged(dataset: Dataset) -> None:
    """The dataset was deleted for good, and workers have taken it away."""
    services.dataset_purge(actor=SYSTEM, dataset=trashed(dataset), name=dataset.name)
    trash.trash_empty()
    assert not Dataset.objects.filter(pk=dataset.pk).exists()


def blobs_of(dataset: Dataset) -> dict[str, Blob]:
    return {blob.sha256: blob for blob in Blob.objects.filter(entries__dataset=dataset)}


def is_stored(blob: Blob) -> bool:
    return storage().size(blob_key(blob.organization_id, blob.sha256)) is not None


def ran_out() -> None:
    """The grace of every object without a row is over."""
    LooseObject.objects.update(since=timezone.now() - timedelta(days=9))


# --- A dataset


def test_a_dataset_goes_with_all_that_hangs_on_it(cast: Cast) -> None:
    dataset = published(DatasetFactory(project=cast.sample("project")))
    services.images_tag(
        actor=SYSTEM, dataset=dataset, choice=services.ImageChoice(matching=ImageFilter()), tags=["word"]
    )
    services.split_set(actor=SYSTEM, dataset=dataset, method="grouped", ratios={"train": 0.5, "val": 0.5})
    services.snapshot_create(actor=SYSTEM, dataset=dataset, tag="v1")
    export, waiting = exported(dataset, format="coco"), uploaded(dataset, shapes(seed=3))
    purged(dataset)
    assert tables_with(str(dataset.pk)) <= LEFT
    assert not (Entry.objects.exists() or Item.objects.exists() or AnnotationDocument.objects.exists())
    assert not UploadFolder(waiting.pk).root.exists()
    sweep_archives()
    assert not [key for key in storage().keys("") if str(export.pk) in key]


def test_its_size_counts_no_more_and_the_quota_has_room_again(cast: Cast) -> None:
    dataset = published(DatasetFactory(project=cast.sample("project")))
    organization_id = dataset.organization_id
    weight = stored_bytes([organization_id])
    Organization.objects.filter(pk=organization_id).update(max_storage_gb=weight / 1e9)
    with pytest.raises(DomainError):
        published(
            DatasetFactory(project=cast.sample("project")), {"a.jpg": shapes(seed=7)["images/train/train-0000.jpg"]}
        )
    purged(dataset)
    assert weight > 0 and stored_bytes([organization_id]) == 0
    published(DatasetFactory(project=cast.sample("project")))


def test_objects_stay_for_the_grace_and_then_go_with_their_thumbnails(cast: Cast) -> None:
    dataset = published(DatasetFactory(project=cast.sample("project")))
    blobs = blobs_of(dataset)
    blob = next(iter(blobs.values()))
    small = thumbnail_key(blob, 256)
    storage().put(small, io.BytesIO(b"small"))
    purged(dataset)
    sweep()
    assert all(map(is_stored, blobs.values()))
    assert [found for found in fsck.examine_stores(repair=True) if found.kind == "orphan"] == [], "one grace for both"
    ran_out()
    assert sweep()["objects"] == len(blobs)
    assert not any(map(is_stored, blobs.values())) and storage().size(small) is None
    assert not LooseObject.objects.exists()


def test_what_is_in_quarantine_goes_at_once(cast: Cast) -> None:
    """Its bytes are not what the digest says: whoever stores the same again must not find them."""
    dataset = published(DatasetFactory(project=cast.sample("project")))
    damaged, sound = list(blobs_of(dataset).values())[:2]
    Blob.objects.filter(pk=damaged.pk).update(damage="changed")
    purged(dataset)
    assert (is_stored(damaged), is_stored(sound)) == (False, True)


def test_blobs_of_another_dataset_stay(cast: Cast) -> None:
    mine = published(DatasetFactory(project=cast.sample("project")))
    other = published(DatasetFactory(project=cast.sample("project")), shapes(train=1, val=1))
    kept, all_of_them = blobs_of(other), blobs_of(mine)
    assert kept.keys() < all_of_them.keys() | kept.keys() and kept.keys() & all_of_them.keys()
    purged(mine)
    ran_out()
    sweep()
    assert {blob.sha256 for blob in Blob.objects.all()} == set(kept)
    assert all(map(is_stored, kept.values()))
    assert not any(is_stored(blob) for sha256, blob in all_of_them.items() if sha256 not in kept)
    assert services.snapshot_create(actor=SYSTEM, dataset=other, tag="after").counts["images"] > 0


def test_what_is_stored_again_within_the_grace_stays(cast: Cast) -> None:
    dataset = published(DatasetFactory(project=cast.sample("project")))
    blobs = blobs_of(dataset)
    purged(dataset)
    published(DatasetFactory(project=cast.sample("project")))
    ran_out()
    assert sweep()["objects"] == 0
    assert all(map(is_stored, blobs.values())) and not LooseObject.objects.exists()


def test_what_a_broken_publication_had_stored_goes_too(cast: Cast) -> None:
    """It weighs in no quota: kept, whoever publishes beyond the quota and deletes the dataset would fill the disk."""
    dataset = published(DatasetFactory(project=cast.sample("project")))
    shared = next(iter(blobs_of(dataset).values()))
    going = DatasetFactory(project=cast.sample("project"))
    waiting = uploaded(going, shapes(seed=5))
    left = Blob(organization_id=going.organization_id, sha256="5" * 64)
    storage().put(blob_key(left.organization_id, left.sha256), io.BytesIO(b"left"))
    UploadFolder(waiting.pk).stored.write_text(f"{left.sha256}\n{shared.sha256}\n", encoding="ascii")
    purged(going)
    assert is_stored(left), "there is the grace"
    ran_out()
    assert sweep()["objects"] == 1
    assert (is_stored(left), is_stored(shared)) == (False, True)


def test_no_snapshot_is_taken_of_what_went_a_moment_ago(cast: Cast) -> None:
    dataset = published(DatasetFactory(project=cast.sample("project")))
    services.dataset_purge(actor=SYSTEM, dataset=trashed(dataset), name=dataset.name)
    # Asked by the portal itself, which the policy refuses nothing, as by who was allowed a moment ago.
    for take in (services.snapshot_create, services.snapshot_for_training):
        with pytest.raises(NotFound):
            take(actor=SYSTEM, dataset=dataset)
    assert trash.trash_empty() == 1 and not Dataset.objects.filter(pk=dataset.pk).exists()


def test_another_organization_with_the_same_bytes_loses_and_holds_back_nothing(cast: Cast) -> None:
    mine, theirs = published(DatasetFactory(project=cast.sample("project"))), published(DatasetFactory())
    assert mine.organization_id != theirs.organization_id
    ours, others = blobs_of(mine), blobs_of(theirs)
    purged(mine)
    ran_out()
    sweep()
    assert all(map(is_stored, others.values())) and not any(map(is_stored, ours.values()))


def test_the_name_must_be_repeated(cast: Cast) -> None:
    dataset = cast.sample("trashed-dataset")
    for name in ("", dataset.name[:-1], dataset.name.upper() + "x"):
        with pytest.raises(Invalid) as caught:
            services.dataset_purge(actor=cast.owner.actor, dataset=dataset, name=name)
        assert caught.value.code == "name_not_repeated"
    dataset.refresh_from_db()
    assert dataset.purged_at is None


def test_only_what_is_in_the_trash_is_deleted_and_only_once(cast: Cast) -> None:
    live, dataset = cast.sample("dataset"), cast.sample("trashed-dataset")
    with pytest.raises(DomainError):
        services.dataset_purge(actor=cast.owner.actor, dataset=live, name=live.name)
    services.dataset_purge(actor=cast.owner.actor, dataset=dataset, name=dataset.name)
    for again in (
        lambda: services.dataset_purge(actor=cast.owner.actor, dataset=dataset, name=dataset.name),
        lambda: services.dataset_restore(actor=cast.owner.actor, dataset=dataset),
        # Asked by the portal itself, which the policy refuses nothing, as by who was allowed a moment ago.
        lambda: services.dataset_restore(actor=SYSTEM, dataset=dataset),
        lambda: services.dataset_purge(actor=SYSTEM, dataset=dataset, name=dataset.name),
    ):
        with pytest.raises(NotFound):
            again()
    live.refresh_from_db()
    assert live.purged_at is None


def test_from_the_act_on_nobody_sees_it(cast: Cast) -> None:
    dataset = cast.sample("trashed-dataset")
    for person in (cast.owner, cast.platform):
        assert dataset in Dataset.objects.permitted(person.actor, "datasets.restore_dataset")
    services.dataset_purge(actor=cast.owner.actor, dataset=dataset, name=dataset.name)
    for person in (cast.owner, cast.platform):
        assert dataset not in Dataset.objects.permitted(person.actor, "datasets.restore_dataset")
        assert dataset not in Dataset.objects.permitted(person.actor, "datasets.purge_dataset")
        assert dataset not in Dataset.objects.visible(person.actor)
        assert person.rest.post(f"/datasets/{dataset.pk}/restore").status_code == 404
    assert Dataset.objects.filter(pk=dataset.pk).exists(), "workers take it away"


def test_one_event_names_who_and_what(cast: Cast) -> None:
    dataset = cast.sample("trashed-dataset")
    services.dataset_purge(actor=cast.owner.actor, dataset=dataset, name=dataset.name)
    trash.trash_empty()
    (event,) = readable(AuditEvent.objects.filter(action="dataset.purged"))
    assert (event.actor_name, event.entity_name) == (cast.owner.user.name, dataset.name)


# --- What stands in the way


def _in_use(dataset: Dataset, cast: Cast) -> None:
    TrainingJob.objects.filter(pk=cast.sample("training-job").pk).update(
        dataset=dataset, snapshot=services.snapshot_create(actor=SYSTEM, dataset=dataset, tag="v1")
    )


def _public(dataset: Dataset, cast: Cast) -> None:
    Dataset.objects.filter(pk=dataset.pk).update(visibility=Visibility.PUBLIC, public_revisions=[1])


def _publishing(dataset: Dataset, cast: Cast) -> None:
    Upload.objects.filter(pk=uploaded(dataset, shapes(seed=4)).pk).update(state=UploadState.PUBLISHING)


def _exporting(dataset: Dataset, cast: Cast) -> None:
    services.export_ask(actor=SYSTEM, dataset=dataset, format="coco")


def _checking(dataset: Dataset, cast: Cast) -> None:
    services.integrity_check(actor=SYSTEM, dataset=dataset)


@pytest.mark.parametrize(
    ("need", "code"),
    [
        (_in_use, "in_use"),
        (_public, "dataset_public"),
        (_publishing, "dataset_busy"),
        (_exporting, "dataset_busy"),
        (_checking, "dataset_busy"),
    ],
)
def test_what_is_needed_stays(cast: Cast, need: Callable[[Dataset, Cast], None], code: str) -> None:
    dataset = published(DatasetFactory(project=cast.sample("project")))
    need(dataset, cast)
    Dataset.objects.filter(pk=dataset.pk).update(deleted_at=timezone.now() - timedelta(days=99))
    answer = cast.owner.rest.post(f"/datasets/{dataset.pk}/purge", {"name": dataset.name})
    assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert answer.json()["hint"]
    assert trash.trash_retain() == 0, "the retention keeps to the same rule"
    page = cast.owner.portal.get(f"/datasets/{dataset.pk}/purge/").content.decode()
    assert 'name="name"' not in page and answer.json()["detail"] in page
    dataset.refresh_from_db()
    assert dataset.purged_at is None and Entry.objects.filter(dataset=dataset).exists()


def test_the_refusal_says_how_many_trainings_and_the_trash_shows_it(cast: Cast) -> None:
    dataset = published(DatasetFactory(project=cast.sample("project")))
    _in_use(dataset, cast)
    trashed(dataset)
    found = cast.owner.rest.post(f"/datasets/{dataset.pk}/purge", {"name": dataset.name}).json()
    assert "1 training refers" in found["detail"] and found["params"] == {"trainings": 1}
    (row,) = cast.owner.rest.get("/datasets/trash").json()["results"]
    assert (row["id"], row["training_count"]) == (str(dataset.pk), 1)
    assert "1 training refers to it: it stays." in cast.owner.portal.get("/datasets/trash/").content.decode()


def test_what_began_meanwhile_is_waited_for(cast: Cast) -> None:
    dataset = trashed(published(DatasetFactory(project=cast.sample("project"))))
    services.dataset_purge(actor=SYSTEM, dataset=dataset, name=dataset.name)
    upload = Upload.objects.create(dataset=dataset, state=UploadState.ANALYSING)
    assert trash.trash_empty() == 0 and Entry.objects.filter(dataset=dataset).exists()
    upload.delete()
    assert trash.trash_empty() == 1


def test_in_an_archive_nothing_changes(cast: Cast) -> None:
    dataset = cast.sample("trashed-dataset")
    Project.objects.filter(pk=dataset.project_id).update(archived_at=timezone.now())
    Dataset.objects.filter(pk=dataset.pk).update(deleted_at=timezone.now() - timedelta(days=99))
    with pytest.raises(Conflict) as caught:
        services.dataset_purge(actor=cast.platform.actor, dataset=dataset, name=dataset.name)
    assert caught.value.code == "project_archived"
    assert trash.trash_retain() == 0


# --- Passes


class Killed(BaseException):
    """As a worker that is killed: nothing catches it."""


@pytest.mark.parametrize("after", [0, 1, 2, 4, 7, 11])
def test_a_pass_that_is_killed_anywhere_is_finished_by_the_next(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(removing, "BATCH", 2)
    monkeypatch.setattr(collecting, "BATCH", 2)
    dataset = trashed(published(DatasetFactory(project=cast.sample("project"))))
    services.dataset_purge(actor=SYSTEM, dataset=dataset, name=dataset.name)
    left, real = [after], removing.batch_remove

    def counted(**arguments: Any) -> None:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        real(**arguments)

    monkeypatch.setattr(removing, "batch_remove", counted)
    with pytest.raises(Killed):
        trash.trash_empty()
    assert Dataset.objects.filter(pk=dataset.pk).exists(), "the row goes last: it says that there is more to do"
    monkeypatch.setattr(removing, "batch_remove", real)
    assert trash.trash_empty() == 1
    assert tables_with(str(dataset.pk)) <= LEFT and not Blob.objects.exists()
    assert trash.trash_empty() == 0


def test_a_pass_whose_time_is_up_hands_over(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removing, "BATCH", 2)
    dataset = trashed(published(DatasetFactory(project=cast.sample("project"))))
    services.dataset_purge(actor=SYSTEM, dataset=dataset, name=dataset.name)
    entries = Entry.objects.filter(dataset=dataset).count()
    sent: list[str] = []
    monkeypatch.setattr(trash, "send_hint", lambda name, **_options: sent.append(name))
    monkeypatch.setattr(trash, "PASS_SECONDS", -1.0)
    assert trash.trash_empty() == 0
    assert sent == ["departures.trash_empty"] and Entry.objects.filter(dataset=dataset).count() == entries
    monkeypatch.setattr(trash, "PASS_SECONDS", 40.0)
    assert trash.trash_empty() == 1


def test_one_that_cannot_go_stands_in_no_others_way(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (trashed(published(DatasetFactory(project=cast.sample("project")))) for _number in range(2))
    for dataset in (first, second):
        services.dataset_purge(actor=SYSTEM, dataset=dataset, name=dataset.name)
    # As if a training had come between the question and the act: the database keeps what it names.
    TrainingJob.objects.filter(pk=cast.sample("training-job").pk).update(dataset=first)
    assert trash.trash_empty() == 1
    assert set(Dataset.objects.filter(pk__in=[first.pk, second.pk])) == {first}


# --- Retention


def test_what_lay_there_long_enough_goes_by_itself_with_one_event_each(cast: Cast, settings: Any) -> None:
    settings.TRASH_RETENTION_DAYS = 30
    now = timezone.now()
    rows: list[Any] = [cast.sample(f"trashed-{kind}") for kind in ("dataset", "project", "experiment")]
    young = DatasetFactory(project=cast.sample("project"), deleted_at=now - timedelta(days=29))
    for row in rows:
        type(row).objects.filter(pk=row.pk).update(deleted_at=now - timedelta(days=30, minutes=1))
    assert trash.trash_retain() == 3 and trash.trash_retain() == 0
    assert trash.trash_empty() == 3
    assert not any(type(row).objects.filter(pk=row.pk).exists() for row in rows)
    assert Dataset.objects.filter(pk=young.pk, purged_at=None).exists()
    events = AuditEvent.objects.filter(action__in=["dataset.purged", "project.purged", "experiment.purged"])
    assert {event.entity_id for event in events} == {str(row.pk) for row in rows} and len(events) == 3


def test_one_that_cannot_go_by_itself_stands_in_no_others_way(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (cast.sample(name) for name in ("trashed-dataset", "trashed-experiment"))
    for days, row in ((99, first), (98, second)):
        type(row).objects.filter(pk=row.pk).update(deleted_at=timezone.now() - timedelta(days=days))

    def broken(*args: Any) -> None:
        raise RuntimeError("a fault of ours")

    found = [replace(kind, purge=broken) if kind.model is Dataset else kind for kind in trash.bins()]
    monkeypatch.setattr(trash, "bins", lambda: found)
    assert trash.trash_retain() == 1
    assert type(first).objects.get(pk=first.pk).purged_at is None
    assert Experiment.objects.get(pk=second.pk).purged_at is not None


def test_a_pass_of_the_retention_ends_in_time(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("trashed-dataset", "trashed-experiment"):
        row = cast.sample(name)
        type(row).objects.filter(pk=row.pk).update(deleted_at=timezone.now() - timedelta(days=99))
    monkeypatch.setattr(trash, "PASS_SECONDS", -1.0)
    assert trash.trash_retain() == 0
    monkeypatch.undo()
    assert trash.trash_retain() == 2


def test_without_a_retention_nothing_goes_by_itself(cast: Cast, settings: Any) -> None:
    settings.TRASH_RETENTION_DAYS = 0
    dataset = cast.sample("trashed-dataset")
    Dataset.objects.filter(pk=dataset.pk).update(deleted_at=timezone.now() - timedelta(days=4000))
    assert trash.trash_retain() == 0
    assert cast.owner.rest.get("/datasets/trash").json()["results"][0]["purge_due_at"] is None
    assert "not by itself" in cast.owner.portal.get("/datasets/trash/").content.decode()


def test_in_an_organization_that_waits_for_its_deletion_nothing_goes(cast: Cast) -> None:
    dataset = cast.sample("trashed-dataset")
    Dataset.objects.filter(pk=dataset.pk).update(deleted_at=timezone.now() - timedelta(days=99))
    Organization.objects.filter(pk=dataset.organization_id).update(closure=Closure.CLOSING)
    assert trash.trash_retain() == 0
    Organization.objects.filter(pk=dataset.organization_id).update(closure=Closure.OPEN)
    assert trash.trash_retain() == 1


@pytest.mark.parametrize("kind", ["dataset", "project", "experiment"])
def test_rest_says_when(cast: Cast, settings: Any, kind: str) -> None:
    settings.TRASH_RETENTION_DAYS = 12
    row = cast.sample(f"trashed-{kind}")
    (found,) = cast.owner.rest.get(f"/{kind}s/trash").json()["results"]
    assert found["id"] == str(row.pk)
    assert found["purge_due_at"][:19] == f"{row.deleted_at + timedelta(days=12):%Y-%m-%dT%H:%M:%S}"


@pytest.mark.parametrize("kind", ["dataset", "project"])
def test_pages_say_when_ask_and_delete(cast: Cast, settings: Any, kind: str) -> None:
    settings.TRASH_RETENTION_DAYS = 12
    row, portal = cast.sample(f"trashed-{kind}"), cast.owner.portal
    list_page = portal.get(f"/{kind}s/trash/").content.decode()
    assert f"{timezone.localtime(row.purge_due_at):%Y-%m-%d}" in list_page and f"/{kind}s/{row.pk}/purge/" in list_page
    asked = portal.get(f"/{kind}s/{row.pk}/purge/").content
    (form,) = [part for part in asked.split(b"<form") if b'name="name"' in part]
    assert b"csrfmiddlewaretoken" in form
    wrong = portal.post(f"/{kind}s/{row.pk}/purge/", {"name": "Another"})
    assert wrong.status_code == 422 and "Enter the name exactly as it is shown" in wrong.content.decode()
    assert portal.post(f"/{kind}s/{row.pk}/purge/", {"name": row.name}).status_code == 302
    assert row.name not in portal.get(f"/{kind}s/trash/").content.decode()
    assert portal.get(f"/{kind}s/{row.pk}/purge/").status_code == 404
    row.refresh_from_db()
    assert row.purged_at is not None


@pytest.mark.parametrize(
    ("app", "kind"), [("datasets", "dataset"), ("projects", "project"), ("experiments", "experiment")]
)
def test_the_admin_shows_the_trash_brings_back_and_deletes(cast: Cast, app: str, kind: str) -> None:
    row, portal = cast.sample(f"trashed-{kind}"), cast.platform.portal
    base = f"/admin/{app}/{kind}/"
    assert row.name not in portal.get(base).content.decode()
    shown = portal.get(f"{base}?trash=yes")
    assert row.name in shown.content.decode()
    assert [value for value, _label in shown.context["action_form"].fields["action"].choices if value] == [
        "restore_chosen",
        "purge_chosen",
    ]
    body = {"action": "purge_chosen", "_selected_action": [str(row.pk)]}
    for given in ({}, {"reason": "Room"}, {"reason": "", "name": row.name}, {"reason": "Room", "name": "Another"}):
        portal.post(f"{base}?trash=yes", {**body, **given})
        row.refresh_from_db()
        assert row.purged_at is None, given
    portal.post(f"{base}?trash=yes", {"action": "restore_chosen", "_selected_action": [str(row.pk)], "reason": "Ours"})
    row.refresh_from_db()
    assert row.deleted_at is None
    type(row).objects.filter(pk=row.pk).update(deleted_at=timezone.now())
    portal.post(f"{base}?trash=yes", {**body, "reason": "Room", "name": row.name})
    row.refresh_from_db()
    assert row.purged_at is not None
    (event,) = readable(AuditEvent.objects.filter(action=f"{kind}.purged"))
    assert event.params["because"] == "Room"


def test_the_admin_deletes_one_at_a_time(cast: Cast) -> None:
    rows = [DatasetFactory(project=cast.sample("project"), deleted_at=timezone.now()) for _number in range(2)]
    body = {"action": "purge_chosen", "_selected_action": [str(row.pk) for row in rows]}
    answer = cast.platform.portal.post(
        "/admin/datasets/dataset/?trash=yes", {**body, "reason": "Room", "name": rows[0].name}
    )
    assert "Choose one at a time." in answer.content.decode()
    assert not Dataset.objects.filter(purged_at__isnull=False).exists()


# --- A project


def _furnished(cast: Cast) -> Project:
    project = cast.sample("project")
    for name in (
        *("dataset", "private-dataset", "trashed-dataset", "dataset-upload", "dataset-snapshot", "dataset-export"),
        *("stopped-training", "checkpoint", "artifact", "experiment", "trashed-experiment", "run"),
        *("predicted-inference-job", "share", "group-share", "training-share", "invitation", "project-member"),
    ):
        cast.sample(name)
    Job.objects.filter(project=project).update(state=JobState.SUCCEEDED)
    return project


def test_a_project_goes_with_all_it_holds(cast: Cast) -> None:
    project = _furnished(cast)
    ids = [project.pk, cast.sample("dataset").pk, *Job.objects.filter(project=project).values_list("pk", flat=True)]
    ids += [cast.sample("experiment").pk, cast.sample("run").pk, cast.sample("checkpoint").pk]
    artifact = cast.sample("artifact")
    key = blob_key(project.organization_id, artifact.sha256)
    group = project.group_id
    projects.project_trash(actor=cast.owner.actor, project=project)
    projects.project_purge(actor=cast.owner.actor, project=project, name=project.name)
    assert trash.trash_empty() == 1
    for pk in ids:
        assert tables_with(str(pk)) <= LEFT, pk
    assert not type(project).group.field.related_model.objects.filter(pk=group).exists()
    assert stored_bytes([project.organization_id]) == 0
    assert results().size(key) is not None
    ran_out()
    sweep()
    assert results().size(key) is None
    assert OutboxMessage.objects.filter(topic="experiments.erase").count() >= 2, "their twins in MLflow go too"


def test_an_organizations_other_projects_lose_nothing(cast: Cast) -> None:
    project = _furnished(cast)
    other = published(DatasetFactory(project=ProjectFactory(organization=project.organization)))
    kept = blobs_of(other)
    projects.project_trash(actor=cast.owner.actor, project=project)
    projects.project_purge(actor=cast.owner.actor, project=project, name=project.name)
    trash.trash_empty()
    ran_out()
    sweep()
    assert {blob.sha256 for blob in Blob.objects.all()} == set(kept) and all(map(is_stored, kept.values()))


def test_a_project_that_others_need_or_that_works_stays(cast: Cast) -> None:
    project = cast.sample("project")
    dataset = cast.sample("dataset")
    elsewhere = ProjectFactory(organization=project.organization)
    training, queued = cast.sample("stopped-training"), cast.sample("queued-training")
    Project.objects.filter(pk=project.pk).update(deleted_at=timezone.now() - timedelta(days=99))
    project.refresh_from_db()

    def refusal() -> str:
        assert trash.trash_retain() == 0
        with pytest.raises(Conflict) as caught:
            projects.project_purge(actor=cast.owner.actor, project=project, name=project.name)
        return caught.value.code

    assert refusal() == "project_busy"
    Job.objects.filter(project=project).update(state=JobState.SUCCEEDED)
    queued.job.refresh_from_db()
    TrainingJob.objects.filter(pk=training.pk).update(dataset=dataset)
    Job.objects.filter(pk=training.pk).update(project=elsewhere)
    assert refusal() == "in_use"
    TrainingJob.objects.filter(pk=training.pk).update(dataset=None, start_from=cast.sample("checkpoint"))
    assert refusal() == "in_use"
    TrainingJob.objects.filter(pk=training.pk).update(start_from=None)
    Project.objects.filter(pk=project.pk).update(deleted_at=None)
    laid_open(dataset)
    Project.objects.filter(pk=project.pk).update(deleted_at=timezone.now() - timedelta(days=99))
    assert refusal() == "dataset_public"
    services.dataset_withdraw(actor=SYSTEM, dataset=dataset)
    assert trash.trash_retain() == 1


def test_what_lies_in_a_project_that_goes_makes_no_event_of_its_own(cast: Cast) -> None:
    dataset, project = cast.sample("trashed-dataset"), cast.sample("project")
    for row in (dataset, project):
        type(row).objects.filter(pk=row.pk).update(deleted_at=timezone.now() - timedelta(days=99))
    assert trash.trash_retain() == 1
    assert not AuditEvent.objects.filter(action="dataset.purged").exists()
    trash.trash_empty()
    assert not Dataset.objects.filter(pk=dataset.pk).exists()


# --- An experiment


def test_an_experiment_goes_with_its_runs_and_the_training_stays(cast: Cast) -> None:
    run, training = cast.sample("run"), cast.sample("training-job")
    experiment = run.experiment
    TrainingJob.objects.filter(pk=training.pk).update(run=run)
    Run.objects.filter(experiment=experiment).update(status="finished", ended_at=timezone.now())
    experiments.experiment_trash(actor=cast.owner.actor, experiment=experiment)
    with pytest.raises(Invalid):
        experiments.experiment_purge(actor=cast.owner.actor, experiment=experiment, name="Another")
    experiments.experiment_purge(actor=cast.owner.actor, experiment=experiment, name=experiment.name)
    assert trash.trash_empty() == 1
    assert not Experiment.objects.filter(pk=experiment.pk).exists() and not Run.objects.filter(pk=run.pk).exists()
    training.refresh_from_db()
    assert training.run_id is None and Checkpoint.objects.filter(job=training.job).count() >= 0
    assert OutboxMessage.objects.filter(topic="experiments.erase", payload__id=str(experiment.pk)).exists()


# --- Races: two connections


@pytest.mark.django_db(transaction=True)
def test_whoever_stores_holds_the_collection_back(cast: Cast) -> None:
    """An upload found the object there, and has not named it yet: meanwhile nothing is taken away."""
    dataset = published(DatasetFactory(project=cast.sample("project")))
    organization_id, blobs = dataset.organization_id, blobs_of(dataset)
    purged(dataset)
    ran_out()
    held, release = threading.Event(), threading.Event()

    def upload() -> None:
        with blobs_shared(organization_id):
            held.set()
            release.wait(30)
        connections.close_all()

    worker = threading.Thread(target=upload)
    worker.start()
    try:
        assert held.wait(30)
        assert sweep()["objects"] == 0 and all(map(is_stored, blobs.values()))
    finally:
        release.set()
        worker.join()
    assert sweep()["objects"] == len(blobs)


@pytest.mark.django_db(transaction=True)
def test_an_upload_beside_the_collection_loses_nothing(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """The collection has begun to take objects away when an upload of the same pictures is published: it waits, finds
    them gone, and stores them anew."""
    project = cast.sample("project")
    first = published(DatasetFactory(project=project))
    blobs = blobs_of(first)
    purged(first)
    ran_out()
    second = DatasetFactory(project=project)
    upload = uploaded(second, shapes(), actor=Actor.of(cast.owner.user, organization_id=second.organization_id))
    services.upload_publish(actor=cast.owner.actor, upload=upload)
    real, begun = collecting.delete_objects, threading.Event()

    def publish() -> None:
        services.upload_store(upload.pk)
        connections.close_all()

    worker = threading.Thread(target=publish)

    def slowly(organization_id: Any, digests: Any) -> None:
        if not begun.is_set():
            begun.set()
            worker.start()
            worker.join(1)
            assert worker.is_alive(), "the publication waits for the lock"
        real(organization_id, digests)

    monkeypatch.setattr(collecting, "delete_objects", slowly)
    assert collecting.collect() == len(blobs)
    worker.join(60)
    upload.refresh_from_db()
    assert upload.state == UploadState.PUBLISHED, upload.failure
    assert set(blobs_of(second)) == set(blobs)
    assert all(map(is_stored, blobs_of(second).values()))
    # What was noted before is settled, and nothing of it is taken away later.
    ran_out()
    assert sweep()["objects"] == 0 and all(map(is_stored, blobs_of(second).values()))
