"""Experiments and runs in the portal alone, without MLflow."""

from datetime import timedelta
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.core.errors import Conflict, Forbidden, Invalid, NotFound
from apps.core.outbox.models import OutboxMessage
from apps.core.testing import Cast, assert_constant_queries
from apps.experiments import selectors, services
from apps.experiments.models import Experiment, MirrorState, RunStatus
from apps.experiments.services.mirror import flat_params
from tests.factories.experiments import ExperimentFactory, RunFactory

pytestmark = pytest.mark.django_db


def test_the_default_experiment_is_made_once_when_first_needed(cast: Cast) -> None:
    project = cast.sample("project")
    first = services.experiment_for(actor=cast.editor.actor, project=project)
    again = services.experiment_for(actor=cast.viewer.actor, project=project)
    assert first == again
    assert (first.name, first.is_default, first.organization_id) == ("Default", True, project.organization_id)
    assert AuditEvent.objects.get(action="experiment.created").entity_id == str(first.pk)


def test_the_default_experiment_gives_way_to_a_name_that_is_taken(cast: Cast) -> None:
    ExperimentFactory(project=cast.sample("project"), name="default")
    made = services.experiment_for(actor=cast.owner.actor, project=cast.sample("project"))
    assert made.name == "Default 2"


def test_a_viewer_cannot_be_the_first_who_needs_one(cast: Cast) -> None:
    with pytest.raises(Forbidden):
        services.experiment_for(actor=cast.viewer.actor, project=cast.sample("project"))
    with pytest.raises(NotFound):
        services.experiment_for(actor=cast.stranger.actor, project=cast.sample("project"))
    assert not Experiment.objects.exists()


def test_a_trashed_default_is_followed_by_another_and_comes_back_as_an_ordinary_one(cast: Cast) -> None:
    actor, project = cast.owner.actor, cast.sample("project")
    first = services.experiment_for(actor=actor, project=project)
    services.experiment_trash(actor=actor, experiment=first)
    second = services.experiment_for(actor=actor, project=project)
    assert second != first
    services.experiment_change(actor=actor, experiment=second, name="Other")
    restored = services.experiment_restore(actor=actor, experiment=first)
    assert (restored.deleted_at, restored.is_default) == (None, False)
    assert services.experiment_for(actor=actor, project=project) == second


def test_a_name_is_unique_in_the_project_whatever_its_case(cast: Cast) -> None:
    actor, project = cast.owner.actor, cast.sample("project")
    taken = services.experiment_create(actor=actor, project=project, name=" Résumé ")
    assert taken.name == "Résumé"
    with pytest.raises(Conflict) as refused:
        services.experiment_create(actor=actor, project=project, name="RÉSUMÉ")
    assert refused.value.code == "name_taken"
    services.experiment_trash(actor=actor, experiment=taken)
    services.experiment_create(actor=actor, project=project, name="résumé")
    with pytest.raises(Conflict):
        services.experiment_restore(actor=actor, experiment=taken)


def test_an_experiment_with_a_run_going_on_stays(cast: Cast) -> None:
    experiment = cast.sample("experiment")
    run = services.run_start(experiment=experiment, name="run")
    with pytest.raises(Conflict) as refused:
        services.experiment_trash(actor=cast.owner.actor, experiment=experiment)
    assert refused.value.code == "experiment_in_use"
    services.run_end(run_id=run.pk, status=RunStatus.KILLED)
    services.experiment_trash(actor=cast.owner.actor, experiment=experiment)
    with pytest.raises(Conflict) as refused:
        services.run_start(experiment=experiment, name="another")
    assert refused.value.code == "experiment_trashed"
    with pytest.raises(Conflict):
        services.run_reopen(run_id=run.pk)


def test_every_write_leaves_numbered_messages_in_the_order_of_its_run(cast: Cast) -> None:
    run = services.run_start(experiment=cast.sample("experiment"), name="run", params={"epochs": 3})
    services.run_log_metrics(run_id=run.pk)
    services.run_log_artifact(run_id=run.pk, key="results/x", name="weights/best.pt")
    services.run_end(run_id=run.pk, status=RunStatus.FINISHED)
    found = OutboxMessage.objects.filter(group=f"run:{run.pk}").order_by("id")
    topics = [message.topic.removeprefix("experiments.") for message in found]
    assert topics == ["run_start", "run_metrics", "run_artifact", "run_status"]
    assert [message.payload["number"] for message in found] == [1, 2, 3, 4]
    run.refresh_from_db()
    assert (run.status, run.mirror_wanted, run.mirror_state) == (RunStatus.FINISHED, 4, MirrorState.PENDING)


def test_metrics_are_announced_at_most_every_few_seconds(cast: Cast) -> None:
    run = services.run_start(experiment=cast.sample("experiment"), name="run")
    announced = OutboxMessage.objects.filter(topic="experiments.run_metrics")
    for _number in range(10):
        services.run_log_metrics(run_id=run.pk)
    assert announced.count() == 1
    run.refresh_from_db()
    run.points_announced_at -= timedelta(seconds=6)
    run.save()
    services.run_log_metrics(run_id=run.pk)
    assert announced.count() == 2


def test_ending_a_run_twice_is_one_end(cast: Cast) -> None:
    run = services.run_start(experiment=cast.sample("experiment"), name="run")
    ended_at = timezone.now()
    for _number in range(2):
        run = services.run_end(run_id=run.pk, status=RunStatus.FAILED, ended_at=ended_at)
    assert OutboxMessage.objects.filter(topic="experiments.run_status").count() == 1
    with pytest.raises(Invalid):
        services.run_end(run_id=run.pk, status=RunStatus.RUNNING)
    assert services.run_reopen(run_id=run.pk).ended_at is None


@pytest.mark.parametrize("name", ["", "/", "../secret", "weights/../../x"])
def test_an_artifact_stays_below_its_run(cast: Cast, name: str) -> None:
    run = services.run_start(experiment=cast.sample("experiment"), name="run")
    with pytest.raises(Invalid):
        services.run_log_artifact(run_id=run.pk, key="results/x", name=name)


def test_nested_parameters_become_flat_names() -> None:
    params: dict[str, Any] = {"lr": 0.1, "model": {"name": "yolo", "size": {"w": 64}}, "none": None, "on": True}
    assert flat_params(params | {"empty": {}, "list": [1, "가"]}) == {
        "lr": "0.1",
        "model.name": "yolo",
        "model.size.w": "64",
        "none": "null",
        "on": "true",
        "empty": "{}",
        "list": '[1, "가"]',
    }


class TestRest:
    def test_an_experiment_is_made_changed_trashed_and_restored(self, cast: Cast) -> None:
        rest, project = cast.editor.rest, cast.sample("project")
        made = rest.post("/experiments", {"project_id": str(project.pk), "name": "Baseline"}).json()
        assert (made["name"], made["run_count"], made["mirror_state"]) == ("Baseline", 0, "pending")
        path = f"/experiments/{made['id']}"
        changed = rest.patch(path, {"description": "first try", "project_id": "ignored"}).json()
        assert (changed["description"], changed["version"]) == ("first try", 2)
        assert rest.patch(path, {"name": "Old"}, headers={"If-Match": '"1"'}).status_code == 412
        assert rest.delete(path).status_code == 204
        assert rest.get(path).status_code == 404
        assert rest.post(f"{path}/restore").json()["description"] == "first try"

    def test_the_list_is_filtered_and_searched(self, cast: Cast) -> None:
        wanted = ExperimentFactory(project=cast.sample("project"), name="Night shift", description="dark")
        ExperimentFactory(project=cast.sample("project"), name="Day shift")
        ExperimentFactory(name="Night shift of others")

        def names(query: str) -> list[str]:
            return [row["name"] for row in cast.viewer.rest.get(f"/experiments?{query}").json()["results"]]

        assert names(f"project_id={wanted.project_id}") == ["Day shift", "Night shift"]
        assert names("search=NIGHT") == names("search=dark") == ["Night shift"]
        assert names("mirror_state=synced") == []
        assert cast.viewer.rest.get("/experiments?project_id=x").status_code == 400

    def test_runs_are_listed_with_their_parameters(self, cast: Cast) -> None:
        experiment = cast.sample("experiment")
        run = services.run_start(experiment=experiment, name="run a", params={"opt": {"lr": 0.1}}, tags={"k": "v"})
        services.run_end(run_id=run.pk, status=RunStatus.FAILED)
        services.run_start(experiment=experiment, name="run b")
        path = f"/experiments/{experiment.pk}/runs"
        found = cast.viewer.rest.get(f"{path}?status=failed&search=RUN").json()["results"]
        assert [(row["name"], row["params"], row["tags"]) for row in found] == [
            ("run a", {"opt": {"lr": 0.1}}, {"k": "v"})
        ]
        assert cast.viewer.rest.get(f"{path}/{run.pk}").json()["status"] == "failed"
        counts = cast.viewer.rest.get(f"/experiments/{experiment.pk}").json()
        assert (counts["run_count"], counts["finished_run_count"]) == (2, 0)

    def test_lists_cost_as_many_queries_with_twenty_rows_as_with_one(self, cast: Cast) -> None:
        rest, experiment = cast.viewer.rest, cast.sample("experiment")
        assert_constant_queries(
            lambda: rest.get("/experiments"),
            add_rows=lambda count: ExperimentFactory.create_batch(count, project=cast.sample("project")),
        )
        assert_constant_queries(
            lambda: rest.get(f"/experiments/{experiment.pk}/runs"),
            add_rows=lambda count: RunFactory.create_batch(count, experiment=experiment),
        )

    def test_a_run_is_not_found_under_another_experiment(self, cast: Cast) -> None:
        run, other = cast.sample("run"), ExperimentFactory(project=cast.sample("project"))
        assert cast.owner.rest.get(f"/experiments/{other.pk}/runs/{run.pk}").status_code == 404

    def test_input_that_is_not_right_is_refused(self, cast: Cast) -> None:
        rest, project_id = cast.owner.rest, str(cast.sample("project").pk)
        for body in (
            {},
            {"name": "x"},
            {"project_id": project_id, "name": ""},
            {"project_id": project_id, "name": "x" * 121},
            {"project_id": project_id, "name": "<script>"},
            {"project_id": "x", "name": "x"},
        ):
            assert rest.post("/experiments", body).status_code == 400, body
        assert not Experiment.objects.exists()


class TestTab:
    def test_the_tab_lists_experiments_with_their_latest_runs(self, cast: Cast) -> None:
        experiment = cast.sample("experiment")
        experiment.mlflow_experiment_id = "4711"
        experiment.save()
        for number in range(7):
            RunFactory(experiment=experiment, name=f"run {number}")
        ExperimentFactory(project=cast.sample("project"), name="<b>empty</b>")
        found = selectors.experiments_with_recent_runs(cast.viewer.actor, cast.sample("project"))
        page = render_to_string("experiments/_project_tab.html", {"experiments": found})
        assert "run 6" in page and "run 2" in page and "run 1<" not in page
        assert "4711" in page
        assert "&lt;b&gt;empty" in page

    def test_the_tab_costs_as_many_queries_with_twenty_experiments_as_with_one(self, cast: Cast) -> None:
        actor = cast.viewer.actor

        def draw() -> None:
            found = selectors.experiments_with_recent_runs(actor, cast.sample("project"))
            render_to_string("experiments/_project_tab.html", {"experiments": found})

        def add(count: int) -> None:
            for experiment in ExperimentFactory.create_batch(count, project=cast.sample("project")):
                RunFactory(experiment=experiment)

        assert_constant_queries(draw, add_rows=add, at_most=2)

    def test_a_project_without_experiments_says_so(self, cast: Cast) -> None:
        assert "empty-sheet" in render_to_string("experiments/_project_tab.html", {"experiments": []})
