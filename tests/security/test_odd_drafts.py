"""Drafts of trainings that carry what pages or machines could not bear, or what their starter may not see."""

from typing import Any

import pytest

from apps.core.testing import Cast
from apps.projects.models import ProjectMembership, ProjectRole
from apps.projects.services import project_create
from apps.training import services
from apps.training.models import TrainingJob
from tests.factories.jobs import JobFactory
from tests.factories.training import CheckpointFactory, TrainingJobFactory

pytestmark = [pytest.mark.security, pytest.mark.django_db]


def draft(cast: Cast, **fields: Any) -> Any:
    body = {"project_id": str(cast.sample("project").pk), "name": "Draft", "trainer": "reference", **fields}
    group = cast.sample("resource-group")
    return cast.editor.rest.post("/training-jobs", {"resource_group_id": str(group.pk), **body})


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "line\nbreak", "bell \x07"])
def test_a_draft_cannot_be_renamed_to_what_it_could_not_be_called_at_first(cast: Cast, name: str) -> None:
    made = draft(cast)
    assert made.status_code == 201, made.content
    assert draft(cast, name=name).status_code == 400
    answer = cast.editor.rest.patch(f"/training-jobs/{made.json()['id']}", {"name": name})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["name"])
    assert TrainingJob.objects.get(pk=made.json()["id"]).job.name == "Draft"


@pytest.mark.parametrize("moment", ["0001-01-02T00:00:00Z", "9999-12-30T00:00:00Z", "2100-01-01T00:00:00Z"])
def test_a_start_in_a_year_that_no_calendar_agrees_on_is_refused(cast: Cast, moment: str) -> None:
    assert draft(cast, not_before=moment).json()["code"] == "start_time"
    made = draft(cast, not_before="2090-01-01T00:00:00Z")
    assert made.status_code == 201
    answer = cast.editor.rest.patch(f"/training-jobs/{made.json()['id']}", {"not_before": moment})
    assert (answer.status_code, answer.json()["code"]) == (400, "start_time")


def test_a_copy_does_not_start_from_weights_that_its_starter_may_not_see(cast: Cast) -> None:
    assert cast.editor
    organization = cast.sample("organization")
    hidden = project_create(actor=cast.owner.actor, organization=organization, name="Hidden")
    job = JobFactory(project=hidden, resource_group=cast.sample("resource-group"))
    weights = CheckpointFactory(job=TrainingJobFactory(job=job).job)
    made = services.training_create(
        actor=cast.owner.actor,
        project=cast.sample("project"),
        name="From hidden weights",
        trainer="reference",
        start_from=weights,
        resource_group=cast.sample("resource-group"),
    )
    copy = cast.editor.rest.post(f"/training-jobs/{made.pk}/clone").json()["id"]
    assert cast.editor.rest.post(f"/training-jobs/{copy}/start").status_code == 404
    ProjectMembership.objects.create(project=hidden, user=cast.editor.user, role=ProjectRole.VIEWER)
    assert cast.editor.rest.post(f"/training-jobs/{copy}/start").status_code == 200
