"""A kind of job that needs no table of its own, and a launcher that speaks the attempt protocol to the views."""

import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import Any

from django.test import Client

from apps.core.storage import storage
from apps.jobs.kinds import InputFile, JobKind, Plan, register_kind
from apps.jobs.models import Attempt, AttemptFile, Job, JobEvent
from apps.jobs.services.attempts import attempt_arm
from apps.jobs.services.dispatch import dispatch
from apps.jobs.states import JobState
from tests.factories.jobs import JobFactory
from tests.factories.resources import NodeFactory

KIND = "reference-test"
RESUME_TARGET = "inputs/resume.ckpt"


def newest_resume(job: Job) -> dict[str, Any] | None:
    """Data of the last checkpoint to resume from that arrived."""
    rows = JobEvent.objects.filter(job=job, type="checkpoint", data__kind="resume")
    found = rows.exclude(data__has_any_keys=["superseded", "missing"]).order_by("-seq").first()
    return found.data if found else None


def plan(job: Job, attempt: Attempt) -> Plan:
    """The reference trainer; its settings are the job's name, a JSON object."""
    spec: dict[str, Any] = {"mode": "train", "task": "tabular", "model": "softmax", "config": json.loads(job.name)}
    resume, files = newest_resume(job), []
    if resume is not None:
        files.append(InputFile(resume["sha256"], resume["size"], RESUME_TARGET))
        spec["resume_from"] = {
            "path": RESUME_TARGET,
            "sha256": resume["sha256"],
            "step": resume["step"],
            "epoch": resume["epoch"],
        }
    return Plan("reference", spec, files, resumed_step=resume["step"] if resume else None)


def may_read_blob(job: Job, sha256: str) -> bool:
    return AttemptFile.objects.filter(attempt__job=job, sha256=sha256).exists()


@dataclass
class Calls:
    """What the kind was told; cleared for each test."""

    events: list[tuple[Any, int]] = field(default_factory=list)
    ends: list[tuple[Any, str]] = field(default_factory=list)
    plan_error: Exception | None = None

    def clear(self) -> None:
        self.events.clear()
        self.ends.clear()
        self.plan_error = None


calls = Calls()


def _plan(job: Job, attempt: Attempt) -> Plan:
    if calls.plan_error is not None:
        raise calls.plan_error
    return plan(job, attempt)


register_kind(
    JobKind(
        name=KIND,
        plan=_plan,
        may_read_blob=may_read_blob,
        on_events=lambda job, attempt, events: calls.events.append((job.pk, len(events))),
        on_end=lambda job, attempt: calls.ends.append((job.pk, job.state)),
        needs_checkpoint=True,
    )
)


def make_job(state: str = JobState.DRAFT, **fields: Any) -> Job:
    """A job of the test kind, with a state that was not come by in order."""
    fields.setdefault("name", "{}")
    return JobFactory(kind=KIND, state=state, **fields)


def started(job: Job | None = None, **node: Any) -> Attempt:
    """An attempt as the dispatcher claims it: the job is `starting` on a node of its group."""
    job = job or make_job(JobState.QUEUED)
    NodeFactory(group=job.resource_group, **node)
    assert len(dispatch().placed) == 1
    return Attempt.objects.get(job=job, state="claimed")


class Launcher:
    """Says what a launcher says. Answers are `(status, JSON)`."""

    def __init__(self, attempt: Attempt, token: str = "a-token-of-the-test") -> None:
        self.attempt = attempt
        self.token = token
        self.seq = {"trainer": 0, "launcher": 0}
        self.client = Client()
        self.armed = attempt_arm(attempt=attempt, token=token)

    def call(self, method: str, action: str, body: Any = None, raw: bytes | None = None) -> tuple[int, Any]:
        content = raw if raw is not None else json.dumps(body or {}).encode()
        response = self.client.generic(
            method,
            f"/api/attempt/v1/{self.attempt.pk}/{action}",
            content,
            content_type="application/octet-stream" if raw is not None else "application/json",
            headers={"Authorization": f"Attempt {self.token}"},
        )
        content = b"".join(response.streaming_content) if response.streaming else response.content
        return response.status_code, json.loads(content) if "json" in response["Content-Type"] else content

    def hello(self, nonce: str = "nonce-of-the-first", *, recovering: bool = False) -> tuple[int, Any]:
        return self.call("POST", "hello", {"nonce": nonce, "pid": 1, "recovering": recovering})

    def lines(self, *events: tuple[str, Any], stream: str = "trainer") -> list[dict[str, Any]]:
        """The next lines of a journal."""
        found = []
        for type_, data in events:
            self.seq[stream] += 1
            found.append({"seq": self.seq[stream], "time": time.time(), "type": type_, "data": data})
        return found

    def send(self, lines: list[Any], stream: str = "trainer") -> tuple[int, Any]:
        return self.call("POST", "events", {"stream": stream, "events": lines})

    def say(self, *events: tuple[str, Any], stream: str = "trainer") -> Any:
        """Sends the next lines, which must be taken."""
        status, answer = self.send(self.lines(*events, stream=stream), stream)
        assert status == 200, answer
        return answer

    def heartbeat(self) -> tuple[int, Any]:
        return self.call("POST", "heartbeat")

    def log(self, offset: int, content: bytes) -> tuple[int, Any]:
        return self.call("POST", f"logs?offset={offset}", raw=content)

    def upload(self, name: str, content: bytes, *, kind: str = "checkpoint", sha256: str = "") -> tuple[int, Any]:
        digest = sha256 or hashlib.sha256(content).hexdigest()
        query = f"files?name={name}&sha256={digest}&size={len(content)}&kind={kind}"
        return self.call("PUT", query, raw=content)

    def checkpoint(self, kind: str, content: bytes, *, step: int = 0, **data: Any) -> dict[str, Any]:
        """Uploads a checkpoint and returns the data of its event."""
        digest = hashlib.sha256(content).hexdigest()
        name = f"{kind}-{step:06d}.ckpt"
        status, answer = self.upload(name, content)
        assert status == 200, answer
        return {"kind": kind, "name": name, "sha256": digest, "size": len(content), "step": step, "epoch": 0, **data}

    def end(
        self,
        exit_code: int | None = None,
        signal: int | None = None,
        reason: str | None = None,
        params: dict[str, Any] | None = None,
        **totals: Any,
    ) -> tuple[int, Any]:
        body = {
            "exit_code": exit_code,
            "signal": signal,
            "reason": reason,
            "params": params or {},
            "last_seq": dict(self.seq),
            "log_bytes": Attempt.objects.get(pk=self.attempt.pk).log_bytes,
            **totals,
        }
        return self.call("POST", "end", body)


def running(job: Job | None = None, **node: Any) -> Launcher:
    """A launcher whose trainer has begun: the job is `running`."""
    launcher = Launcher(started(job, **node))
    assert launcher.hello()[0] == 200
    launcher.say(("started", {"trainer": "reference", "pid": 1}))
    return launcher


def assert_nothing_left_incoming(seconds: float = 30) -> None:
    """No pieces of a refused upload stay in the store. Other tests may be sending at the same time: what they have on
    its way goes, what is left over stays."""
    left, end = set(storage().keys("incoming")), time.monotonic() + seconds
    while left := left & set(storage().keys("incoming")):
        assert time.monotonic() < end, left
        time.sleep(0.1)
