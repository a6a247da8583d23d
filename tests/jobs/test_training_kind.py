"""The kind `training` under the job system: checkpoints that are kept, and points for the run's mirror."""

from typing import Any

import pytest

from apps.core.errors import Conflict
from apps.core.outbox.models import OutboxMessage
from apps.core.testing import Cast
from apps.experiments.models import Experiment, Run
from apps.experiments.services import experiment_trash
from apps.experiments.services.runs import STATUS
from apps.jobs.models import Attempt, Job, JobEvent
from apps.jobs.services.attempts import attempt_lost
from apps.jobs.services.dispatch import dispatch
from apps.jobs.services.lifecycle import job_resume
from apps.training import services
from apps.training.mirror import points_of_run
from apps.training.models import Checkpoint, TrainingJob
from tests.factories.resources import NodeFactory
from tests.jobs.support import Launcher

pytestmark = pytest.mark.django_db


@pytest.fixture
def launcher(cast: Cast) -> Launcher:
    """A training of the reference trainer that has begun."""
    assert cast.editor
    group = cast.sample("resource-group")
    NodeFactory(group=group)
    training = services.training_create(
        actor=cast.editor.actor,
        project=cast.sample("project"),
        name="Kind",
        trainer="reference",
        config={"steps": 7},
        resource_group=group,
    )
    services.training_start(actor=cast.editor.actor, training=training)
    dispatch()
    found = Launcher(Attempt.objects.get(job_id=training.pk))
    status, answer = found.hello()
    assert (status, answer["spec"]["config"]["steps"], answer["spec"]["resume_from"]) == (200, 7, None)
    found.say(("started", {}))
    return found


def kept(kind: str) -> list[int | None]:
    return list(Checkpoint.objects.filter(kind=kind).order_by("pk").values_list("step", flat=True))


def test_the_newest_two_to_resume_from_and_the_newest_best_and_last_are_kept(launcher: Launcher) -> None:
    for step in (10, 20, 30, 40):
        launcher.say(("checkpoint", launcher.checkpoint("resume", b"r%d" % step, step=step)))
        launcher.say(("checkpoint", launcher.checkpoint("best", b"b%d" % step, step=step, metrics={"val/loss": 1})))
    assert (kept("resume"), kept("best")) == ([30, 40], [40])
    assert Checkpoint.objects.get(kind="best").metrics == {"val/loss": 1}


def test_weights_that_another_training_started_from_are_kept(launcher: Launcher) -> None:
    launcher.say(("checkpoint", launcher.checkpoint("best", b"first", step=1)))
    TrainingJob.objects.update(start_from=Checkpoint.objects.get())
    launcher.say(("checkpoint", launcher.checkpoint("best", b"second", step=2)))
    launcher.say(("checkpoint", launcher.checkpoint("best", b"third", step=3)))
    assert kept("best") == [1, 3]


@pytest.mark.parametrize("odd", [{"step": 2**70}, {"step": -1}, {"step": "x"}, {"epoch": 10**400}, {"metrics": [1]}])
def test_a_checkpoint_oddly_described_is_kept_all_the_same(launcher: Launcher, odd: dict[str, Any]) -> None:
    launcher.say(("checkpoint", launcher.checkpoint("best", b"odd") | odd))
    assert Checkpoint.objects.count() == 1


@pytest.mark.parametrize("kind", [["best"], None, "other", 5])
def test_a_checkpoint_of_no_known_kind_is_none(launcher: Launcher, kind: Any) -> None:
    launcher.say(("checkpoint", launcher.checkpoint("best", b"odd") | {"kind": kind}))
    assert not Checkpoint.objects.exists()


def test_the_next_attempt_goes_on_from_the_newest_that_arrived(launcher: Launcher) -> None:
    launcher.say(("checkpoint", launcher.checkpoint("resume", b"r10", step=10)))
    lost = {"kind": "resume", "name": "r20", "sha256": "0" * 64, "step": 20, "epoch": 0}
    launcher.say(("checkpoint", {**lost, "superseded": True}), ("checkpoint", {**lost, "missing": True}))
    attempt_lost(attempt=launcher.attempt, reason="node_lost")
    dispatch()
    second = Launcher(Attempt.objects.get(job=launcher.attempt.job_id, no=2), token="second")
    resume = second.hello("nonce-of-the-second")[1]["spec"]["resume_from"]
    assert resume["step"] == 10
    assert second.call("GET", f"blobs/{resume['sha256']}") == (200, b"r10")


def test_the_mirror_reads_every_point_in_pages_and_trips_over_nothing(launcher: Launcher) -> None:
    values = {"a": 1, "b": "NaN", "c": None, "d": 10**400, "e": [1], "f": True}
    launcher.say(
        ("metrics", {"scope": "batch", "step": 1, "values": values}),
        ("metrics", {"scope": "batch", "step": 2, "values": 5}),
        ("metrics", {"scope": "epoch", "step": 2**70, "values": {"a": 1}}),
        ("metrics", {"scope": "epoch", "step": 3, "values": {"a": 3}}),
    )
    run_id = TrainingJob.objects.get().run_id
    assert run_id is not None
    found, cursor, more = [], None, True
    while more:
        page = points_of_run(run_id, cursor, 2)
        found += [(point.name, point.step) for point in page.points]
        cursor, more = page.cursor, page.more
    assert found == [("a", 1), ("b", 1), ("a", 3)]
    assert cursor == JobEvent.objects.filter(type="metrics").latest("seq").seq


def test_success_needs_weights_and_ends_the_run(launcher: Launcher) -> None:
    launcher.say(
        ("checkpoint", launcher.checkpoint("last", b"weights", step=7)),
        ("result", {"status": "succeeded", "metrics": {}, "summary": {}}),
    )
    assert launcher.end(exit_code=0)[1] == {"state": "succeeded"}
    training = TrainingJob.objects.select_related("run").get()
    assert training.run is not None
    assert training.run.status == "finished"
    assert Job.objects.get().reason_code == ""


@pytest.fixture
def failed(launcher: Launcher) -> TrainingJob:
    """The training, ended by its trainer: its run has ended too."""
    launcher.say(("checkpoint", launcher.checkpoint("resume", b"r10", step=10)))
    assert launcher.end(exit_code=1)[1] == {"state": "failed"}
    assert Run.objects.get().status == "failed"
    return TrainingJob.objects.select_related("job").get()


def test_a_resumed_training_goes_on_in_the_run_that_it_had(cast: Cast, failed: TrainingJob) -> None:
    messages = OutboxMessage.objects.filter(topic=STATUS)
    ended = messages.count()
    job_resume(actor=cast.editor.actor, job=failed.job)
    run = Run.objects.get()
    assert (run.pk, run.status, run.ended_at) == (failed.run_id, "running", None)
    assert messages.count() == ended + 1, "MLflow hears of it"


def test_a_training_whose_experiment_is_in_the_trash_is_not_resumed(cast: Cast, failed: TrainingJob) -> None:
    experiment_trash(actor=cast.editor.actor, experiment=Experiment.objects.get())
    with pytest.raises(Conflict) as caught:
        job_resume(actor=cast.editor.actor, job=failed.job)
    failed.job.refresh_from_db()
    assert caught.value.code == "experiment_trashed"
    assert (failed.job.state, Run.objects.get().status) == ("failed", "failed")
