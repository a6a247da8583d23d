"""The quick test's page and the part of a training's page."""

from apps.core.testing import Cast, assert_constant_queries
from apps.training.models import CheckpointKind
from tests.factories.evaluation import InferenceJobFactory, TriedCheckpointFactory, TriedTrainingFactory
from tests.factories.jobs import JobFactory


def page(cast: Cast, persona: str, path: str) -> str:
    response = cast.person(persona).portal.get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_an_editor_may_send_pictures_and_a_viewer_is_told_why_not(cast: Cast) -> None:
    training = cast.sample("tried-checkpoint-training")
    path = f"/training/{training.pk}/quick-test/"
    assert "data-quick-drop" in page(cast, "editor", path)
    seen = page(cast, "viewer", path)
    assert "data-quick-drop" not in seen
    assert "editor of the project" in seen


def test_the_best_so_far_is_chosen_first_and_those_to_resume_from_are_not_offered(cast: Cast) -> None:
    best = cast.sample("tried-checkpoint")
    last = TriedCheckpointFactory(job=best.job, kind=CheckpointKind.LAST)
    resume = TriedCheckpointFactory(job=best.job, kind=CheckpointKind.RESUME)
    seen = page(cast, "owner", f"/training/{best.job_id}/quick-test/")
    assert f'data-training="{best.job_id}" selected>' in seen
    assert seen.index(f'<option value="{best.pk}">') < seen.index(f'<option value="{last.pk}">')
    assert str(resume.pk) not in seen


def test_the_list_of_checkpoints_asks_for_itself_again_and_keeps_what_was_chosen(cast: Cast) -> None:
    best = cast.sample("tried-checkpoint")
    path = f"/training/{best.job_id}/quick-test/"
    assert "shown.bs.tab from:#tab-quick-test" in page(cast, "owner", path)
    last = TriedCheckpointFactory(job=best.job, kind=CheckpointKind.LAST)
    assert f'<option value="{last.pk}" selected>' in page(cast, "owner", f"{path}?checkpoint={last.pk}")


def test_without_a_checkpoint_the_page_waits_for_one(cast: Cast) -> None:
    training = TriedTrainingFactory(job=JobFactory(project=cast.sample("project")))
    seen = page(cast, "owner", f"/training/{training.pk}/quick-test/")
    assert "No checkpoint yet" in seen
    assert "job:checkpoint from:document" in seen
    assert "No checkpoint yet" in page(cast, "guest", "/quick-test/")


def test_a_chosen_checkpoint_is_drawn_alone_when_htmx_asks(cast: Cast) -> None:
    older = cast.sample("tried-checkpoint")
    job = TriedTrainingFactory(job=JobFactory(project=older.job.project)).job
    newer = TriedCheckpointFactory(job=job)
    TriedCheckpointFactory(job=job, kind=CheckpointKind.LAST)
    assert f'<option value="{newer.pk}" selected>' in page(cast, "owner", "/quick-test/")
    part = cast.owner.portal.htmx(f"/quick-test/?checkpoint={older.pk}").content.decode()
    assert f'<option value="{older.pk}" selected>' in part
    assert "<html" not in part
    assert cast.stranger.portal.get(f"/quick-test/?checkpoint={older.pk}").status_code == 404
    assert cast.owner.portal.get("/quick-test/?checkpoint=x").status_code == 404


def test_a_trainer_that_is_gone_is_said(cast: Cast) -> None:
    gone = TriedCheckpointFactory(job=cast.sample("tried-checkpoint").job, trainer="vanished")
    seen = page(cast, "owner", f"/quick-test/?checkpoint={gone.pk}")
    assert "The trainer “vanished” is not installed or cannot predict." in seen
    assert "data-quick-drop" not in seen


def test_the_settings_are_the_trainers_and_weak_boxes_are_asked_for(cast: Cast) -> None:
    detector = TriedCheckpointFactory(job=cast.sample("tried-checkpoint").job, trainer="ultralytics", task="detect")
    seen = page(cast, "owner", f"/quick-test/?checkpoint={detector.pk}")
    assert 'data-key="conf"' in seen
    assert 'value="0.05"' in seen


def test_the_page_costs_the_same_for_one_checkpoint_and_for_twenty(cast: Cast) -> None:
    first = cast.sample("tried-checkpoint")

    def rows(number: int) -> None:
        for _ in range(number):
            InferenceJobFactory(checkpoint=TriedCheckpointFactory(job=first.job))

    assert_constant_queries(lambda: cast.owner.portal.get("/quick-test/"), add_rows=rows, at_most=20)
