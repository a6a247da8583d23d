"""Reads: a job's summary, its events, its log."""

import math
import time
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.storage import ObjectNotFound, results
from apps.jobs.models import Attempt, AttemptFile, Job, JobEvent, LogChunk
from apps.jobs.states import ACTIVE, RESUMABLE, JobState
from apps.projects.models import Project

MAX_SEARCH_MATCHES = 200
MAX_SHOWN_LINE = 1000
MAX_LINE = 1024 * 1024
LONGEST_CHARACTER = 4
LONGEST_ETA = 366 * 86400.0
UNITS = {
    "epoch": lambda current, total: _("epoch %(current)s of %(total)s"),
    "step": lambda current, total: _("step %(current)s of %(total)s"),
    "image": lambda current, total: _("image %(current)s of %(total)s"),
}


def summary(job: Job, *, may_change: bool = True) -> dict[str, Any]:
    """What pages and sockets show of a job (docs/architecture/live-protocol.md); plain JSON values."""
    return {
        "id": str(job.pk),
        "name": job.name,
        "kind": job.kind,
        "state": job.state,
        "state_label": str(JobState(job.state).label),
        "state_color": job.state_color,
        "reason": job.reason if job.state != JobState.QUEUED else None,
        "waiting_for": (job.reason or {}).get("text") if job.state == JobState.QUEUED else None,
        "stage": job.stage,
        "progress": job.progress,
        "progress_text": progress_text(job),
        "eta": eta(job),
        "attempt_no": job.attempt_no,
        "event_seq": job.event_seq,
        "queued_at": _utc(job.queued_at),
        "started_at": _utc(job.started_at),
        "finished_at": _utc(job.finished_at),
        "capabilities": capabilities(job, may_change=may_change),
    }


def _utc(time: datetime | None) -> str | None:
    """A time as the REST interface writes it."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z") if time else None


def capabilities(job: Job, *, may_change: bool) -> dict[str, bool]:
    """Which buttons make sense now: the state says what is possible, the policy what is allowed."""
    active = job.state in {JobState.QUEUED, JobState.STARTING, JobState.RUNNING, JobState.UNREACHABLE}
    return {
        "start": may_change and job.state == JobState.DRAFT,
        "change": may_change and job.state == JobState.DRAFT,
        "delete": may_change and job.state == JobState.DRAFT,
        "stop": may_change and active,
        "resume": may_change and job.state in RESUMABLE,
        "retry": may_change and job.is_terminal,
        "clone": may_change,
    }


def states_of(capability: str) -> list[str]:
    """The states in which it makes sense, whoever asks."""
    return [state.value for state in JobState if capabilities(Job(state=state), may_change=True)[capability]]


def progress_text(job: Job) -> str:
    """What it is at, or was at when it ended before its end."""
    detail = job.progress_detail
    if not detail or job.progress is None or job.state == JobState.SUCCEEDED:
        return ""
    sentence = UNITS.get(detail.get("unit", ""))
    if sentence is None or not detail.get("total"):
        return str(detail.get("message", ""))
    current, total = detail.get("current"), detail["total"]
    # Trainers count parts of an epoch: 26.07 epochs done is the 27th.
    return sentence(_begun(current), _begun(total)) % {"current": _begun(current), "total": _begun(total)}


def _begun(count: Any) -> Any:
    """The number of the one that is being worked on; what is no finite number stays as it was said."""
    return math.ceil(count) if isinstance(count, float) and math.isfinite(count) else count


def eta(job: Job) -> dict[str, int] | None:
    """Seconds left as a range: from the mean speed of the whole attempt and from the recent speed."""
    detail = job.progress_detail
    if job.state != JobState.RUNNING or not job.progress or job.progress >= 1 or "began" not in detail:
        return None
    done = job.progress - detail["began_fraction"]
    elapsed = detail["at"] - detail["began"]
    if done < 0.01 or elapsed < 2:
        return None
    left = 1 - job.progress
    whole = elapsed / done * left
    recent = left / detail["rate"] if detail.get("rate") else whole
    since = max(0.0, time.time() - detail["at"])
    low, high = min(whole, recent) * 0.9 - since, max(whole, recent) * 1.15 - since
    # A trainer that reports next to nothing would have it last for ever.
    if not high < LONGEST_ETA:
        return None
    return {"low_seconds": max(0, round(low)), "high_seconds": max(1, round(high))}


def event_as_dict(event: JobEvent) -> dict[str, Any]:
    return {
        "seq": event.seq,
        "attempt_no": event.attempt_no,
        "stream": event.stream,
        "type": event.type,
        "time": event.time.timestamp(),
        "data": event.data,
    }


def events_after(job: Job, after: int, limit: int) -> dict[str, Any]:
    """Events beyond the cursor, in order."""
    rows = list(JobEvent.objects.filter(job=job, seq__gt=after).order_by("seq")[: limit + 1])
    return {
        "events": [event_as_dict(event) for event in rows[:limit]],
        "event_seq": job.event_seq,
        "more": len(rows) > limit,
    }


def log_slice(job: Job, offset: int, limit: int) -> dict[str, Any]:
    """A piece of the log. A negative offset counts from the end; pieces begin and end between characters."""
    size, limit = job.log_bytes, max(limit, LONGEST_CHARACTER)
    start = max(0, size + offset) if offset < 0 else min(offset, size)
    end = min(size, start + limit)
    content = b"".join(_log_bytes(job, start, end))
    if offset < 0 and start > 0:
        # The tail begins with a whole line.
        cut = content.find(b"\n") + 1
        content, start = content[cut:], start + cut
    # While the job runs, the rest of a character at the end may be on its way.
    ended = job.is_terminal and start + len(content) >= size
    if not ended:
        content = _whole_characters(content)
    return {
        "offset": start,
        "next_offset": start + len(content),
        "size": size,
        "text": content.decode("utf-8", "replace"),
        "complete": ended,
        "truncated": _is_log_cut(job),
    }


def log_search(job: Job, needle: str) -> dict[str, Any]:
    """Lines that contain the text, whatever the case of its letters."""
    matches: list[dict[str, Any]] = []
    wanted, at = needle.lower(), 0
    for line_no, line in enumerate(_log_lines(job), 1):
        text = line.decode("utf-8", "replace")
        if wanted in text.lower():
            if len(matches) == MAX_SEARCH_MATCHES:
                return {"matches": matches, "more": True}
            matches.append({"offset": at, "line": line_no, "text": text.rstrip("\n")[:MAX_SHOWN_LINE]})
        at += len(line)
    return {"matches": matches, "more": False}


def _log_lines(job: Job) -> Iterator[bytes]:
    """Lines with their newline; the last one may have none. A line without end is given in pieces."""
    rest = b""
    for part in _log_bytes(job, 0, job.log_bytes):
        *lines, rest = (rest + part).split(b"\n")
        yield from (line + b"\n" for line in lines)
        if len(rest) > MAX_LINE:
            yield rest
            rest = b""
    if rest:
        yield rest


def _is_log_cut(job: Job) -> bool:
    """Whether the launcher has dropped what came after the cap."""
    return job.attempts.filter(log_bytes__gte=settings.JOBS["log_cap_bytes"]).exists()


def _log_bytes(job: Job, start: int, end: int) -> Iterable[bytes]:
    if start >= end:
        return
    first = LogChunk.objects.filter(job=job, offset__lte=start).order_by("-offset").first()
    rows = LogChunk.objects.filter(job=job, offset__gte=first.offset if first else 0, offset__lt=end)
    for chunk in rows.order_by("offset"):
        begin = max(0, start - chunk.offset)
        length = min(chunk.size, end - chunk.offset) - begin
        if length > 0:
            try:
                yield from results().open(chunk.key, begin, length)
            except ObjectNotFound:
                yield _("(a piece of the log is missing in storage)").encode()[:length].ljust(length, b".")


def _whole_characters(content: bytes) -> bytes:
    """Drops the beginning of a character at the end, which the next piece will bring whole."""
    for back in range(1, min(LONGEST_CHARACTER, len(content)) + 1):
        byte = content[-back]
        if byte & 0xC0 == 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return content[:-back] if needed > back else content
        if byte & 0x80 == 0:
            return content
    return content


def stored_bytes(organization_ids: Collection[UUID]) -> int:
    """What checkpoints and artifacts of the organizations' jobs weigh; the same content counts once in each."""
    files = AttemptFile.objects.filter(attempt__job__organization_id__in=organization_ids).order_by()
    contents = files.values("attempt__job__organization_id", "sha256", "size").distinct()
    return contents.aggregate(total=Sum("size"))["total"] or 0


def running_jobs(organization_ids: Collection[UUID]) -> dict[UUID, int]:
    """Jobs of each organization that hold slots."""
    rows = Attempt.objects.open().filter(job__organization_id__in=organization_ids).order_by()
    return dict(rows.values_list("job__organization_id").annotate(Count("job_id", distinct=True)))


def gpu_hours(organization_ids: list[UUID], begin: datetime, end: datetime) -> dict[UUID, float]:
    """GPU hours that attempts have held within the time, those that go on included up to now."""
    now = timezone.now()
    held = Attempt.objects.filter(
        Q(ended_at__isnull=True) | Q(ended_at__gt=begin),
        job__organization_id__in=organization_ids,
        job__gpus__gt=0,
        claimed_at__lt=end,
    ).values_list("job__organization_id", "claimed_at", "ended_at", "job__gpus")
    found = dict.fromkeys(organization_ids, 0.0)
    for organization_id, claimed_at, ended_at, gpus in held:
        seconds = (min(ended_at or now, end) - max(claimed_at, begin)).total_seconds()
        found[organization_id] += gpus * max(0.0, seconds) / 3600
    return found


def is_going_on(project: Project) -> bool:
    """Whether a job of the project runs or waits in the queue."""
    return Job.objects.filter(project=project, state__in=[JobState.QUEUED, *ACTIVE]).exists()
