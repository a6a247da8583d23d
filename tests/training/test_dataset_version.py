"""A training that names a version of its dataset learns from this one, through every door."""

import re
import threading
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils.translation import override

from apps.audit.models import AuditEvent
from apps.audit.selectors import ReadableEvent, readable
from apps.core.errors import Conflict, Invalid, NotFound
from apps.core.portal import choices
from apps.core.testing import Cast
from apps.datasets.models import Blob, Dataset, Entry, Snapshot
from apps.datasets.services import snapshot_create, snapshot_delete, split_set, version_for_training
from apps.jobs.models import Job
from apps.jobs.states import JobState
from apps.training.models import TrainingJob
from apps.training.schedules import run_scheduled, training_schedule
from apps.training.services import training_clone, training_create, training_retry, training_start
from tests.factories.datasets import SYSTEM, DatasetFactory, published, shapes

pytestmark = pytest.mark.django_db
OWN = {"method": "auto", "seed": 1, "ratios": {"train": 0.5, "val": 0.5}}
NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    """A set of which v1 is fixed, and that has grown since."""
    made = published(DatasetFactory(project=cast.sample("project"), name="Shapes"))
    snapshot_create(actor=SYSTEM, dataset=made)
    return published(made, shapes(train=4, val=2, seed=1))


@pytest.fixture
def first(dataset: Dataset) -> Snapshot:
    return dataset.snapshots.get()


@pytest.fixture
def other(cast: Cast) -> Snapshot:
    """A version of another dataset of the same project."""
    made = published(DatasetFactory(project=cast.sample("project"), name="Others"), shapes(seed=2))
    return snapshot_create(actor=SYSTEM, dataset=made)


def untrainable(dataset: Dataset) -> Snapshot:
    split_set(actor=SYSTEM, dataset=dataset, method="auto", ratios={"train": 1.0, "val": 0.0, "test": 0.0})
    return snapshot_create(actor=SYSTEM, dataset=dataset, tag="all-train")


def body(cast: Cast, dataset: Dataset | None, version: Any = None, **fields: Any) -> dict[str, Any]:
    facts = {"name": "Of a version", "project_id": str(cast.sample("project").pk), "trainer": "reference"}
    facts |= {"resource_group_id": str(cast.sample("resource-group").pk)}
    facts |= {"dataset_id": str(dataset.pk) if dataset else None}
    facts |= {"dataset_version_id": str(getattr(version, "pk", version)) if version else None}
    return {**facts, **fields}


def drafted(cast: Cast, dataset: Dataset | None, version: Any = None, **fields: Any) -> TrainingJob:
    made = cast.editor.rest.post("/training-jobs", body(cast, dataset, version, **fields))
    assert made.status_code == 201, made.content
    return TrainingJob.objects.get(pk=made.json()["id"])


def last_event(action: str, training: TrainingJob) -> ReadableEvent:
    event = AuditEvent.objects.filter(action=f"training.{action}", entity_id=training.pk).latest("pk")
    return readable([event])[0]


def ended(training: TrainingJob) -> TrainingJob:
    Job.objects.filter(pk=training.pk).update(state=JobState.FAILED)
    return TrainingJob.objects.get(pk=training.pk)


# What is learnt from


def test_a_draft_learns_from_the_version_that_it_names(dataset: Dataset, first: Snapshot, cast: Cast) -> None:
    draft = drafted(cast, dataset, first)
    assert (draft.dataset_version, draft.snapshot) == (first, None)
    started = cast.editor.rest.post(f"/training-jobs/{draft.pk}/start").json()
    assert started["snapshot_id"] == started["dataset_version_id"] == str(first.pk)
    assert Snapshot.objects.count() == 1, "nothing is fixed anew"
    assert last_event("started", draft).params["snapshot"] == str(first.pk)


def test_without_a_version_it_learns_from_what_the_dataset_is(dataset: Dataset, first: Snapshot, cast: Cast) -> None:
    started = training_start(actor=cast.editor.actor, training=drafted(cast, dataset))
    assert started.snapshot is not None and started.snapshot != first
    assert (started.snapshot.revision.no, started.dataset_version) == (2, None)


def test_copies_keep_the_version(dataset: Dataset, first: Snapshot, cast: Cast) -> None:
    training = training_start(actor=cast.editor.actor, training=drafted(cast, dataset, first))
    copy = training_clone(actor=cast.editor.actor, training=training)
    again = training_retry(actor=cast.editor.actor, training=ended(training))
    training_schedule(actor=cast.editor.actor, training=copy, cron="0 3 * * *", time_zone="Asia/Seoul")
    run_scheduled(copy.pk)
    scheduled = TrainingJob.objects.exclude(pk__in=[training.pk, copy.pk, again.pk]).get()
    assert (copy.dataset_version, copy.snapshot) == (first, None)
    for found in (again, scheduled):
        assert found.dataset_version == found.snapshot == first


def test_copies_of_one_that_took_the_latest_take_the_latest_of_their_day(dataset: Dataset, cast: Cast) -> None:
    training = training_start(actor=cast.editor.actor, training=drafted(cast, dataset))
    published(dataset, shapes(train=5, val=3, seed=4))
    copy = training_clone(actor=cast.editor.actor, training=training)
    again = training_retry(actor=cast.editor.actor, training=ended(training))
    assert copy.dataset_version is None and again.dataset_version is None
    assert training.snapshot is not None and again.snapshot is not None
    assert (training.snapshot.revision.no, again.snapshot.revision.no) == (2, 3)


def test_a_version_with_a_picture_that_cannot_be_decoded_does_not_start(
    dataset: Dataset, first: Snapshot, cast: Cast
) -> None:
    gone = Entry.objects.filter(dataset=dataset, to_revision=2, is_image=True).first()
    assert gone is not None, "the second revision has another picture in its place"
    Blob.objects.filter(pk=gone.blob_id).update(is_sound=False)
    draft = drafted(cast, dataset, first)
    with override("en"), pytest.raises(Conflict) as refused:
        training_start(actor=cast.editor.actor, training=draft)
    assert (refused.value.code, refused.value.hint) == ("image_broken", "Choose another version.")
    cast.editor.rest.patch(f"/training-jobs/{draft.pk}", {"dataset_version_id": None})
    assert training_start(actor=cast.editor.actor, training=draft).snapshot != first


# Naming one


def test_a_version_is_named_changed_and_taken_away_over_rest(dataset: Dataset, first: Snapshot, cast: Cast) -> None:
    draft = drafted(cast, dataset, first)
    assert last_event("created", draft).params["dataset_version"] == "v1"
    address = f"/training-jobs/{draft.pk}"
    assert cast.viewer.rest.get(address).json()["dataset_version_id"] == str(first.pk)
    assert cast.editor.rest.patch(address, {"name": "Other"}).json()["dataset_version_id"] == str(first.pk)
    taken = cast.editor.rest.patch(address, {"dataset_version_id": None}).json()
    assert (taken["dataset_version_id"], taken["dataset_id"]) == (None, str(dataset.pk))
    changed = last_event("changed", draft)
    assert (changed.before, changed.after) == ({"dataset_version": "Shapes v1"}, {"dataset_version": "None"})
    named = cast.editor.rest.patch(address, {"dataset_version_id": str(first.pk)}).json()
    assert named["dataset_version_id"] == str(first.pk) and named["version"] == taken["version"] + 1


def test_another_dataset_comes_with_its_latest_version(
    dataset: Dataset, first: Snapshot, other: Snapshot, cast: Cast
) -> None:
    address = f"/training-jobs/{drafted(cast, dataset, first).pk}"
    same = cast.editor.rest.patch(address, {"dataset_id": str(dataset.pk)}).json()
    assert same["dataset_version_id"] == str(first.pk)
    moved = cast.editor.rest.patch(address, {"dataset_id": str(other.dataset_id)}).json()
    assert (moved["dataset_id"], moved["dataset_version_id"]) == (str(other.dataset_id), None)
    both = {"dataset_id": str(dataset.pk), "dataset_version_id": str(first.pk)}
    assert cast.editor.rest.patch(address, both).json()["dataset_version_id"] == str(first.pk)
    none = cast.editor.rest.patch(address, {"dataset_id": None}).json()
    assert (none["dataset_id"], none["dataset_version_id"]) == (None, None)


@pytest.fixture
def refused(dataset: Dataset, other: Snapshot, cast: Cast) -> dict[str, tuple[Any, str, str]]:
    """What is named → what is sent, its field in the answer, and the code."""
    theirs = cast.stranger.rest.post("/projects", {"name": "Elsewhere"}).json()["id"]
    made = DatasetFactory(project_id=theirs, organization_id=cast.stranger.organization_id)
    foreign = snapshot_create(actor=SYSTEM, dataset=published(made))
    gone = snapshot_create(actor=SYSTEM, dataset=dataset, tag="gone")
    snapshot_delete(actor=SYSTEM, snapshot=gone)
    return {
        "foreign": (foreign.pk, "dataset_version_id", "invalid"),
        "deleted": (gone.pk, "dataset_version_id", "invalid"),
        "unknown": (NOBODY, "dataset_version_id", "invalid"),
        "no id": ("v1", "dataset_version_id", "invalid"),
        "of another dataset": (other.pk, "dataset_version_id", "version_unknown"),
        "without val": (untrainable(dataset).pk, "dataset_version_id", "split_empty"),
    }


@pytest.mark.parametrize("name", ["foreign", "deleted", "unknown", "no id", "of another dataset", "without val"])
def test_what_is_no_version_to_learn_from_is_refused_by_its_field(
    dataset: Dataset, refused: dict[str, tuple[Any, str, str]], cast: Cast, name: str
) -> None:
    version, field, code = refused[name]
    draft, before = drafted(cast, dataset), TrainingJob.objects.count() + 1
    made = cast.editor.rest.post("/training-jobs", body(cast, dataset, version))
    changed = cast.editor.rest.patch(f"/training-jobs/{draft.pk}", {"dataset_version_id": str(version)})
    for answer in (made, changed):
        assert (answer.status_code, answer.json()["code"]) == (400, code), answer.content
        assert field in answer.json()["errors"]
    draft.refresh_from_db()
    assert draft.dataset_version is None and TrainingJob.objects.count() == before - 1


def test_a_version_needs_its_dataset(first: Snapshot, cast: Cast) -> None:
    answer = cast.editor.rest.post("/training-jobs", body(cast, None, first))
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["dataset_id"])


def test_a_version_has_its_own_split(dataset: Dataset, first: Snapshot, cast: Cast) -> None:
    answer = cast.editor.rest.post("/training-jobs", body(cast, dataset, first, split=OWN))
    assert (answer.status_code, answer.json()["code"]) == (400, "version_split")
    assert list(answer.json()["errors"]) == ["split"] and answer.json()["hint"]
    address = f"/training-jobs/{drafted(cast, dataset, first).pk}"
    assert cast.editor.rest.patch(address, {"split": OWN}).json()["code"] == "version_split"
    either = cast.editor.rest.patch(address, {"split": OWN, "dataset_version_id": None}).json()
    assert (either["split"]["method"], either["dataset_version_id"]) == ("auto", None)
    assert cast.editor.rest.patch(address, {"dataset_version_id": str(first.pk)}).json()["code"] == "version_split"
    back = cast.editor.rest.patch(address, {"split": None, "dataset_version_id": str(first.pk)}).json()
    assert (back["split"], back["dataset_version_id"]) == (None, str(first.pk))


def test_the_database_keeps_to_it_too(dataset: Dataset, first: Snapshot, cast: Cast) -> None:
    rows = TrainingJob.objects.filter(pk=drafted(cast, dataset, first).pk)
    latest = snapshot_create(actor=SYSTEM, dataset=dataset)
    for wrong in ({"split": OWN}, {"dataset": None}, {"snapshot": latest}):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(**wrong)
    assert rows.update(snapshot=first) == 1


def test_who_may_not_use_the_dataset_names_none_of_its_versions(first: Snapshot, cast: Cast) -> None:
    assert version_for_training(actor=cast.viewer.actor, dataset=first.dataset, version=first) == first
    with pytest.raises(NotFound):
        version_for_training(actor=cast.stranger.actor, dataset=first.dataset, version=first)


# What is named stays


def test_a_version_that_a_draft_names_is_not_deleted(dataset: Dataset, first: Snapshot, cast: Cast) -> None:
    draft = drafted(cast, dataset, first)
    address = f"/datasets/{dataset.pk}/snapshots/{first.pk}"
    answer = cast.editor.rest.delete(address)
    assert (answer.status_code, answer.json()["code"]) == (409, "snapshot_in_use")
    assert "Drafts of trainings name this snapshot." in answer.json()["detail"]
    training_start(actor=cast.editor.actor, training=draft)
    assert "Jobs were trained on this snapshot." in cast.editor.rest.delete(address).json()["detail"]


def test_it_may_go_when_the_draft_is_gone(dataset: Dataset, first: Snapshot, cast: Cast) -> None:
    draft = drafted(cast, dataset, first)
    cast.editor.rest.delete(f"/training-jobs/{draft.pk}")
    assert cast.editor.rest.delete(f"/datasets/{dataset.pk}/snapshots/{first.pk}").status_code == 204


def test_a_version_that_goes_between_the_form_and_its_saving_is_refused_by_name(
    dataset: Dataset, first: Snapshot, cast: Cast
) -> None:
    found = Snapshot.objects.get(pk=first.pk)
    snapshot_delete(actor=SYSTEM, snapshot=first)
    values: dict[str, Any] = {"project": dataset.project, "name": "Late", "trainer": "reference", "dataset": dataset}
    values["resource_group"] = cast.sample("resource-group")
    with pytest.raises(Invalid) as refused:
        training_create(actor=cast.editor.actor, dataset_version=found, **values)
    assert refused.value.code == "version_unknown" and "dataset_version_id" in refused.value.fields


@pytest.mark.django_db(transaction=True)
def test_a_version_is_locked_until_the_draft_that_names_it_is_saved(
    dataset: Dataset, first: Snapshot, cast: Cast
) -> None:
    """A foreign key is checked when the transaction ends: without the lock a deletion could slip in before."""
    seen: list[bool] = []

    def delete_meanwhile() -> None:
        try:
            with transaction.atomic():
                rows = Snapshot.objects.select_for_update(of=("self",), skip_locked=True)
                seen.append(bool(list(rows.filter(pk=first.pk))))
        finally:
            connection.close()

    values: dict[str, Any] = {"project": dataset.project, "name": "Soon", "trainer": "reference", "dataset": dataset}
    values["resource_group"] = cast.sample("resource-group")
    with transaction.atomic():
        training_create(actor=cast.editor.actor, dataset_version=first, **values)
        thread = threading.Thread(target=delete_meanwhile)
        thread.start()
        thread.join()
    assert seen == [False], "who would delete it has to wait"
    with pytest.raises(Conflict):
        snapshot_delete(actor=SYSTEM, snapshot=first)


# Pages


def choice_of(page: str) -> tuple[list[str], str]:
    """Values of the choice of versions in their order ("" is the latest), and the one that is taken."""
    select = re.search(r'<select[^>]* name="dataset_version".*?</select>', page, re.DOTALL)
    assert select is not None, page[-3000:]
    found = re.findall(r'<option value="([^"]*)"( selected)?', select[0])
    return [value for value, _mark in found], next((value for value, mark in found if mark), "")


def new_form(cast: Cast, **query: Any) -> str:
    address = reverse("training:create", query={"trainer": "ultralytics", **query})
    return cast.editor.portal.get(address).content.decode()


def values_of(cast: Cast, dataset: Dataset, **fields: Any) -> dict[str, Any]:
    form = cast.editor.portal.get(reverse("training:create") + "?trainer=ultralytics").context["form"]
    facts = {name: form[name].initial for name in ("cpus", "memory_mb", "gpus", "priority", "seed")}
    facts |= {"name": "By form", "project": dataset.project_id, "dataset": dataset.pk, "task": "detect"}
    facts |= {"model": "yolov8n", "resource_group": cast.sample("resource-group").pk, "draft": "1"}
    return {**facts, **fields}


def test_the_form_offers_the_latest_and_the_versions_of_its_dataset(
    dataset: Dataset, first: Snapshot, other: Snapshot, cast: Cast
) -> None:
    second = snapshot_create(actor=SYSTEM, dataset=dataset)
    untrainable(dataset)
    assert choice_of(new_form(cast)) == ([""], ""), "no dataset is chosen"
    values = ["", str(second.pk), str(first.pk)]
    assert choice_of(new_form(cast, dataset=dataset.pk)) == (values, "")
    page = new_form(cast, dataset=dataset.pk, version="v1")
    assert choice_of(page) == (values, str(first.pk))
    assert "v1 (r1) · train 3, val 2, test 0" in page and "Latest (fixed when it starts)" in page


@pytest.mark.parametrize("named", ["v9", "r1", "head", "", "\0", "' or 1=1", NOBODY])
def test_an_address_with_a_version_that_is_not_there_takes_the_latest(
    dataset: Dataset, cast: Cast, named: str
) -> None:
    page = new_form(cast, dataset=dataset.pk, version=named, dataset_version=named)
    assert choice_of(page)[1] == ""


def test_another_dataset_brings_its_own_versions(
    dataset: Dataset, first: Snapshot, other: Snapshot, cast: Cast
) -> None:
    page = new_form(cast, dataset=dataset.pk, version="v1")
    found = re.search(r'id="dataset-version" hx-get="([^"]+)" hx-include="#id_dataset"', page)
    assert found is not None
    part = cast.editor.portal.get(f"{found[1]}&dataset={other.dataset_id}")
    assert part.templates[0].name == "training/_version_choice.html"
    assert choice_of(part.content.decode()) == (["", str(other.pk)], "")
    assert choice_of(cast.editor.portal.get(f"{found[1]}&dataset=").content.decode()) == ([""], "")
    theirs = cast.stranger.portal.get(f"{found[1]}&dataset={dataset.pk}").content.decode()
    assert choice_of(theirs) == ([""], ""), "what one does not see has no versions"


def test_the_form_saves_a_version_and_is_filled_in_with_it(dataset: Dataset, first: Snapshot, cast: Cast) -> None:
    address = reverse("training:create") + "?trainer=ultralytics"
    posted = cast.editor.portal.post(address, values_of(cast, dataset, dataset_version=first.pk))
    assert posted.status_code == 302, posted.content.decode()[-3000:]
    draft = TrainingJob.objects.get(job__name="By form")
    assert draft.dataset_version == first
    change = reverse("training:change", args=[draft.pk])
    assert choice_of(cast.editor.portal.get(change).content.decode()) == (["", str(first.pk)], str(first.pk))
    latest = cast.editor.portal.post(change, values_of(cast, dataset, dataset_version=""))
    assert latest.status_code == 302
    draft.refresh_from_db()
    assert draft.dataset_version is None


def test_without_scripts_another_dataset_refuses_the_version_and_offers_its_own(
    dataset: Dataset, first: Snapshot, other: Snapshot, cast: Cast
) -> None:
    address = reverse("training:create") + "?trainer=ultralytics"
    answer = cast.editor.portal.post(address, values_of(cast, other.dataset, dataset_version=first.pk))
    page = answer.content.decode()
    assert (answer.status_code, TrainingJob.objects.exists()) == (422, False)
    assert "Choose a version of this dataset." in page
    assert choice_of(page) == (["", str(other.pk)], "")


def test_the_form_says_that_a_version_has_its_split(dataset: Dataset, first: Snapshot, cast: Cast) -> None:
    own = {"split_method": "auto", "split_train": "0.6", "split_val": "0.4", "split_test": "0", "split_seed": "8"}
    address = reverse("training:create") + "?trainer=ultralytics"
    answer = cast.editor.portal.post(address, values_of(cast, dataset, dataset_version=first.pk, **own))
    assert answer.status_code == 422
    assert "A version of the dataset has its own split." in answer.content.decode()


def test_of_many_versions_the_tag_is_typed(
    dataset: Dataset, first: Snapshot, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot_create(actor=SYSTEM, dataset=dataset)
    monkeypatch.setattr(choices, "LISTED", 1)
    page = new_form(cast, dataset=dataset.pk, version="v1")
    field = re.search(r'<input[^>]* name="dataset_version"[^>]*>', page)
    assert field is not None and 'type="search"' in field[0] and 'value="v1"' in field[0]
    assert str(first.pk) not in page and "Empty: the latest, fixed when the training starts." in page
    address = reverse("training:create") + "?trainer=ultralytics"
    assert cast.editor.portal.post(address, values_of(cast, dataset, dataset_version="v1")).status_code == 302
    assert TrainingJob.objects.get().dataset_version == first


def test_the_trainings_page_names_what_it_learns_from(dataset: Dataset, first: Snapshot, cast: Cast) -> None:
    named, latest = drafted(cast, dataset, first), drafted(cast, dataset)

    def fact_on_page(training: TrainingJob, fact: str = "Dataset version") -> str:
        page = cast.viewer.portal.get(reverse("training:config", args=[training.pk])).content.decode()
        found = re.search(rf"<dt>{fact}</dt><dd>(.*?)</dd>", page)
        assert found is not None
        return found[1]

    assert (fact_on_page(named), fact_on_page(named, "Split")) == ("v1", "As uploaded (Default)")
    assert fact_on_page(latest) == "Latest (fixed when it starts)"
    assert fact_on_page(latest, "Split") == "As the dataset has it"
    assert fact_on_page(drafted(cast, None)) == "–"
    for training in (named, latest):
        training_start(actor=cast.editor.actor, training=training)
    assert fact_on_page(named) == "v1"
    assert fact_on_page(latest) == "v2 (the latest when it started)"


def test_a_version_leads_to_a_training_on_it(dataset: Dataset, first: Snapshot, cast: Cast) -> None:
    untrainable(dataset)
    page = cast.viewer.portal.get(reverse("datasets:versions", args=[dataset.pk])).content.decode()
    (address,) = re.findall(r'href="(/training/new/[^"]+version=[^"]+)" aria-label="Train on this version"', page)
    form = cast.editor.portal.get(address.replace("&amp;", "&")).context["form"]
    assert [form[name].value() for name in ("dataset", "dataset_version")] == [str(dataset.pk), first.pk]


def test_a_draft_is_shown_beside_its_version_and_has_seen_no_image(
    dataset: Dataset, first: Snapshot, cast: Cast
) -> None:
    draft = drafted(cast, dataset, first)
    page = cast.editor.portal.get(reverse("datasets:versions", args=[dataset.pk])).content.decode()
    assert draft.get_absolute_url() in page and "Delete. Drafts of trainings name this snapshot." in page
    usage, item = reverse("datasets:usage", args=[dataset.pk]), dataset.items.get(path="images/val/val-0000.jpg")
    assert draft.get_absolute_url() in cast.editor.portal.get(f"{usage}?version=v1").content.decode()
    assert draft.get_absolute_url() not in cast.editor.portal.get(f"{usage}?image={item.pk}").content.decode()

    def used(**query: Any) -> list[tuple[str, str | None]]:
        found = cast.editor.rest.get(f"/datasets/{dataset.pk}/usage", query).json()["results"]
        return [(row["id"], row["snapshot_id"]) for row in found]

    expected = [(str(draft.pk), str(first.pk))]
    assert (used(), used(version="v1"), used(image=item.pk)) == (expected, expected, [])
    training_start(actor=cast.editor.actor, training=draft)
    assert used(image=item.pk) == expected
