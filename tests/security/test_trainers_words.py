"""Whatever a trainer writes, or whoever holds an attempt's token sends: nobody's page breaks and nothing is repeated
for ever."""

import hashlib
import io
import json
from typing import Any

import pytest

from apps.core.outbox.models import OutboxMessage
from apps.core.storage import storage
from apps.core.storage.keys import blob_key
from apps.core.templatetags import ui
from apps.core.testing import Cast
from apps.evaluation.models import InferenceJob
from apps.experiments.services.runs import ARTIFACT
from apps.jobs.models import Attempt, AttemptFile, Job, JobArtifact, JobEvent
from apps.jobs.selectors import eta, summary
from apps.jobs.states import JobState
from apps.training.models import TrainingJob
from tests.evaluation.test_inference_jobs import ended
from tests.jobs.support import Launcher, assert_nothing_left_incoming, running, started
from tests.jobs.test_training_kind import launcher

__all__ = ["launcher"]  # a fixture

pytestmark = [pytest.mark.security, pytest.mark.django_db]

HUGE = 10**400


def nested(depth: int) -> Any:
    found: Any = 1
    for _number in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize("nonce", ["nul \0 in the middle", "half \ud83d a pair", "ünïcödé-nonce", "x" * 65, 12345678])
def test_a_nonce_that_cannot_be_stored_is_refused(nonce: Any) -> None:
    assert Launcher(started()).hello(nonce)[0] == 422


@pytest.mark.parametrize("digest", ["%00", "..", "%2e%2e", "0" * 63, "A" * 64])
def test_a_digest_that_is_none_names_no_blob(digest: str) -> None:
    assert running().call("GET", f"blobs/{digest}")[0] == 404


@pytest.mark.parametrize("message", ["nul \0 here", "half \ud83d", nested(500), {"a": HUGE}, "x" * 5000])
@pytest.mark.parametrize("reason", ["environment_failed", "journal_invalid", None])
def test_an_end_is_taken_whatever_its_message_holds(message: Any, reason: str | None) -> None:
    launcher = running()
    status, answer = launcher.end(1, reason=reason, params={"message": message})
    assert (status, answer["state"]) == (200, "errored" if reason == "environment_failed" else "failed")
    job = Job.objects.get(pk=launcher.attempt.job_id)
    assert summary(job)["reason"]["text"]


@pytest.mark.parametrize("depth", [65, 500, 700])
def test_events_nested_deeper_than_readers_can_follow_are_left_out(depth: int) -> None:
    launcher = running()
    launcher.say(("log", {"message": nested(depth)}), ("log", {"message": nested(10)}))
    kept = JobEvent.objects.filter(job_id=launcher.attempt.job_id, stream="trainer").order_by("seq")
    assert list(kept.values_list("type", flat=True)) == ["started", "warning", "log"]


def test_wide_data_is_not_deep() -> None:
    launcher = running()
    launcher.say(("log", {"rows": [[number] for number in range(5000)]}))
    assert not JobEvent.objects.filter(job_id=launcher.attempt.job_id, type="warning").exists()


def test_no_more_of_a_file_is_stored_than_was_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    launcher, taken = running(), []
    put = type(storage()).put

    def watched(store: Any, key: str, stream: Any) -> Any:
        found = put(store, key, stream)
        taken.append(found.size)
        return found

    monkeypatch.setattr(type(storage()), "put", watched)
    content = bytes(3 << 20)
    query = f"files?name=a&sha256={hashlib.sha256(content).hexdigest()}&size=1000&kind=artifact"
    status, answer = launcher.call("PUT", query, raw=content)
    assert (status, answer["code"]) == (422, "digest_differs")
    assert taken == [1001]
    assert not AttemptFile.objects.exists()
    assert_nothing_left_incoming()


def test_a_trainer_that_hardly_moves_is_not_said_to_end_in_an_infinity() -> None:
    launcher = running()
    lines = launcher.lines(*[("progress", {"stage": "training"})] * 3)
    for line, (time, fraction) in zip(lines, [(1000.0, 0.0), (1010.0, 1e-310), (1010.0, 0.5)], strict=True):
        line["time"] = time
        line["data"] = {"stage": "training", "fraction": fraction}
    assert launcher.send(lines)[0] == 200
    job = Job.objects.get(pk=launcher.attempt.job_id)
    assert job.progress == 0.5
    assert eta(job) is None


def artifact(launcher: Launcher, name: str, data: Any) -> None:
    content = json.dumps(name).encode()
    status, answer = launcher.upload("a", content, kind="artifact")
    assert status == 200, answer
    digest = hashlib.sha256(content).hexdigest()
    AttemptFile.objects.filter(sha256=digest).update(name=name)
    launcher.say(("artifact", {"name": name, "sha256": digest, "kind": "table", "data": data}))


@pytest.mark.parametrize(
    "data",
    [
        {"chart": "matrix", "columns": {"names": ["a", "b"]}, "values": [[1, 2], [3]]},
        {"chart": "matrix", "columns": 7, "values": 7},
        {"chart": "line", "x": [], "series": {}},
        {"rows": [{"a": HUGE}, {"a": [[[]]]}]},
        {"rows": [7]},
        {"columns": [["a"]], "rows": [{"a": 1}]},
    ],
    ids=range(6),
)
def test_the_results_are_drawn_whatever_the_trainers_figures_hold(
    cast: Cast, launcher: Launcher, data: dict[str, Any]
) -> None:
    artifact(launcher, "figure.json", data)
    assert JobArtifact.objects.get(job_id=launcher.attempt.job_id).data == data
    training = TrainingJob.objects.get(pk=launcher.attempt.job_id)
    for part in ("results", "checkpoints", "config"):
        assert cast.editor.portal.get(f"/training/{training.pk}/{part}/").status_code == 200


def test_numbers_beyond_floats_are_drawn_as_missing() -> None:
    for shown in (ui.number, ui.compact, ui.figure, ui.percent, ui.format_bytes, ui.duration):
        assert shown(HUGE) == ui.MISSING


@pytest.mark.parametrize(
    "entry",
    [
        {"name": ["not", "a", "name"]},
        {"boxes": [{"bbox": [HUGE, 1, 1, 1], "class": 1, "score": 0.5}]},
        {"boxes": [{"bbox": [1, 1, 1, 1], "class": HUGE, "score": 0.5}]},
        {"boxes": [{"bbox": [1, 1, 1, 1], "class": 1, "score": HUGE}]},
        {"milliseconds": HUGE, "probabilities": {"a": HUGE}},
    ],
    ids=range(5),
)
def test_predictions_are_answered_whatever_numbers_they_hold(cast: Cast, entry: dict[str, Any]) -> None:
    inference: InferenceJob = cast.sample("inference-job")
    name = inference.inputs.get().name
    ended(inference, {"predictions": [{"name": name, **entry}, {"name": {}}]})
    answer = cast.viewer.rest.get(f"/inference-jobs/{inference.pk}")
    assert answer.status_code == 200
    assert answer.json()["result"]["predictions"][0]["boxes"] == []


def test_the_mirror_takes_no_file_that_did_not_arrive(cast: Cast, launcher: Launcher) -> None:
    foreign = cast.sample("foreign-organization")
    secret = hashlib.sha256(b"secret").hexdigest()
    storage().put(blob_key(foreign.pk, secret), io.BytesIO(b"secret"))
    path = f"../blobs/{foreign.pk}/{secret[:2]}/{secret}"
    organization = TrainingJob.objects.get(pk=launcher.attempt.job_id).organization_id
    assert storage().read(blob_key(organization, path)) == b"secret", "the digest would lead to the other's blob"
    launcher.say(("checkpoint", {"kind": "best", "name": "best.ckpt", "sha256": path}))
    assert not OutboxMessage.objects.filter(topic=ARTIFACT).exists()
    launcher.say(("checkpoint", launcher.checkpoint("best", b"own")))
    assert OutboxMessage.objects.filter(topic=ARTIFACT).count() == 1


def test_an_artifact_named_after_a_folder_blocks_nothing(launcher: Launcher) -> None:
    artifact(launcher, "..", None)
    artifact(launcher, "plots/..", None)
    attempt = Attempt.objects.get(pk=launcher.attempt.pk)
    assert (attempt.trainer_acked, attempt.job.state) == (3, JobState.RUNNING)
    assert not OutboxMessage.objects.filter(topic=ARTIFACT).exists()
