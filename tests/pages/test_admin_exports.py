"""Every list of the admin as a file: the rows that the person sees, noted in the log, and no formula in it (T12)."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.contrib.messages import get_messages
from django.utils import timezone
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.admin import exports
from apps.core.outbox.models import OutboxMessage
from apps.core.testing import Cast, Person, assert_constant_queries
from apps.departures.models import PersonErasure
from apps.projects.models import Project
from tests.factories.projects import ProjectFactory

pytestmark = pytest.mark.django_db
PROJECTS = "/admin/projects/project/"
LISTS = [model for model, shown in admin.site._registry.items() if shown.exportable]  # type: ignore[attr-defined]
by_label = pytest.mark.parametrize("model", LISTS, ids=lambda model: model._meta.label)


#: One row for each list that no sample of the cast fills.
MADE: dict[str, Callable[[Cast], object]] = {
    "account.EmailAddress": lambda cast: cast.owner.user,
    "usersessions.UserSession": lambda cast: cast.owner.portal,
    "core.OutboxMessage": lambda cast: OutboxMessage.objects.create(topic="mail", payload={}),
    "mfa.Authenticator": lambda cast: cast.sample("guarded-user"),
    "auth.Group": lambda cast: Group.objects.create(name="Reviewers"),
    "departures.PersonErasure": lambda cast: PersonErasure.objects.create(person_id=cast.owner.user.pk, reason="Left"),
    "django_celery_beat.ClockedSchedule": lambda cast: ClockedSchedule.objects.create(clocked_time=timezone.now()),
    "django_celery_beat.CrontabSchedule": lambda cast: CrontabSchedule.objects.create(hour="4"),
    "django_celery_beat.IntervalSchedule": lambda cast: IntervalSchedule.objects.create(every=1, period="hours"),
    "django_celery_beat.SolarSchedule": lambda cast: SolarSchedule.objects.create(
        event="sunrise", latitude=37.5, longitude=127
    ),
    "django_celery_beat.PeriodicTask": lambda cast: PeriodicTask.objects.create(
        name="sweep", task="sweep", interval=IntervalSchedule.objects.create(every=1, period="hours")
    ),
}


def address(model: Any) -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


def export(person: Person, path: str, *rows: Any, form: str = "csv", **more: str) -> Any:
    person.user.is_staff = True
    person.user.save(update_fields=["is_staff"])
    body = {"action": "export_rows", "_selected_action": [str(row.pk) for row in rows], "sent": "1", "format": form}
    return person.portal.post(path, body | more)


def table(answer: Any) -> list[dict[str, str]]:
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def exported() -> list[Any]:
    return list(readable(AuditEvent.objects.filter(action="list.exported").order_by("time")))


@by_label
def test_every_list_is_taken_along_with_the_columns_that_it_shows(model: Any, cast: Cast) -> None:
    MADE.get(model._meta.label, lambda cast: cast.sample(model._meta.label))(cast)
    rows = list(cast.platform.portal.get(address(model)).context["cl"].queryset[:20])
    assert rows
    found = json.loads(export(cast.platform, address(model), *rows, form="json").content)
    assert {row["id"] for row in found} == {str(row.pk) for row in rows}
    shown = admin.site._registry[model].list_display
    assert all(len(row) == len(shown) + 1 for row in found)
    assert len(table(export(cast.platform, address(model), *rows))) == len(rows)
    (event, *_others) = exported()
    assert event.params["list"] == model._meta.label


def test_a_file_for_table_programs_begins_with_its_columns_and_holds_no_formula(cast: Cast) -> None:
    project = cast.sample("project")
    evil = '=HYPERLINK("https://evil.example","x")'
    Project.objects.filter(pk=project.pk).update(name=evil)
    answer = export(cast.platform, PROJECTS, project)
    (row,) = table(answer)
    assert (row["ID"], row["Name"]) == (str(project.pk), f"'{evil}")
    assert row["Organization"] == str(project.organization)
    assert answer["Content-Disposition"].startswith('attachment; filename="project-20')
    assert "no-store" in answer["Cache-Control"]
    (found,) = json.loads(export(cast.platform, PROJECTS, project, form="json").content)
    assert found["name"] == evil, "a program gets it as it is"


def test_each_organization_is_told_how_many_of_its_rows_left(cast: Cast) -> None:
    own = [cast.sample("project"), ProjectFactory(organization=cast.sample("organization"))]
    foreign = ProjectFactory(organization=cast.sample("foreign-organization"))
    export(cast.platform, PROJECTS, *own, foreign)
    told = {row.event.organization_id: row.params["count"] for row in exported()}
    assert told == {cast.sample("organization").pk: 2, cast.sample("foreign-organization").pk: 1}
    (row, *_others) = exported()
    assert "projects.Project" in row.sentence and str(row.params["count"]) in row.sentence


def test_an_organizations_own_staff_takes_its_own_rows_alone(cast: Cast) -> None:
    own = ProjectFactory(organization=cast.sample("foreign-organization"), name="Theirs")
    project = cast.sample("project")
    assert [row["ID"] for row in table(export(cast.stranger, PROJECTS, own, project))] == [str(own.pk)]
    everything = export(cast.stranger, PROJECTS, own, select_across="1")
    assert [row["ID"] for row in table(everything)] == [str(own.pk)]
    assert cast.canary not in everything.content.decode()
    assert {row.event.organization_id for row in exported()} == {own.organization_id}
    people = table(export(cast.stranger, "/admin/accounts/user/", cast.stranger.user, cast.owner.user))
    assert [row["ID"] for row in people] == [str(cast.stranger.user.pk)]
    assert exported()[-1].event.organization_id == own.organization_id, "people belong to none"


def test_all_that_a_filter_leaves_is_taken_along(cast: Cast) -> None:
    project, other = cast.sample("project"), ProjectFactory(name="Another")
    found = table(export(cast.platform, f"{PROJECTS}?q={cast.canary[:6]}", project, select_across="1"))
    assert [row["ID"] for row in found] == [str(project.pk)]
    assert str(other.pk) in {row["ID"] for row in table(export(cast.platform, PROJECTS, project, select_across="1"))}


def test_too_many_rows_are_refused_with_what_to_do(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MOST_ROWS", 1)
    answer = export(cast.platform, PROJECTS, cast.sample("project"), ProjectFactory())
    assert answer.status_code == 302
    assert any("Narrow the list" in str(message) for message in get_messages(answer.wsgi_request))
    assert exported() == []


def test_it_asks_for_the_format_first_and_takes_no_other(cast: Cast) -> None:
    body = {"action": "export_rows", "_selected_action": [str(cast.sample("project").pk)]}
    text = cast.platform.portal.post(PROJECTS, body).content.decode()
    assert 'value="csv"' in text and 'value="json"' in text and "Go on" in text
    assert export(cast.platform, PROJECTS, cast.sample("project"), form="exe").context is not None
    assert exported() == []


def test_the_log_has_exports_of_its_own(cast: Cast) -> None:
    assert cast.sample("audit.AuditEvent")
    assert 'value="export_rows"' not in cast.platform.portal.get("/admin/audit/auditevent/").content.decode()


def test_an_export_costs_the_same_for_one_and_for_twenty(cast: Cast) -> None:
    project = cast.sample("project")
    assert_constant_queries(
        lambda: export(cast.platform, PROJECTS, project, select_across="1"),
        add_rows=lambda count: ProjectFactory.create_batch(count, organization=project.organization),
    )
