"""The table of transitions, every pair of it, and the one function that follows it."""

import pytest

from apps.jobs.models import Job, JobEvent
from apps.jobs.services.transitions import IllegalTransition, set_state
from apps.jobs.states import ACTIVE, COLORS, RESUMABLE, TERMINAL, TRANSITIONS, JobState
from tests.jobs.support import make_job

pytestmark = pytest.mark.django_db

# Rows: from; columns: to. Written out, so that a change of the table is a change of this text too.
TABLE = """
             draft queued starting running unreachable stopping succeeded stopped failed errored
draft        .     x      .        .       .           .        .         .       .      .
queued       .     .      x        .       .           .        .         x       .      x
starting     .     x      .        x       x           x        x         x       x      x
running      .     x      .        .       x           x        x         x       x      x
unreachable  .     x      x        x       .           x        x         x       x      x
stopping     .     x      .        .       x           .        x         x       x      x
succeeded    .     .      .        .       .           .        .         .       .      .
stopped      .     x      .        .       .           .        .         .       .      .
failed       .     x      .        .       .           .        .         .       .      .
errored      .     x      .        .       .           .        .         .       .      .
"""


def pairs() -> list[tuple[str, str, bool]]:
    header, *rows = (line.split() for line in TABLE.strip().splitlines())
    found = [(row[0], to, cell == "x") for row in rows for to, cell in zip(header, row[1:], strict=True)]
    assert len(found) == len(JobState) ** 2
    return found


@pytest.mark.parametrize(("before", "after", "allowed"), pairs())
def test_a_job_goes_only_where_the_table_leads(before: str, after: str, allowed: bool) -> None:
    job = make_job(before)
    if allowed:
        set_state(job, JobState(after), reason="user", params={"count": 1})
        stored = Job.objects.get(pk=job.pk)
        assert (stored.state, stored.reason_code, stored.version) == (after, "user", job.version)
        assert (stored.finished_at is not None) == (after in TERMINAL)
        event = JobEvent.objects.get(job=job)
        assert (event.type, event.seq, event.data["from"], event.data["to"]) == ("state", 1, before, after)
    else:
        with pytest.raises(IllegalTransition):
            set_state(job, JobState(after))
        assert Job.objects.get(pk=job.pk).state == before
        assert not JobEvent.objects.exists()


def test_the_table_names_every_state_and_the_groups_are_apart() -> None:
    assert set(TRANSITIONS) == set(JobState) == set(COLORS)
    assert not TERMINAL & ACTIVE
    assert RESUMABLE == {state for state in TERMINAL if TRANSITIONS[state]}


def test_a_job_in_the_queue_again_has_no_end_and_no_order_to_stop() -> None:
    job = make_job(JobState.RUNNING, stop_reason="platform_stopping")
    set_state(job, JobState.FAILED, reason="killed", params={"count": 2})
    set_state(job, JobState.QUEUED)
    stored = Job.objects.get(pk=job.pk)
    assert (stored.finished_at, stored.stop_reason, stored.reason_code, stored.event_seq) == (None, "", "", 2)
