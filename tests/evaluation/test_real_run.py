"""Trainings, and predictions with their checkpoints: real launchers and trainers, over HTTP to a live server."""

from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from modelyard.asgi import application

from apps.core.testing import Cast, SocketClient
from apps.datasets.models import Revision
from apps.datasets.samples import sample_files
from apps.jobs import messages
from apps.jobs.models import Job
from apps.jobs.states import JobState
from tests.datasets.factories import images
from tests.evaluation.machine import Machine
from tests.factories.cast import build
from tests.factories.datasets import DatasetFactory, published
from tests.factories.evaluation import PNG


@pytest.fixture
def machine(cast: Cast, live_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    (tmp_path / "portal.url").write_text(f"{live_server.url}\n")
    monkeypatch.setitem(settings.JOBS, "portal_file", tmp_path / "portal.url")
    monkeypatch.setitem(settings.JOBS, "attempts_dir", tmp_path / "attempts")
    monkeypatch.setattr(messages, "send_hint", lambda *args, **options: None)
    return Machine(cast)


def asked(cast: Cast, training_id: str, *files: tuple[str, bytes]) -> str:
    """The id of a queued inference with the training's best checkpoint."""
    body = {
        "training_job_id": training_id,
        "files": [SimpleUploadedFile(name, content) for name, content in files],
    }
    response = cast.editor.rest.post("/inference-jobs", body, format="multipart")
    assert response.status_code == 201, response.content
    return response.json()["id"]


def test_a_trained_model_answers_for_every_picture(cast: Cast, machine: Machine) -> None:
    training_id = machine.train(trainer="reference", config={"steps": 20, "epoch_steps": 10})
    pk = asked(cast, training_id, ("one.png", PNG), ("two.jpg", images.encoded("JPEG")), ("one.png", PNG))
    job = machine.run(pk)
    assert job.state == JobState.SUCCEEDED, job.reason
    body = cast.viewer.rest.get(f"/inference-jobs/{pk}").json()
    assert body["job"]["stage"] == "predicting"
    predictions = body["result"]["predictions"]
    assert [found["name"] for found in predictions] == ["one.png", "two.jpg", "one.png"]
    for found in predictions:
        assert sum(chance["score"] for chance in found["scores"]) == pytest.approx(1, abs=1e-4)
        assert found["scores"][0]["score"] == max(chance["score"] for chance in found["scores"])
    assert predictions[0] == {**predictions[2], "no": 0}
    assert body["result"]["summary"] == {"predicted": 3}


def test_a_picture_that_the_store_has_lost_ends_the_job_with_a_reason(cast: Cast, machine: Machine) -> None:
    training_id = machine.train(trainer="reference", config={"steps": 10, "epoch_steps": 10})
    pk = asked(cast, training_id, ("one.png", PNG))
    folder = settings.STORAGE["local_root"] / "blobs" / str(Job.objects.get(pk=pk).organization_id)
    digest = cast.viewer.rest.get(f"/inference-jobs/{pk}").json()["inputs"][0]["sha256"]
    (folder / digest[:2] / digest).unlink()
    job = machine.run(pk)
    assert (job.state, job.reason_code) == (JobState.ERRORED, "input_missing")
    shown = cast.viewer.rest.get(f"/inference-jobs/{pk}").json()
    assert shown["result"] is None
    assert shown["job"]["reason"]["text"]


def test_a_detector_finds_the_shapes_that_it_was_trained_on(cast: Cast, machine: Machine) -> None:
    """Ultralytics in its own environment, which is built when it is not there yet; one epoch learns next to nothing,
    so that only the way is judged: boxes of the right form, at a very low bar."""
    files = dict(sample_files(train=8, val=4, size=64))
    dataset = published(
        DatasetFactory(project=cast.sample("project"), created_by=cast.owner.user), files, person=cast.owner.user
    )
    names = {entry["name"] for entry in Revision.objects.get(dataset=dataset, no=dataset.revision_no).classes}
    config = {"epochs": 1, "imgsz": 64, "batch": 4, "nbs": 4}
    training_id = machine.train(
        trainer="ultralytics", task="detect", model="yolov8-tiny", config=config, dataset=dataset
    )
    name, content = next((path, found) for path, found in files.items() if path.endswith((".png", ".jpg")))
    body = {
        "training_job_id": training_id,
        "files": [SimpleUploadedFile(name.rsplit("/", 1)[-1], content)],
        "config": '{"conf": 0.001, "max_det": 20}',
    }
    pk = cast.editor.rest.post("/inference-jobs", body, format="multipart").json()["id"]
    job = machine.run(pk)
    assert job.state == JobState.SUCCEEDED, job.reason
    found = cast.viewer.rest.get(f"/inference-jobs/{pk}").json()["result"]["predictions"][0]
    assert (found["width"], found["height"]) == (64, 64)
    assert found["milliseconds"] > 0
    assert 1 <= len(found["boxes"]) <= 20
    for box in found["boxes"]:
        assert box["label"] in names
        assert 0.001 <= box["score"] <= 1
        assert all(-1 <= value <= 65 for value in box["bbox"])
    # bad-I15: a sound head, so that only decoding can tell; the trainer names the picture.
    noise = images.random_tail(images.encoded("WEBP", 64, 64, lossless=True), 40)
    job = machine.run(asked(cast, training_id, ("noise.webp", noise)))
    assert (job.state, job.reason_code) == (JobState.FAILED, "bad_data")
    assert "noise.webp" in job.reason["text"]


@pytest.mark.django_db(transaction=True)
async def test_a_socket_tells_of_the_job_from_its_first_state_on(sample_factories: None) -> None:
    """The rule is that of REST; what the frames hold is proven with the consumer."""
    cast = Cast(build)
    inference = await sync_to_async(cast.sample)("inference-job")
    token = await sync_to_async(lambda: cast.viewer.token)()
    headers = {"Host": "testserver", "Authorization": f"Bearer {token}"}
    socket = SocketClient(application, f"/ws/inference-jobs/{inference.pk}/", headers=headers)
    assert await socket.connect()
    hello = await socket.receive_json()
    assert (hello["type"], hello["job"]["kind"], hello["job"]["state"]) == ("hello", "inference", "queued")
    await socket.disconnect()
