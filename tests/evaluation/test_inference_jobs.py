"""Inference jobs over REST: what is taken, what is refused and how, what is answered."""

import hashlib
import json
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.audit.models import AuditEvent
from apps.core.storage import storage
from apps.core.storage.keys import blob_key, blob_root
from apps.core.testing import Cast, assert_constant_queries, committed
from apps.evaluation import services
from apps.evaluation.kind import INFERENCE
from apps.evaluation.models import InferenceInput, InferenceJob
from apps.jobs.models import Attempt, AttemptFile, Job, JobArtifact, JobEvent
from apps.jobs.states import JobState
from apps.training.kind import TRAINING
from apps.training.models import Checkpoint, CheckpointKind
from tests.datasets.factories import images
from tests.factories.evaluation import PNG, InferenceJobFactory, TriedCheckpointFactory, TriedTrainingFactory
from tests.factories.jobs import AttemptFactory, JobFactory
from tests.security.report import BAD_INPUT

JPEG = images.encoded("JPEG")


@pytest.fixture
def checkpoint(cast: Cast) -> Checkpoint:
    return cast.sample("tried-checkpoint")


def send(cast: Cast, *files: tuple[str, bytes], **fields: Any) -> Any:
    body = {"files": [SimpleUploadedFile(name, content) for name, content in files], **fields}
    return cast.owner.rest.post("/inference-jobs", body, format="multipart")


def nothing_was_made() -> bool:
    return not InferenceJob.objects.exists() and not Job.objects.filter(kind="inference").exists()


def test_pictures_become_a_queued_job_that_goes_before_trainings(cast: Cast, checkpoint: Checkpoint) -> None:
    with committed() as callbacks:
        response = send(cast, ("a.png", PNG), ("b.jpg", JPEG), checkpoint_id=str(checkpoint.pk))
    assert response.status_code == 201, response.content
    body = response.json()
    assert body["job"]["state"] == JobState.QUEUED
    assert (body["name"], body["input_count"], body["result"]) == ("a.png +1", 2, None)
    assert [(found["name"], found["media_type"], found["width"], found["height"]) for found in body["inputs"]] == [
        ("a.png", "image/png", 8, 8),
        ("b.jpg", "image/jpeg", 32, 24),
    ]
    job = Job.objects.get(pk=body["id"])
    assert (job.priority, job.cpus, job.gpus) == (services.PRIORITY, 1, 0)
    assert job.priority > checkpoint.job.priority
    assert callbacks, "the dispatcher is not told"
    for content in (PNG, JPEG):
        assert storage().read(blob_key(job.organization_id, hashlib.sha256(content).hexdigest())) == content
    event = AuditEvent.objects.get(action="inference.created")
    assert (event.entity_id, event.project_id) == (body["id"], checkpoint.job.project_id)


def test_a_picture_comes_back_as_it_was_sent_and_is_never_guessed_at(cast: Cast, checkpoint: Checkpoint) -> None:
    name = "<script>alert(1)</script>'ü.png"
    body = send(cast, (name, PNG), checkpoint_id=str(checkpoint.pk)).json()
    response = cast.viewer.rest.get(body["inputs"][0]["url"])
    assert response.content == PNG
    assert response["Content-Type"] == "image/png"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Disposition"].startswith("attachment")
    assert (
        cast.viewer.rest.get(body["inputs"][0]["url"], headers={"If-None-Match": response["ETag"]}).status_code == 304
    )
    assert cast.viewer.rest.get(f"/inference-jobs/{body['id']}/inputs/1/content").status_code == 404


def test_a_training_stands_for_its_best_checkpoint_else_its_last(cast: Cast, checkpoint: Checkpoint) -> None:
    last = TriedCheckpointFactory(job=checkpoint.job, kind=CheckpointKind.LAST)
    TriedCheckpointFactory(job=checkpoint.job, kind=CheckpointKind.RESUME)
    training = str(checkpoint.job_id)
    assert send(cast, ("a.png", PNG), training_job_id=training).json()["checkpoint_id"] == str(checkpoint.pk)
    InferenceJob.objects.all().delete()
    checkpoint.delete()
    assert send(cast, ("a.png", PNG), training_job_id=training).json()["checkpoint_id"] == str(last.pk)


@pytest.mark.parametrize(("field", "status"), [("training_job_id", 201), ("checkpoint_id", 404)])
def test_a_checkpoint_replaced_while_pictures_were_stored_has_a_successor_only_for_its_training(
    cast: Cast, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, field: str, status: int
) -> None:
    store, newer = services._stored, []

    def replace(*args: Any) -> Any:
        if not newer:
            newer.append(TriedCheckpointFactory(job=checkpoint.job))
            Checkpoint.objects.filter(pk=checkpoint.pk).delete()
        return store(*args)

    monkeypatch.setattr(services, "_stored", replace)
    key = str(checkpoint.job_id if field == "training_job_id" else checkpoint.pk)
    response = send(cast, ("a.png", PNG), **{field: key})
    assert response.status_code == status
    assert [row.checkpoint_id for row in InferenceJob.objects.all()] == [newer[0].pk] * (status == 201)


def test_what_was_tried_stays_when_its_training_writes_a_better_one(cast: Cast) -> None:
    inference = cast.sample("inference-job")
    tried, job = inference.checkpoint, inference.checkpoint.job
    attempt = AttemptFactory(job=job)
    for number in range(2):
        content = f"weights {number}".encode()
        digest = hashlib.sha256(content).hexdigest()
        AttemptFile.objects.create(attempt=attempt, kind="checkpoint", name="best", sha256=digest, size=len(content))
        data = {"kind": "best", "name": "best", "sha256": digest, "step": number, "epoch": number, "metrics": {}}
        TRAINING.on_events(job, attempt, [JobEvent(job=job, type="checkpoint", data=data)])
    best = Checkpoint.objects.filter(job=job, kind=CheckpointKind.BEST).order_by("pk")
    assert next(row.pk for row in best) == tried.pk
    assert [row.step for row in best][1:] == [1]


def test_a_training_without_a_checkpoint_says_so(cast: Cast) -> None:
    training = TriedTrainingFactory(job=JobFactory(project=cast.sample("project")))
    response = send(cast, ("a.png", PNG), training_job_id=str(training.pk))
    assert (response.status_code, response.json()["code"]) == (409, "no_checkpoint")
    assert nothing_was_made()


def test_a_checkpoint_of_another_organization_is_not_there(cast: Cast) -> None:
    foreign = TriedCheckpointFactory()
    for field in ({"checkpoint_id": str(foreign.pk)}, {"training_job_id": str(foreign.job_id)}):
        assert send(cast, ("a.png", PNG), **field).status_code == 404
    assert nothing_was_made()


@pytest.mark.parametrize("fields", [{}, {"checkpoint_id": "x"}, {"checkpoint_id": "", "training_job_id": ""}])
def test_one_model_must_be_named(cast: Cast, fields: dict[str, str]) -> None:
    assert send(cast, ("a.png", PNG), **fields).status_code == 400


def test_checkpoint_and_training_together_are_refused(cast: Cast, checkpoint: Checkpoint) -> None:
    fields = {"checkpoint_id": str(checkpoint.pk), "training_job_id": str(checkpoint.job_id)}
    assert send(cast, ("a.png", PNG), **fields).status_code == 400
    assert nothing_was_made()


def test_a_checkpoint_to_resume_from_is_refused(cast: Cast, checkpoint: Checkpoint) -> None:
    resume = TriedCheckpointFactory(job=checkpoint.job, kind=CheckpointKind.RESUME)
    response = send(cast, ("a.png", PNG), checkpoint_id=str(resume.pk))
    assert (response.status_code, response.json()["code"]) == (400, "checkpoint_kind")


def test_a_trainer_that_is_gone_is_named(cast: Cast, checkpoint: Checkpoint) -> None:
    gone = TriedCheckpointFactory(job=checkpoint.job, trainer="vanished")
    response = send(cast, ("a.png", PNG), checkpoint_id=str(gone.pk))
    assert (response.status_code, response.json()["code"]) == (409, "mode_not_honoured")
    assert "vanished" in response.json()["detail"]
    assert nothing_was_made()


def test_a_trainer_that_went_since_ends_the_job_with_a_reason(cast: Cast, checkpoint: Checkpoint) -> None:
    inference = InferenceJobFactory(checkpoint=TriedCheckpointFactory(job=checkpoint.job, trainer="vanished"))
    with pytest.raises(services.Conflict) as refused:
        INFERENCE.plan(inference.job, Attempt())
    assert refused.value.code == "trainer_gone"


BAD_PICTURES = [
    pytest.param(lambda: b"", "image.empty", 400, id="bad-I01"),
    pytest.param(lambda: JPEG[: len(JPEG) // 2], "image.truncated", 400, id="bad-I02"),
    pytest.param(lambda: images.png(60_000, 60_000), "image.pixels", 413, id="bad-I03"),
    pytest.param(lambda: images.text_bomb(b"zTXt"), "image.text_bomb", 400, id="bad-I04"),
    pytest.param(lambda: images.many_frames_gif(100_000), "image.frames", 400, id="bad-I05"),
    pytest.param(lambda: images.many_pages_tiff(100_000), "image.frames", 400, id="bad-I07"),
    pytest.param(lambda: b"<svg onload='alert(1)'/>", "image.svg", 400, id="bad-I08"),
    pytest.param(lambda: b'<?xml version="1.0"?><!ENTITY x "y"><svg/>', "image.svg", 400, id="bad-I09"),
    pytest.param(lambda: b"\0\0\0 ftypavif" + bytes(64), "image.unsupported", 400, id="bad-I16"),
    pytest.param(lambda: b"\x7fELF" + bytes(64), "image.not_image", 400, id="not-an-image"),
]


@pytest.mark.security(BAD_INPUT, "pictures to try a checkpoint on")
@pytest.mark.parametrize(("make", "code", "status"), BAD_PICTURES)
def test_a_bad_picture_is_named_and_nothing_is_stored(
    cast: Cast, checkpoint: Checkpoint, make: Callable[[], bytes], code: str, status: int
) -> None:
    folder = blob_root(checkpoint.job.organization_id)
    keys = set(storage().keys(folder))
    response = send(cast, ("good.png", PNG), ("bad.jpg", make()), checkpoint_id=str(checkpoint.pk))
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code)
    assert body["params"]["path"] == "bad.jpg"
    assert body["hint"] and "label" not in body["hint"], "there is no set around the picture"
    assert [line.split(":")[0] for line in body["errors"]["files"]] == ["bad.jpg"]
    assert nothing_was_made()
    assert set(storage().keys(folder)) == keys


@pytest.mark.parametrize(
    ("name", "make"),
    [
        pytest.param("picture.jpg", lambda: PNG, id="bad-I11"),
        pytest.param("turned.jpg", lambda: images.oriented_jpeg(9, gps=True), id="bad-I12"),
        pytest.param("cmyk.jpg", lambda: images.encoded("JPEG", mode="CMYK"), id="bad-I13"),
        pytest.param("palette.png", lambda: images.encoded("PNG", mode="P"), id="bad-I13-palette"),
    ],
)
@pytest.mark.security(BAD_INPUT, "pictures to try a checkpoint on")
def test_odd_but_sound_pictures_are_taken(
    cast: Cast, checkpoint: Checkpoint, name: str, make: Callable[[], bytes]
) -> None:
    content = make()
    response = send(cast, (name, content), checkpoint_id=str(checkpoint.pk))
    assert response.status_code == 201, response.content
    assert response.json()["inputs"][0]["sha256"] == hashlib.sha256(content).hexdigest()


def test_width_and_height_are_those_of_the_upright_picture(cast: Cast, checkpoint: Checkpoint) -> None:
    body = send(cast, ("turned.jpg", images.oriented_jpeg(6)), checkpoint_id=str(checkpoint.pk)).json()
    assert (body["inputs"][0]["width"], body["inputs"][0]["height"]) == (24, 32)


def test_too_many_and_too_large_pictures_are_refused(
    cast: Cast, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    pk = str(checkpoint.pk)
    response = send(cast, *[(f"{no}.png", PNG) for no in range(65)], checkpoint_id=pk)
    assert (response.status_code, response.json()["code"]) == (400, "too_many_files")
    assert send(cast, *[(f"{no}.png", PNG) for no in range(101)], checkpoint_id=pk).status_code in {400, 413}
    monkeypatch.setattr(services, "MAX_TOTAL_BYTES", len(PNG))
    response = send(cast, ("a.png", PNG), ("b.png", PNG), checkpoint_id=pk)
    assert (response.status_code, response.json()["code"]) == (413, "files_too_large")
    monkeypatch.setattr(services, "MAX_TOTAL_BYTES", 256 << 20)
    monkeypatch.setattr(services, "MAX_FILE_BYTES", len(PNG) - 1)
    response = send(cast, ("a.png", PNG), checkpoint_id=pk)
    assert (response.status_code, response.json()["code"]) == (413, "image.too_big")
    assert nothing_was_made()


@pytest.mark.parametrize("config", ["[]", "{", "NaN", '{"conf": NaN}', "[" * 10_000, '{"a": "' + "x" * 20_000 + '"}'])
def test_settings_that_are_no_object_are_refused(cast: Cast, checkpoint: Checkpoint, config: str) -> None:
    response = send(cast, ("a.png", PNG), checkpoint_id=str(checkpoint.pk), config=config)
    assert (response.status_code, set(response.json()["errors"])) == (400, {"config"})
    assert nothing_was_made()


def test_settings_are_checked_by_the_trainers_own_schema(cast: Cast, checkpoint: Checkpoint) -> None:
    detector = TriedCheckpointFactory(job=checkpoint.job, trainer="ultralytics", task="detect")
    good = send(cast, ("a.png", PNG), checkpoint_id=str(detector.pk), config='{"conf": 0.1}')
    assert good.json()["config"] == {"conf": 0.1, "iou": 0.7, "max_det": 300}
    for config in ({"conf": 2}, {"unknown": 1}):
        response = send(cast, ("a.png", PNG), checkpoint_id=str(detector.pk), config=json.dumps(config))
        assert (response.status_code, response.json()["code"]) == (400, "config_invalid")


def test_foreign_fields_change_nothing(cast: Cast, checkpoint: Checkpoint) -> None:
    fields = {"organization_id": str(cast.sample("foreign-organization").pk), "priority": "-10", "state": "succeeded"}
    body = send(cast, ("a.png", PNG), checkpoint_id=str(checkpoint.pk), **fields).json()
    job = Job.objects.get(pk=body["id"])
    assert (job.organization_id, job.priority, job.state) == (checkpoint.organization_id, 10, "queued")


def test_names_lose_their_folders_and_what_cannot_be_shown() -> None:
    found = [services._name_of(SimpleUploadedFile("x", b""), 0)]
    for name in ("../../etc/passwd", "C:\\photos\\a.jpg", "a\u202egpj.exe", "n" * 400, "\0"):
        file = SimpleUploadedFile("x", b"")
        file._name = name
        found.append(services._name_of(file, 2))
    assert found == ["x", "passwd", "a.jpg", "agpj.exe", "n" * 255, "picture-3"]


def test_the_plan_names_checkpoint_and_pictures_and_these_blobs_only_may_be_read(cast: Cast) -> None:
    inference = cast.sample("inference-job")
    InferenceInput.objects.filter(job=inference).update(name="../../ä b.png")
    plan = INFERENCE.plan(inference.job, Attempt())
    assert (plan.trainer, plan.spec["mode"], plan.spec["model"]) == ("reference", "predict", "softmax")
    assert plan.spec["start_from"]["sha256"] == inference.checkpoint.sha256
    targets = [file.target for file in plan.files]
    assert targets == ["inputs/start.ckpt", "inputs/files/0-.._.._b.png"]
    assert plan.spec["inputs"][0]["path"] == targets[1]
    for file in plan.files:
        assert INFERENCE.may_read_blob(inference.job, file.sha256)
    other = InferenceJobFactory(checkpoint__sha256="f" * 64)
    assert not INFERENCE.may_read_blob(inference.job, other.checkpoint.sha256)


def ended(inference: InferenceJob, summary: Any) -> InferenceJob:
    """The job as it is when its trainer has reported this result."""
    attempt = AttemptFactory(job=inference.job, outcome={"result": {"status": "succeeded", "summary": summary}})
    inference.job.state = JobState.SUCCEEDED
    inference.job.save(update_fields=["state"])
    INFERENCE.on_end(inference.job, attempt)
    return InferenceJob.objects.get(pk=inference.pk)


def test_the_answer_has_the_boxes_of_every_picture_and_nothing_that_is_none(cast: Cast) -> None:
    box = {"bbox": [1, 2.5, 3, 4], "class": 2, "label": "triangle", "score": 0.83}
    broken: list[Any] = [{}, 7, {**box, "bbox": [1, 2]}, {**box, "score": "high"}, {**box, "class": "x"}]
    inference = cast.sample("inference-job")
    name = inference.inputs.get().name
    entry = {"name": name, "width": 8, "height": 8, "milliseconds": 62.5, "boxes": [box, *broken]}
    ended(inference, {"predictions": [entry], "device": "cpu"})
    result = cast.viewer.rest.get(f"/inference-jobs/{inference.pk}").json()["result"]
    assert result["classes"] == [{"id": 2, "name": "triangle"}]
    assert result["summary"] == {"device": "cpu"}
    assert result["predictions"] == [
        {"no": 0, "name": name, "width": 8, "height": 8, "milliseconds": 62.5, "boxes": [box], "scores": []}
    ]


def test_an_answer_too_large_for_the_result_is_read_from_its_file(cast: Cast) -> None:
    inference = cast.sample("inference-job")
    document = {"predictions": [{"name": inference.inputs.get().name, "boxes": [
        {"bbox": [0, 0, 1, 1], "class": 0, "label": "circle", "score": 0.5}
    ]}]}  # fmt: skip
    content = json.dumps(document).encode()
    sha256 = hashlib.sha256(content).hexdigest()
    storage().put(blob_key(inference.organization_id, sha256), SimpleUploadedFile("x", content))
    JobArtifact.objects.create(
        job=inference.job,
        attempt_no=1,
        name="predictions.json",
        kind="predictions",
        media_type="application/json",
        sha256=sha256,
        size=len(content),
    )
    ended(inference, {"predicted": 1})
    result = cast.viewer.rest.get(f"/inference-jobs/{inference.pk}").json()["result"]
    assert [box["label"] for box in result["predictions"][0]["boxes"]] == ["circle"]


def test_an_answer_too_large_to_be_read_here_is_handed_out_as_a_file(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    inference, content = cast.sample("inference-job"), b'{"predictions": []}' + b" " * (8 << 20)
    sha256 = hashlib.sha256(content).hexdigest()
    storage().put(blob_key(inference.organization_id, sha256), SimpleUploadedFile("x", content))
    file = {"attempt_no": 1, "kind": "predictions", "media_type": "text/html", "sha256": sha256, "size": len(content)}
    address = f"/inference-jobs/{inference.pk}/predictions"
    assert cast.viewer.rest.get(address).status_code == 404
    JobArtifact.objects.create(job=inference.job, name="predictions.json", **file)
    ended(inference, {"predicted": 1})
    with monkeypatch.context() as patch:
        patch.setattr(type(storage()), "read", mock.Mock(side_effect=AssertionError("read whole")))
        result = cast.viewer.rest.get(f"/inference-jobs/{inference.pk}").json()["result"]
    assert (result["file"], result["predictions"][0]["boxes"]) == (len(content), [])
    answer = cast.viewer.rest.get(address)
    assert b"".join(answer.streaming_content) == content if answer.streaming else answer.content == content
    assert answer["Content-Disposition"] == 'attachment; filename="predictions.json"'
    assert answer["Content-Type"] == "application/octet-stream"
    assert cast.member.rest.get(address).status_code == 404
    event = AuditEvent.objects.get(action="inference.predictions_downloaded")
    assert (event.actor_id, event.entity_id) == (cast.viewer.user.pk, str(inference.pk))


@pytest.mark.parametrize("summary", [None, [], {"predictions": "none"}, {"predictions": [None, 3]}])
def test_whatever_a_trainer_writes_is_answered(cast: Cast, summary: Any) -> None:
    inference = cast.sample("inference-job")
    ended(inference, summary)
    response = cast.viewer.rest.get(f"/inference-jobs/{inference.pk}")
    assert response.status_code == 200
    assert response.json()["result"]["predictions"][0]["boxes"] == []


def test_a_failed_job_has_no_answer(cast: Cast) -> None:
    inference = cast.sample("inference-job")
    attempt = AttemptFactory(job=inference.job, outcome={"result": {"status": "stopped", "summary": {"x": 1}}})
    inference.job.state = JobState.STOPPED
    INFERENCE.on_end(inference.job, attempt)
    INFERENCE.on_end(inference.job, None)
    assert InferenceJob.objects.get(pk=inference.pk).result is None


def test_lists_are_filtered_and_cost_the_same_for_one_row_and_for_twenty(cast: Cast, checkpoint: Checkpoint) -> None:
    InferenceJobFactory()

    def rows(number: int) -> None:
        for _ in range(number):
            InferenceJobFactory(checkpoint=checkpoint)

    client = cast.owner.rest
    assert_constant_queries(lambda: client.get("/inference-jobs"), add_rows=rows, at_most=8)
    for query, number in (
        (f"training_job_id={checkpoint.job_id}", 20),
        (f"checkpoint_id={checkpoint.pk}", 20),
        ("state=queued", 20),
        ("state=failed", 0),
        ("page_size=1000000000", 20),
    ):
        assert len(client.get(f"/inference-jobs?{query}").json()["results"]) == number, query
    assert client.get("/inference-jobs?state=unknown").status_code == 400


def test_pictures_cost_the_same_for_one_and_for_twenty(cast: Cast) -> None:
    inference = cast.sample("inference-job")

    def more(number: int) -> None:
        start = inference.inputs.count()
        for no in range(start, start + number):
            InferenceInput.objects.create(
                job=inference, no=no, name="x", sha256="0" * 64, size=1, media_type="image/png", width=1, height=1
            )

    assert_constant_queries(lambda: cast.viewer.rest.get(f"/inference-jobs/{inference.pk}"), add_rows=more, at_most=9)


def test_a_viewer_sees_no_button_that_would_be_refused(cast: Cast) -> None:
    inference = cast.sample("inference-job")
    path = f"/inference-jobs/{inference.pk}"
    assert cast.owner.rest.get(path).json()["job"]["capabilities"]["stop"] is True
    assert cast.viewer.rest.get(path).json()["job"]["capabilities"]["stop"] is False


def test_stopping_a_waiting_job_ends_it(cast: Cast) -> None:
    inference = cast.sample("inference-job")
    response = cast.owner.rest.post(f"/inference-jobs/{inference.pk}/stop", {"grace_seconds": 5})
    assert response.json()["job"]["state"] == JobState.STOPPED
    again = cast.owner.rest.post(f"/inference-jobs/{inference.pk}/stop")
    assert (again.status_code, again.json()["code"]) == (409, "not_running")


def test_events_follow_the_cursor(cast: Cast, checkpoint: Checkpoint) -> None:
    pk = send(cast, ("a.png", PNG), checkpoint_id=str(checkpoint.pk)).json()["id"]
    found = cast.viewer.rest.get(f"/inference-jobs/{pk}/events?after=0").json()
    assert [event["data"]["to"] for event in found["events"]] == ["queued"]
    assert cast.viewer.rest.get(f"/inference-jobs/{pk}/events?after=1").json()["events"] == []
    assert cast.viewer.rest.get(f"/inference-jobs/{pk}/events?after=x").status_code == 400


def test_staff_stop_jobs_in_the_admin(cast: Cast) -> None:
    inference = cast.sample("inference-job")
    owner = cast.owner
    owner.user.is_staff = True
    owner.user.save(update_fields=["is_staff"])
    body = {"action": "stop_jobs", "_selected_action": [str(inference.pk)]}
    owner.portal.post("/admin/evaluation/inferencejob/", body)
    assert Job.objects.get(pk=inference.pk).state == JobState.STOPPED
