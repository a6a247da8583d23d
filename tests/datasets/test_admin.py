"""Datasets in the admin: snapshots, checks, exports and the default split by actions (D4, D6, D7, D12, T12)."""

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.utils.translation import override

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.testing import Cast, Person
from apps.datasets.models import Dataset, Export, IntegrityCheck, Snapshot
from apps.datasets.services import split_set

pytestmark = pytest.mark.django_db
LIST = "/admin/datasets/dataset/"


def act(person: Person, action: str, *rows: Dataset, **given: str) -> tuple[int, list[str]]:
    person.user.is_staff = True
    person.user.save(update_fields=["is_staff"])
    body = {"action": action, "_selected_action": [str(row.pk) for row in rows], **given}
    with override("en"):
        answer: Any = person.portal.post(LIST, body)
    return answer.status_code, [str(message) for message in get_messages(answer.wsgi_request)]


def test_a_snapshot_is_taken_once(cast: Cast) -> None:
    dataset = cast.sample("grown-dataset")
    assert f"A snapshot was taken of {dataset}." in act(cast.platform, "fix_version", dataset)[1]
    _status, said = act(cast.platform, "fix_version", dataset)
    assert any("has not changed since" in line for line in said)
    assert Snapshot.objects.filter(dataset=dataset).count() == 1


def test_its_files_are_checked_and_an_empty_one_is_named(cast: Cast) -> None:
    dataset, empty = cast.sample("grown-dataset"), cast.sample("private-dataset")
    Dataset.objects.filter(pk=empty.pk).update(revision_no=0)
    _status, said = act(cast.platform, "check_integrity", dataset, empty)
    assert any(line.startswith(f"{empty}: The dataset is empty.") for line in said)
    assert list(IntegrityCheck.objects.values_list("dataset", "created_by")) == [(dataset.pk, cast.platform.user.pk)]


def test_it_is_written_in_the_format_that_is_asked_for(cast: Cast) -> None:
    dataset = cast.sample("grown-dataset")
    assert act(cast.platform, "write_export", dataset)[0] == 200, "it asks for the format"
    assert act(cast.platform, "write_export", dataset, sent="1", format="papyrus")[0] == 200
    assert not Export.objects.exists()
    assert act(cast.platform, "write_export", dataset, sent="1", format="coco")[0] == 302
    assert list(Export.objects.values_list("dataset", "format")) == [(dataset.pk, "coco")]


def test_the_page_that_asks_sends_what_it_needs_to_be_answered(cast: Cast) -> None:
    dataset = cast.sample("grown-dataset")
    body = {"action": "write_export", "_selected_action": [str(dataset.pk)]}
    text = cast.platform.portal.post(LIST, body).content.decode()
    for field in ('name="sent" value="1"', 'name="action" value="write_export"', 'name="format"', str(dataset.pk)):
        assert field in text
    assert 'name="reason"' not in text


def test_its_own_split_is_taken_away_for_a_reason(cast: Cast) -> None:
    dataset = cast.sample("grown-dataset")
    split_set(actor=cast.owner.actor, dataset=dataset, method="auto", ratios={"train": 0.5, "val": 0.5, "test": 0.0})
    assert act(cast.platform, "remove_split", dataset)[0] == 200
    assert act(cast.platform, "remove_split", dataset, reason="Made by mistake")[0] == 302
    dataset.refresh_from_db()
    assert dataset.split_plan is None
    (event,) = readable(AuditEvent.objects.filter(action="dataset.split_removed"))
    assert event.params["because"] == "Made by mistake"


def test_who_may_only_look_does_none_of_it_but_export(cast: Cast) -> None:
    dataset = cast.sample("grown-dataset")
    before = AuditEvent.objects.count()
    for person in (cast.viewer, cast.stranger):
        for action in ("fix_version", "check_integrity", "remove_split"):
            act(person, action, dataset, reason="a test")
    act(cast.stranger, "write_export", dataset, sent="1", format="coco")
    assert AuditEvent.objects.count() == before
    act(cast.viewer, "write_export", dataset, sent="1", format="coco")
    assert Export.objects.get().created_by == cast.viewer.user
