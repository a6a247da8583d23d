"""Trainings that start again and again: who says when, what beat starts, and what is told when it starts nothing (R7)."""

from datetime import UTC, datetime

import pytest
from django.contrib.messages import get_messages
from django.utils.translation import override
from django_celery_beat.models import PeriodicTask

from apps.audit.models import AuditEvent
from apps.core.testing import Cast, Person
from apps.jobs.models import Job
from apps.jobs.states import JobState
from apps.training import services
from apps.training.cron import times_after
from apps.training.models import TrainingJob, TrainingSchedule
from apps.training.schedules import run_scheduled, training_schedule
from apps.training.tasks import run_scheduled as run_task
from tests.security.report import BAD_INPUT

pytestmark = pytest.mark.django_db
DAILY = {"cron": "0 3 * * *", "time_zone": "Asia/Seoul"}
#: What is no time.
BAD_TIMES = {
    "bad-T19 words": "every day",
    "bad-T19 four fields": "0 3 * *",
    "bad-T19 six fields": "0 0 3 * * *",
    "bad-T19 minute 60": "60 * * * *",
    "bad-T19 day of the week 7": "0 3 * * 7",
    "bad-T19 a step of nothing": "*/0 * * * *",
    "bad-T19 a negative minute": "-1 * * * *",
    "bad-T19 an empty part": "1, * * * *",
    "bad-T19 30 February": "0 0 30 2 *",
    "bad-T19 digits of another script": "٣ * * * *",
    "bad-T19 a command": "$(id) * * * *",
    "bad-T19 longer than it may be": f"{'1,' * 60}1 * * * *",
}


@pytest.fixture
def training(cast: Cast) -> TrainingJob:
    return services.training_create(
        actor=cast.editor.actor,
        project=cast.sample("project"),
        name="Nightly",
        trainer="reference",
        config={"steps": 5},
        resource_group=cast.sample("resource-group"),
    )


def address(training: TrainingJob) -> str:
    return f"/training-jobs/{training.pk}/schedule"


def page(training: TrainingJob) -> str:
    return f"/training/{training.pk}/schedule/"


def copies(training: TrainingJob) -> list[TrainingJob]:
    return list(TrainingJob.objects.filter(job__name=f"Copy of {training.job.name}").select_related("job"))


def scheduled(training: TrainingJob, person: Person) -> TrainingSchedule:
    with override("en"):
        return training_schedule(actor=person.actor, training=training, **DAILY)


def end(training: TrainingJob) -> None:
    Job.objects.filter(pk=training.pk).update(state=JobState.SUCCEEDED)


@pytest.mark.parametrize(
    ("cron", "time_zone", "times"),
    [
        ("0 3 * * *", "Asia/Seoul", ["2026-11-22T18:00:00+00:00", "2026-11-23T18:00:00+00:00"]),
        ("*/20 3 * * mon", "UTC", ["2026-11-23T03:00:00+00:00", "2026-11-23T03:20:00+00:00"]),
        ("0 0 29 2 *", "UTC", ["2028-02-29T00:00:00+00:00", "2032-02-29T00:00:00+00:00"]),
        # The night in which the clock goes from 2 to 3, and that in which it shows 2:30 twice: once a day all the same.
        ("30 2 * * *", "Europe/Berlin", ["2026-11-23T01:30:00+00:00", "2026-11-24T01:30:00+00:00"]),
    ],
)
def test_times_are_those_of_the_zone(cron: str, time_zone: str, times: list[str]) -> None:
    found = times_after(cron, time_zone, datetime(2026, 11, 22, 12, 30, 15, tzinfo=UTC), 2)
    assert [time.astimezone(UTC).isoformat() for time in found] == times


@pytest.mark.parametrize("month", [(2027, 3, 26), (2027, 10, 29)])
def test_a_clock_that_is_changed_costs_no_day_and_gives_none_twice(month: tuple[int, int, int]) -> None:
    found = times_after("30 2 * * *", "Europe/Berlin", datetime(*month, 12, tzinfo=UTC), 4)
    assert [(time.date() - found[0].date()).days for time in found] == [0, 1, 2, 3]


def test_an_editor_says_when_changes_it_and_ends_it(cast: Cast, training: TrainingJob) -> None:
    rest = cast.editor.rest
    assert rest.get(f"/training-jobs/{training.pk}").json()["schedule"] is None
    told = rest.post(address(training), DAILY).json()["schedule"]
    assert (told["cron"], told["time_zone"], told["last_at"], told["refusal"]) == (
        "0 3 * * *",
        "Asia/Seoul",
        None,
        None,
    )
    assert datetime.fromisoformat(told["next_at"]).astimezone(UTC).strftime("%H:%M") == "18:00"
    beat = PeriodicTask.objects.get(task="training.run_scheduled")
    assert (beat.args, beat.crontab.hour, str(beat.crontab.timezone)) == (f'["{training.pk}"]', "3", "Asia/Seoul")

    changed = rest.post(address(training), {"cron": " 5  4 * * mon ", "time_zone": "UTC"}).json()["schedule"]
    assert (changed["cron"], changed["time_zone"]) == ("5 4 * * mon", "UTC")
    assert PeriodicTask.objects.get(task="training.run_scheduled").crontab.minute == "5"
    assert [row["schedule"] for row in rest.get("/training-jobs").json()["results"]] == [changed]

    assert rest.delete(address(training)).status_code == 204
    assert rest.delete(address(training)).json()["code"] == "no_schedule"
    assert not PeriodicTask.objects.filter(task="training.run_scheduled").exists()
    assert not TrainingSchedule.objects.exists()
    noted = AuditEvent.objects.filter(action__contains="schedule").order_by("pk")
    assert [event.action for event in noted] == ["training.scheduled", "training.scheduled", "training.unscheduled"]


@pytest.mark.security(BAD_INPUT, "times of schedules")
@pytest.mark.parametrize("name", BAD_TIMES)
def test_what_is_no_time_is_refused_and_nothing_is_written(cast: Cast, training: TrainingJob, name: str) -> None:
    answer = cast.editor.rest.post(address(training), {**DAILY, "cron": BAD_TIMES[name]})
    assert answer.status_code == 400
    assert "cron" in answer.json()["errors"]
    assert (
        not TrainingSchedule.objects.exists() and not PeriodicTask.objects.filter(task__contains="training").exists()
    )


def test_an_unknown_time_zone_is_refused(cast: Cast, training: TrainingJob) -> None:
    answer = cast.editor.rest.post(address(training), {**DAILY, "time_zone": "../../etc/passwd"})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["time_zone"])


def test_beat_starts_a_copy_as_whoever_made_the_schedule(cast: Cast, training: TrainingJob) -> None:
    scheduled(training, cast.owner)
    run_task(str(training.pk))
    (copy,) = copies(training)
    assert (copy.job.state, copy.job.created_by, copy.config) == (JobState.QUEUED, cast.owner.user, training.config)
    told = cast.viewer.rest.get(f"/training-jobs/{training.pk}").json()
    assert told["job"]["state"] == "draft"
    assert (told["schedule"]["last_training_id"], told["schedule"]["refusal"]) == (str(copy.pk), None)


def test_one_starts_when_the_one_before_has_ended(cast: Cast, training: TrainingJob) -> None:
    scheduled(training, cast.owner)
    run_scheduled(training.pk)
    run_scheduled(training.pk)
    assert len(copies(training)) == 1
    assert TrainingSchedule.objects.get().refusal["code"] == "not_ended"
    end(copies(training)[0])
    run_scheduled(training.pk)
    assert len(copies(training)) == 2
    assert TrainingSchedule.objects.get().refusal == {}


def test_nothing_starts_for_somebody_who_may_not_any_more_and_the_schedule_says_so(
    cast: Cast, training: TrainingJob
) -> None:
    scheduled(training, cast.owner)
    cast.owner.user.memberships.update(state="suspended")
    run_scheduled(training.pk)
    assert copies(training) == []
    assert TrainingSchedule.objects.get().refusal["code"] == "not_found"
    with override("en"):
        assert "Nothing was started" in cast.editor.portal.get(page(training)).content.decode()


def test_nothing_starts_for_an_account_that_is_closed(cast: Cast, training: TrainingJob) -> None:
    scheduled(training, cast.owner)
    cast.owner.user.is_active = False
    cast.owner.user.save(update_fields=["is_active"])
    run_scheduled(training.pk)
    assert copies(training) == []
    assert TrainingSchedule.objects.get().refusal["code"] == "nobody"


def test_a_deleted_draft_takes_its_schedule_along(cast: Cast, training: TrainingJob) -> None:
    scheduled(training, cast.editor)
    services.training_delete(actor=cast.editor.actor, training=training)
    assert not TrainingSchedule.objects.exists()
    run_scheduled(training.pk)
    assert not PeriodicTask.objects.filter(task="training.run_scheduled").exists()


def test_the_page_makes_shows_and_ends_a_schedule(cast: Cast, training: TrainingJob) -> None:
    portal = cast.editor.portal
    with override("en"):
        assert "There is no schedule" in portal.get(page(training)).content.decode()
        refused = portal.post(page(training), {**DAILY, "cron": "0 3 * *"})
        assert refused.status_code == 422
        assert "is not valid" in refused.content.decode()
        assert 'value="0 3 * *"' in refused.content.decode()
        shown = portal.post(page(training), DAILY).content.decode()
        assert "0 3 * * *" in shown and cast.editor.user.name in shown
        ended = portal.post(f"{page(training)}end/")
        assert "There is no schedule" in ended.content.decode()
        # Twice: what is wanted is so.
        assert portal.post(f"{page(training)}end/").status_code == 200


def test_a_viewer_sees_the_schedule_and_whom_to_ask(cast: Cast, training: TrainingJob) -> None:
    scheduled(training, cast.editor)
    with override("en"):
        shown = cast.viewer.portal.get(page(training)).content.decode()
    assert "0 3 * * *" in shown and "editor of the project" in shown
    assert "<form" not in shown
    assert cast.viewer.portal.post(page(training), DAILY).status_code == 403
    assert cast.viewer.portal.post(f"{page(training)}end/").status_code == 403
    assert TrainingSchedule.objects.exists()


def test_the_admin_shows_a_schedule_and_ends_it(cast: Cast, training: TrainingJob) -> None:
    scheduled(training, cast.editor)
    listing = "/admin/training/trainingjob/"
    assert "0 3 * * * (Asia/Seoul)" in cast.platform.portal.get(f"{listing}{training.pk}/change/").content.decode()
    with override("en"):
        answer = cast.platform.portal.post(listing, {"action": "unschedule", "_selected_action": [str(training.pk)]})
        told = [str(message) for message in get_messages(answer.wsgi_request)]
    assert told == ["No longer scheduled: Nightly."]
    assert not TrainingSchedule.objects.exists()
