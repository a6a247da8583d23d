"""Events, logs and files of attempts: in order, once, and never lost for being odd.

A journal is the trainer's own writing. A line that breaks the contract must not block those behind it, so it is
stored as a warning that says what was wrong; only the transport (gaps, sizes, tokens) is refused.
"""

import io
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO, TypeGuard, cast

from django.db import connection
from django.utils import timezone

from apps.core.errors import Invalid, TooLarge
from apps.core.operations import ingest
from apps.core.storage import results
from apps.core.storage.keys import blob_key, log_key
from apps.core.storage.locks import blobs_shared
from apps.core.storage.receiving import received
from apps.jobs.kinds import event_handlers, kind_of
from apps.jobs.models import Attempt, AttemptFile, Job, JobArtifact, JobEvent, LogChunk
from apps.jobs.services.attempts import commands, locked, renew
from apps.jobs.services.transitions import hint, set_state
from apps.jobs.states import JobState

STREAMS = {"trainer": "trainer_acked", "launcher": "launcher_acked"}
TYPES = {"started", "progress", "metrics", "log", "artifact", "checkpoint", "warning", "result", "failure"}
MAX_BATCH = 1000
MAX_EVENT_CHARACTERS = 512 * 1024
# Readers stand deeper in the stack than the one who stored it.
MAX_DEPTH = 64
MAX_LOG_PIECE = 256 * 1024
MAX_FILE_BYTES = 64 << 30
NAME = re.compile(r"[^\x00-\x1f\x7f]{1,300}")
SHA256 = re.compile(r"[0-9a-f]{64}")
YEAR_3000 = 32503680000
MAX_NUMBER = 1e300
# A NUL as JSON writes it: an escape whose backslash is not itself escaped.
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

# The data of all events is one JSON array, parsed once by the server: texts in an SQL array would be escaped one by one.
INSERT = """
INSERT INTO jobs_jobevent (job_id, attempt_no, stream, seq, stream_seq, type, data, "time")
SELECT %s, %s, %s, %s + number, %s + number, type, data, "time"
FROM ROWS FROM (unnest(%s::text[]), unnest(%s::timestamptz[]), jsonb_array_elements(%s::jsonb))
     WITH ORDINALITY AS fresh(type, "time", data, number)
"""


class Malformed(Invalid):
    """Not what the protocol asks for."""

    status = 422
    code = "malformed"


class Gap(Malformed):
    """Lines before these are missing."""

    code = "gap"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    acked: int
    lease_until: float
    commands: list[dict[str, Any]]


@ingest("jobs.events_append")
def events_append(*, attempt: Attempt, stream: str, lines: list[Any]) -> Acknowledged:
    """Stores journal lines of one stream. What is there already is dropped; a gap is refused."""
    if stream not in STREAMS or len(lines) > MAX_BATCH:
        raise Malformed("The stream or the size of the batch is not valid.")
    job, attempt = locked(attempt, synced=False)
    acked = getattr(attempt, STREAMS[stream])
    fresh = [line for line in lines if _number(line) > acked]
    for expected, line in enumerate(fresh, acked + 1):
        if _number(line) != expected:
            raise Gap("Lines before these are missing.", params={"acked": acked})
    if fresh:
        pairs = [_event(job, attempt, stream, line, number) for number, line in enumerate(fresh, 1)]
        events = [event for event, _text in pairs]
        _insert(job, attempt, stream, pairs)
        job.event_seq += len(events)
        acked += len(events)
        setattr(attempt, STREAMS[stream], acked)
        _apply(job, attempt, events)
        for handle in (*event_handlers(), kind_of(job).on_events):
            handle(job, attempt, events)
        # Before a change of state, which adds an event of its own: hints keep the order of the cursor.
        hint(job, events)
        began = stream == "trainer" and any(event.type == "started" for event in events)
        if began and job.state == JobState.STARTING:
            set_state(job, JobState.RUNNING)
    renew(job, attempt, came=bool(fresh))
    return Acknowledged(acked, attempt.lease_until.timestamp(), commands(job))


def log_append(*, attempt: Attempt, offset: int, content: bytes) -> tuple[int, list[dict[str, Any]]]:
    """Stores a piece of the log when it is the next one; returns the attempt's size and what is asked of it."""
    if len(content) > MAX_LOG_PIECE:
        raise TooLarge("A piece of the log may have 256 KiB.")
    if offset != attempt.log_bytes or not content:
        return attempt.log_bytes, commands(attempt.job)
    # The object first: a row must never name bytes that are not there.
    key = log_key(attempt.job.organization_id, attempt.job_id, offset)
    results().put(key, io.BytesIO(content))
    kept, size, asked = _log_row(attempt=attempt, offset=offset, size=len(content), key=key)
    if not kept:
        results().delete(key)
    return size, asked


@ingest("jobs.log_append")
def _log_row(*, attempt: Attempt, offset: int, size: int, key: str) -> tuple[bool, int, list[dict[str, Any]]]:
    job, attempt = locked(attempt)
    if attempt.log_bytes != offset:
        return False, attempt.log_bytes, commands(job)
    LogChunk.objects.create(job=job, attempt_no=attempt.no, offset=job.log_bytes, size=size, key=key)
    job.log_bytes += size
    job.save(update_fields=["log_bytes"])
    Attempt.objects.filter(pk=attempt.pk).update(log_bytes=offset + size)
    return True, offset + size, commands(job)


def file_store(*, attempt: Attempt, kind: str, name: str, sha256: str, size: int, stream: BinaryIO) -> None:
    """Takes a checkpoint or artifact: verified first, then a blob of the organization."""
    if kind not in {"checkpoint", "artifact"} or not NAME.fullmatch(name) or not SHA256.fullmatch(sha256):
        raise Malformed("The file's kind, name or digest is not valid.")
    if size > MAX_FILE_BYTES:
        raise TooLarge("A file may have 64 GiB.")
    if AttemptFile.objects.filter(attempt=attempt, kind=kind, name=name, sha256=sha256).exists():
        return
    organization_id = attempt.job.organization_id
    with received(results(), cast(BinaryIO, _Announced(stream, size))) as (incoming, stored):
        if stored.sha256 != sha256 or stored.size != size:
            raise Malformed("The bytes are not those that were announced.", code="digest_differs")
        with blobs_shared(organization_id):
            results().move(incoming, blob_key(organization_id, sha256))
            _file_row(attempt=attempt, kind=kind, name=name, sha256=sha256, size=size)


class _Announced:
    """A stream of which no more is read than was announced, and one byte that tells that there is more."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._left = size + 1

    def read(self, size: int = -1) -> bytes:
        part = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(part)
        return part


@ingest("jobs.file_store")
def _file_row(*, attempt: Attempt, kind: str, name: str, sha256: str, size: int) -> None:
    _job, attempt = locked(attempt)
    AttemptFile.objects.get_or_create(attempt=attempt, kind=kind, name=name, sha256=sha256, defaults={"size": size})


def _number(line: Any) -> int:
    number = line.get("seq") if isinstance(line, dict) else None
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise Malformed("A line has no number.")
    return number


def _event(job: Job, attempt: Attempt, stream: str, line: dict[str, Any], number: int) -> tuple[JobEvent, str]:
    """A line as a row, and its data as JSON. One that breaks the contract becomes a warning about itself."""
    type_: Any = line.get("type")
    data: Any = line.get("data")
    time: Any = line.get("time")
    text: str | None = None
    problem = ""
    if not isinstance(type_, str) or type_ not in TYPES:
        problem = "its type is not known"
    elif not isinstance(data, dict):
        problem = "its data is not an object"
    elif (text := _storable(data)) is None:
        problem = "its data is too large or holds numbers or characters that cannot be stored"
    if problem or text is None:
        message = f"A line of the journal was left out: {problem}."
        type_, data = "warning", {"code": "event_invalid", "message": message}
        text = json.dumps(data)
    known = _is_number(time) and 0 < time < YEAR_3000
    moment = datetime.fromtimestamp(time, UTC) if known else timezone.now()
    # By position, in the order of the fields: a batch has up to 1,000, and names cost more than the rest of this.
    values: list[Any] = [None, job.pk, job.event_seq + number, attempt.no, stream, line["seq"], type_, data, moment]
    return JobEvent(*values), text


def _storable(data: dict[str, Any]) -> str | None:
    """The data as JSON; None where it cannot be stored, or not be read again for being nested too deeply.

    PostgreSQL's jsonb has no NaN, no NUL, no half a surrogate.
    """
    try:
        text = json.dumps(data, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (ValueError, RecursionError):
        return None
    if len(text) > MAX_EVENT_CHARACTERS or ("\\u0000" in text and NUL.search(text)):
        return None
    if text.count("{") + text.count("[") > MAX_DEPTH and _is_deep(data):
        return None
    return text


def _is_deep(data: Any) -> bool:
    level = [data]
    for _number in range(MAX_DEPTH):
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _insert(job: Job, attempt: Attempt, stream: str, pairs: list[tuple[JobEvent, str]]) -> None:
    """Stores events that follow each other; `pairs` are rows with their data as JSON."""
    first = pairs[0][0]
    types = ",".join(event.type for event, _text in pairs)
    times = ",".join(event.time.isoformat() for event, _text in pairs)
    data = ",".join(text for _event, text in pairs)
    with connection.cursor() as cursor:
        cursor.execute(
            INSERT,
            [
                job.pk,
                attempt.no,
                stream,
                first.seq - 1,
                first.stream_seq - 1,
                f"{{{types}}}",
                f"{{{times}}}",
                f"[{data}]",
            ],
        )


def _apply(job: Job, attempt: Attempt, events: list[JobEvent]) -> None:
    """What events mean for the job itself: progress, outcome, artifacts. The cursors are written with the lease."""
    fields: set[str] = set()
    for event in events:
        if event.type == "progress":
            fields |= _progress(job, event)
        elif event.type == "artifact" and not event.data.get("missing"):
            _artifact(job, attempt, event)
        elif event.type in {"result", "failure"} and event.stream == "trainer":
            attempt.outcome = {**attempt.outcome, event.type: event.data}
            Attempt.objects.filter(pk=attempt.pk).update(outcome=attempt.outcome)
    if fields:
        job.save(update_fields=[*fields])


def _progress(job: Job, event: JobEvent) -> set[str]:
    data, now = event.data, event.time.timestamp()
    fraction = data.get("fraction")
    job.stage = str(data.get("stage", ""))[:30]
    if event.stream != "trainer" or not _is_number(fraction):
        return {"stage"}
    fraction = min(1.0, max(0.0, float(fraction)))
    detail = job.progress_detail
    if "began" not in detail or fraction < (job.progress or 0.0):
        detail = {"began": now, "began_fraction": fraction}
    elif now > detail["at"] and fraction > (job.progress or 0.0):
        speed = (fraction - (job.progress or 0.0)) / (now - detail["at"])
        # A smoothed recent speed; the range of the remaining time lies between it and the mean.
        detail["rate"] = speed if "rate" not in detail else 0.8 * detail["rate"] + 0.2 * speed
    detail.update(
        at=now,
        current=data.get("current") if _is_number(data.get("current")) else None,
        total=data.get("total") if _is_number(data.get("total")) else None,
        unit=str(data.get("unit", ""))[:20],
        message=str(data.get("message") or "")[:300],
    )
    job.progress, job.progress_detail = fraction, detail
    return {"stage", "progress", "progress_detail"}


def _artifact(job: Job, attempt: Attempt, event: JobEvent) -> None:
    data = event.data
    name, sha256 = str(data.get("name", ""))[:300], str(data.get("sha256", ""))
    file = AttemptFile.objects.filter(attempt=attempt, kind="artifact", name=name, sha256=sha256).first()
    if file is None:
        raise Malformed("The event names a file that was not uploaded.", code="file_missing", params={"name": name})
    JobArtifact.objects.update_or_create(
        job=job,
        name=name,
        defaults={
            "attempt_no": attempt.no,
            "titles": _titles(data.get("title")),
            "kind": str(data.get("kind", "file"))[:20],
            "media_type": str(data.get("media_type", "application/octet-stream"))[:100],
            "sha256": sha256,
            "size": file.size,
            "data": data.get("data"),
        },
    )


def _is_number(value: Any) -> TypeGuard[float]:
    """A finite number; JSON's integers may be too large to be compared as floats."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -MAX_NUMBER < value < MAX_NUMBER


def _titles(given: Any) -> dict[str, str]:
    """A title as text, or as texts by language code."""
    if isinstance(given, str):
        given = {"en": given}
    if not isinstance(given, dict):
        return {}
    return {str(code)[:5]: str(text)[:200] for code, text in given.items()}
