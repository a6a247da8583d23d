"""Runs mirrored to a real MLflow server: whole, once, in order, and after it was away."""

import io
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from django.conf import settings

from apps.core.outbox.models import OutboxMessage
from apps.core.storage import storage
from apps.core.testing import Cast
from apps.experiments import services
from apps.experiments.client import MlflowMetric, MlflowRefused, MlflowUnavailable, mlflow
from apps.experiments.models import Experiment, MirrorState, Run, RunStatus
from apps.experiments.points import MetricPoint
from apps.experiments.services import mirror
from tests.experiments.conftest import MlflowServer

pytestmark = pytest.mark.django_db
Deliver = Callable[[], int]

T0 = 1_790_000_000.25


def epoch(number: int, value: float, name: str = "val/mAP50(B)") -> MetricPoint:
    return MetricPoint(name, number, T0 + number, value)


def batch(number: int) -> MetricPoint:
    return MetricPoint("train/loss", number, T0 + number / 10, 1 / (number + 1), thin=True)


def start(cast: Cast, **fields: object) -> Run:
    experiment = services.experiment_for(actor=cast.owner.actor, project=cast.sample("project"))
    return services.run_start(experiment=experiment, name="yolo 한글", **fields)  # type: ignore[arg-type]


def fresh(run: Run) -> Run:
    return Run.objects.select_related("experiment").get(pk=run.pk)


def values(part: list[dict[str, str]]) -> dict[str, str]:
    return {entry["key"]: entry["value"] for entry in part}


def test_the_whole_life_of_a_run_is_mirrored(
    cast: Cast, mlflow_server: MlflowServer, recorded: list[MetricPoint], deliver: Deliver
) -> None:
    params = {"epochs": 3, "optimizer": {"name": "SGD", "lr": 0.01}, "note": "x" * 7000}
    params |= {f"many-{number}": number for number in range(250)}
    run = start(cast, params=params, tags={"modelyard.job": "j-1", "odd(key)": "값"})
    storage().put("tests/best.pt", io.BytesIO(b"weights" * 300_000))
    recorded += [epoch(0, 0.1), epoch(1, math.nan), *(batch(number) for number in range(40))]
    services.run_log_metrics(run_id=run.pk)
    assert deliver() == 3  # the experiment, the start, the points
    linked = fresh(run)
    assert (linked.mirror_state, linked.mirror_error) == (MirrorState.SYNCED, "")
    assert mlflow_server.run(linked.mlflow_run_id)["info"]["status"] == "RUNNING"
    assert mlflow_server.history(linked.mlflow_run_id, "train/loss") == [(n, 1 / (n + 1)) for n in range(40)]

    recorded += [epoch(2, 0.9), *(batch(number) for number in range(40, 3000))]
    services.run_log_artifact(run_id=run.pk, key="tests/best.pt", name="weights/best #1.pt")
    services.run_end(run_id=run.pk, status=RunStatus.FINISHED)
    assert fresh(run).mirror_state == MirrorState.PENDING
    assert deliver() == 2
    ended = fresh(run)
    assert (ended.mirror_state, ended.mirror_error) == (MirrorState.SYNCED, "")

    twin = mlflow_server.run(ended.mlflow_run_id)
    assert twin["info"]["run_name"] == "yolo 한글"
    assert twin["info"]["status"] == "FINISHED"
    assert twin["info"]["start_time"] == round(run.started_at.timestamp() * 1000)
    assert twin["info"]["end_time"] == round(ended.ended_at.timestamp() * 1000)  # type: ignore[union-attr]
    logged = values(twin["data"]["params"])
    assert (logged["epochs"], logged["optimizer.name"], logged["optimizer.lr"]) == ("3", "SGD", "0.01")
    assert logged["note"] == "x" * 6000
    assert {f"many-{number}": str(number) for number in range(250)}.items() <= logged.items()
    tags = values(twin["data"]["tags"])
    assert (tags["modelyard.job"], tags["odd_key_"], tags["modelyard.run_id"]) == ("j-1", "값", str(run.pk))

    # Epochs whole, batches at most a thousand, from both ends of the run.
    assert mlflow_server.history(ended.mlflow_run_id, "val/mAP50_B_") == [(0, 0.1), (1, "NaN"), (2, 0.9)]
    steps = [step for step, _value in mlflow_server.history(ended.mlflow_run_id, "train/loss")]
    assert len(steps) == 1000
    assert len(set(steps)) == len(steps)
    assert min(steps) == 0 and max(steps) == 2999
    assert max(after - before for before, after in pairwise(steps)) <= 6

    content = mlflow_server.artifact(twin["info"]["artifact_uri"], "weights/best _1.pt")
    assert content == b"weights" * 300_000

    experiment = mlflow_server.get("experiments/get", experiment_id=ended.experiment.mlflow_experiment_id)
    assert experiment["experiment"]["name"].startswith(f"{cast.sample('project').name} / Default · ")
    assert values(experiment["experiment"]["tags"])["modelyard.project_id"] == str(run.project_id)


def test_what_happens_while_mlflow_is_away_arrives_once_when_it_is_back(
    cast: Cast, mlflow_server: MlflowServer, recorded: list[MetricPoint], deliver: Deliver
) -> None:
    before = start(cast, params={"epochs": 2})
    recorded += [epoch(0, 0.5)]
    services.run_log_metrics(run_id=before.pk)
    deliver()
    mlflow_server.kill()
    try:
        storage().put("tests/last.pt", io.BytesIO(b"last"))
        recorded += [epoch(1, 0.6)]
        services.run_log_artifact(run_id=before.pk, key="tests/last.pt", name="last.pt")
        services.run_end(run_id=before.pk, status=RunStatus.FINISHED)
        during = start(cast, params={"lr": 0.1})
        services.run_end(run_id=during.pk, status=RunStatus.KILLED)
        for _try in range(2):
            assert deliver() == 0
        waiting = fresh(before)
        assert (waiting.status, waiting.mirror_state) == (RunStatus.FINISHED, MirrorState.PENDING)
        assert "MLflow does not answer" in waiting.mirror_error
        assert OutboxMessage.objects.filter(delivered_at__isnull=True).count() == 4
    finally:
        mlflow_server.start()
    while deliver():
        pass
    assert not OutboxMessage.objects.filter(delivered_at__isnull=True).exists()
    for run, status in ((fresh(before), "FINISHED"), (fresh(during), "KILLED")):
        assert (run.mirror_state, run.mirror_error) == (MirrorState.SYNCED, "")
        assert mlflow_server.run(run.mlflow_run_id)["info"]["status"] == status
    found = mlflow_server.post("runs/search", experiment_ids=[fresh(before).experiment.mlflow_experiment_id])
    assert {run["info"]["run_id"] for run in found["runs"]} == {
        fresh(before).mlflow_run_id,
        fresh(during).mlflow_run_id,
    }
    assert mlflow_server.history(fresh(before).mlflow_run_id, "val/mAP50_B_") == [(0, 0.5), (1, 0.6)]
    assert mlflow_server.artifact(fresh(before).mlflow_artifact_uri, "last.pt") == b"last"


def test_a_delivery_that_was_cut_off_and_repeated_leaves_nothing_double(
    cast: Cast, mlflow_server: MlflowServer, recorded: list[MetricPoint], deliver: Deliver
) -> None:
    run = start(cast, params={"a": 1})
    recorded += [epoch(0, 0.5), *(batch(number) for number in range(1500))]
    services.run_log_metrics(run_id=run.pk)
    services.run_end(run_id=run.pk, status=RunStatus.FINISHED)
    deliver()
    once = fresh(run)
    steps = mlflow_server.history(once.mlflow_run_id, "train/loss")
    # The worker died before it could note what it had done: the rows know nothing, the messages come again.
    Experiment.objects.update(mlflow_experiment_id="")
    Run.objects.update(mlflow_run_id="", points_cursor=None, points_series={}, mirror_done=0)
    OutboxMessage.objects.update(delivered_at=None)
    deliver()
    again = fresh(run)
    assert again.mlflow_run_id == once.mlflow_run_id
    assert again.experiment.mlflow_experiment_id == once.experiment.mlflow_experiment_id
    assert mlflow_server.history(again.mlflow_run_id, "train/loss") == steps
    assert mlflow_server.history(again.mlflow_run_id, "val/mAP50_B_") == [(0, 0.5)]
    found = mlflow_server.post("runs/search", experiment_ids=[again.experiment.mlflow_experiment_id])
    assert len(found["runs"]) == 1


def test_a_run_that_goes_on_after_its_end_is_running_again_and_keeps_to_the_limit(
    cast: Cast, mlflow_server: MlflowServer, recorded: list[MetricPoint], deliver: Deliver
) -> None:
    run = start(cast)
    recorded += [batch(number) for number in range(800)]
    services.run_end(run_id=run.pk, status=RunStatus.KILLED)
    deliver()
    services.run_reopen(run_id=run.pk)
    deliver()
    twin = fresh(run).mlflow_run_id
    assert mlflow_server.run(twin)["info"]["status"] == "RUNNING"
    recorded += [batch(number) for number in range(800, 2000)]
    services.run_end(run_id=run.pk, status=RunStatus.FINISHED)
    deliver()
    assert mlflow_server.run(twin)["info"]["status"] == "FINISHED"
    assert len(mlflow_server.history(twin, "train/loss")) == 1000


def test_what_mlflow_refuses_is_noted_and_the_rest_goes_on(
    cast: Cast, mlflow_server: MlflowServer, recorded: list[MetricPoint], deliver: Deliver
) -> None:
    run = start(cast, params={"lr": 0.1})
    deliver()
    # Somebody else has logged a parameter of ours with another value: MLflow never changes one.
    Run.objects.filter(pk=run.pk).update(params={"lr": 0.2}, mlflow_run_id="")
    recorded += [epoch(0, 0.5)]
    services.run_log_artifact(run_id=run.pk, key="tests/absent", name="absent.pt")
    services.run_log_metrics(run_id=run.pk)
    services.run_end(run_id=run.pk, status=RunStatus.FAILED)
    deliver()
    found = fresh(run)
    assert found.mirror_state == MirrorState.FAILING
    assert "Changing param values is not allowed" in found.mirror_error
    assert not OutboxMessage.objects.filter(delivered_at__isnull=True).exists()
    assert mlflow_server.run(found.mlflow_run_id)["info"]["status"] == "FAILED"
    assert mlflow_server.history(found.mlflow_run_id, "val/mAP50_B_") == [(0, 0.5)]


def test_an_artifact_that_is_gone_from_storage_is_noted(
    cast: Cast, mlflow_server: MlflowServer, deliver: Deliver
) -> None:
    run = start(cast)
    services.run_log_artifact(run_id=run.pk, key="tests/absent", name="absent.pt")
    deliver()
    found = fresh(run)
    assert (found.mirror_state, found.mirror_error) == (
        MirrorState.FAILING,
        "The artifact absent.pt is not in storage any more.",
    )


def test_a_run_that_mlflow_has_lost_is_made_anew_with_all_its_points(
    cast: Cast, mlflow_server: MlflowServer, recorded: list[MetricPoint], deliver: Deliver
) -> None:
    run = start(cast, params={"a": "b"})
    recorded += [epoch(0, 0.5)]
    services.run_log_metrics(run_id=run.pk)
    deliver()
    # As after MLflow's database was replaced by an empty one.
    lost = "0" * 32
    Run.objects.filter(pk=run.pk).update(mlflow_run_id=lost)
    mlflow_server.post(
        "experiments/set-experiment-tag",
        experiment_id=fresh(run).experiment.mlflow_experiment_id,
        key=mirror.EXPERIMENT_TAG,
        value="another",
    )
    mlflow_server.post("experiments/update", experiment_id=fresh(run).experiment.mlflow_experiment_id, new_name=lost)
    recorded += [epoch(1, 0.6)]
    services.run_end(run_id=run.pk, status=RunStatus.FINISHED)
    assert deliver() == 0
    assert "has lost this run" in fresh(run).mirror_error
    assert deliver() == 1
    made = fresh(run)
    assert made.mirror_state == MirrorState.SYNCED
    assert made.mlflow_run_id not in ("", lost)
    assert values(mlflow_server.run(made.mlflow_run_id)["data"]["params"]) == {"a": "b"}
    assert mlflow_server.history(made.mlflow_run_id, "val/mAP50_B_") == [(0, 0.5), (1, 0.6)]


def test_an_experiments_twin_follows_its_name_and_its_way_through_the_trash(
    cast: Cast, mlflow_server: MlflowServer, deliver: Deliver
) -> None:
    actor = cast.owner.actor
    experiment = services.experiment_create(
        actor=actor, project=cast.sample("project"), name="First", description="what we try"
    )
    deliver()
    twin_id = Experiment.objects.get(pk=experiment.pk).mlflow_experiment_id

    def twin() -> tuple[str, str]:
        found = mlflow_server.get("experiments/get", experiment_id=twin_id)["experiment"]
        return found["name"].split(" / ")[1].split(" · ")[0], found["lifecycle_stage"]

    assert twin() == ("First", "active")
    services.experiment_change(actor=actor, experiment=experiment, name="Second")
    deliver()
    assert twin() == ("Second", "active")
    run = services.run_start(experiment=experiment, name="run")
    services.run_end(run_id=run.pk, status=RunStatus.FINISHED)
    services.experiment_trash(actor=actor, experiment=experiment)
    while deliver():
        pass
    assert twin() == ("Second", "deleted")
    assert fresh(run).mirror_state == MirrorState.SYNCED
    services.experiment_restore(actor=actor, experiment=experiment)
    deliver()
    assert twin() == ("Second", "active")
    assert Experiment.objects.get(pk=experiment.pk).mirror_state == MirrorState.SYNCED


def test_an_experiment_waits_with_the_trash_until_its_runs_have_arrived(
    cast: Cast, mlflow_server: MlflowServer, deliver: Deliver
) -> None:
    run = start(cast)
    services.run_end(run_id=run.pk, status=RunStatus.FINISHED)
    trashed = services.experiment_trash(actor=cast.owner.actor, experiment=run.experiment)
    with pytest.raises(Exception, match="still on their way"):
        mirror.mirror_experiment({"id": str(trashed.pk), "number": trashed.mirror_wanted})
    while deliver():
        pass
    found = fresh(run)
    assert found.mirror_state == MirrorState.SYNCED
    twin = mlflow_server.get("experiments/get", experiment_id=found.experiment.mlflow_experiment_id)
    assert twin["experiment"]["lifecycle_stage"] == "deleted"


class TestClient:
    def test_a_batch_beyond_every_limit_is_split(self, cast: Cast, mlflow_server: MlflowServer) -> None:
        client = mlflow()
        run = client.run_create(client.experiment_create("limits", {}), "limits", 1, {})
        client.log_batch(
            run.id,
            metrics=[MlflowMetric("m", number, number, number) for number in range(2500)],
            params={f"p{number}": "한" * 9000 for number in range(150)},
            tags={f"t/../{number}": "x" for number in range(150)},
        )
        data = mlflow_server.run(run.id)["data"]
        assert len(mlflow_server.history(run.id, "m")) == 2500
        assert {len(value) for value in values(data["params"]).values()} == {6000}
        assert len(data["params"]) == 150
        assert values(data["tags"])["t/149"] == "x"

    @pytest.mark.parametrize(
        "name", ["k" * 300, "한" * 200, "../../etc", "a//b/", "", "/", ".", "(%)", "한글 metric:1"]
    )
    def test_any_name_becomes_one_that_mlflow_takes(self, mlflow_server: MlflowServer, name: str) -> None:
        client = mlflow()
        experiment = client.experiment_by_tag("names", "1") or client.experiment_create("names", {"names": "1"})
        run = client.run_create(getattr(experiment, "id", experiment), "names", 1, {})  # type: ignore[arg-type]
        client.log_batch(run.id, metrics=[MlflowMetric(name, 1, 1, 1)], params={name: "1"}, tags={name: "1"})
        client.set_tag(run.id, name, "2")
        client.artifact_put(run.artifact_uri, name, [b"x"], 1)
        assert len(mlflow_server.run(run.id)["data"]["metrics"]) == 1

    def test_an_absent_run_is_refused(self, mlflow_server: MlflowServer) -> None:
        with pytest.raises(MlflowRefused) as refused:
            mlflow().run_get("0" * 32)
        assert refused.value.is_missing
        with pytest.raises(MlflowRefused) as refused:
            mlflow().artifact_put("s3://bucket/folder", "x", [b""], 0)
        assert "--serve-artifacts" in refused.value.hint

    def test_the_address_is_read_again_when_the_server_moves(
        self, mlflow_server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "mlflow.url"
        monkeypatch.setitem(settings.MLFLOW, "url", "")
        monkeypatch.setitem(settings.MLFLOW, "url_file", file)
        with pytest.raises(MlflowUnavailable, match="has not been started"):
            mlflow().experiment_by_tag("k", "v")
        file.write_text("http://127.0.0.1:9/mlflow\n")
        with pytest.raises(MlflowUnavailable, match="does not answer"):
            mlflow().experiment_by_tag("k", "v")
        file.write_text(f"{mlflow_server.url}\n")
        assert mlflow().experiment_by_tag("no", "such") is None

    def test_an_answer_that_is_not_mlflows_counts_as_mlflow_being_away(
        self, mlflow_server: MlflowServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The server itself answers 404 with a page below another prefix, as a stranger on its old port would.
        monkeypatch.setitem(settings.MLFLOW, "url", mlflow_server.url.replace("/mlflow", "/elsewhere"))
        with pytest.raises(MlflowUnavailable, match="status 404"):
            mlflow().experiment_by_tag("k", "v")
