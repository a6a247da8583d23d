"""Whatever the admin moves to the trash it lists there, and brings back, for those who may (T12)."""

from typing import Any

import pytest
from django.contrib import admin

from apps.audit.models import AuditEvent
from apps.core.admin import TrashAdmin
from apps.core.entities import Trashable
from apps.core.testing import Cast, Person

pytestmark = pytest.mark.django_db

#: Model → sample in the trash, and sample that is not.
SAMPLES = {
    "projects.Project": ("trashed-project", "project"),
    "datasets.Dataset": ("trashed-dataset", "dataset"),
    "experiments.Experiment": ("trashed-experiment", "experiment"),
}
every_kind = pytest.mark.parametrize("label", SAMPLES)


def address(label: str, trash: bool = True) -> str:
    return f"/admin/{label.lower().replace('.', '/')}/{'?trash=yes' if trash else ''}"


def staff(person: Person) -> Any:
    person.user.is_staff = True
    person.user.save(update_fields=["is_staff"])
    return person.portal


def restore(person: Person, label: str, row: Any, trash: bool = True) -> Any:
    body = {"action": "restore_chosen", "_selected_action": [str(row.pk)], "reason": "a test"}
    staff(person).post(address(label, trash), body)
    row.refresh_from_db()
    return row


def listed(person: Person, label: str, trash: bool) -> set[Any]:
    return {row.pk for row in staff(person).get(address(label, trash)).context["cl"].result_list}


def test_every_model_with_a_trash_has_it_in_the_admin() -> None:
    found = {model._meta.label: shown for model, shown in admin.site._registry.items() if issubclass(model, Trashable)}
    assert set(found) == set(SAMPLES)
    assert all(isinstance(shown, TrashAdmin) for shown in found.values())


@every_kind
def test_the_list_and_its_trash_hold_different_rows(label: str, cast: Cast) -> None:
    trashed, live = map(cast.sample, SAMPLES[label])
    assert trashed.pk in listed(cast.platform, label, trash=True)
    assert live.pk not in listed(cast.platform, label, trash=True)
    assert trashed.pk not in listed(cast.platform, label, trash=False)
    text = cast.platform.portal.get(address(label)).content.decode()
    assert f"{address(label, trash=False)}{trashed.pk}/change/" not in text, "it has no page until it is back"
    assert 'value="restore_chosen"' in text and 'value="delete_selected"' not in text
    assert 'value="restore_chosen"' not in cast.platform.portal.get(address(label, trash=False)).content.decode()


@every_kind
def test_what_was_deleted_there_comes_back(label: str, cast: Cast) -> None:
    trashed, live = map(cast.sample, SAMPLES[label])
    assert restore(cast.platform, label, trashed).deleted_at is None
    assert AuditEvent.objects.filter(action__endswith=".restored", entity_id=str(trashed.pk)).count() == 1
    path = f"{address(label, trash=False)}{live.pk}/delete/"
    assert cast.platform.portal.post(path, {"post": "yes", "reason": "a test"}).status_code == 302
    live.refresh_from_db()
    assert live.deleted_at is not None
    assert restore(cast.platform, label, live).deleted_at is None


@every_kind
def test_nobody_restores_what_they_may_not_and_a_stranger_does_not_see_it(label: str, cast: Cast) -> None:
    trashed = cast.sample(SAMPLES[label][0])
    for person in (cast.viewer, cast.stranger):
        assert listed(person, label, trash=True) == set()
        for trash in (True, False):
            assert restore(person, label, trashed, trash).deleted_at is not None
        assert str(trashed) not in staff(person).get(f"{address(label)}&q={cast.canary[:5]}").content.decode()
