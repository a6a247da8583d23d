"""Kinds of jobs. An app that does work registers one; the job system asks it only what is asked here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from apps.jobs.models import Attempt, Job, JobEvent


@dataclass(frozen=True, slots=True)
class InputFile:
    """A blob that the launcher fetches to `target` (relative to the attempt's folder) before the trainer starts."""

    sha256: str
    size: int
    target: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What an attempt is to do.

    `spec` holds `mode, task, model, config, seed` and, where they apply, `resume_from`, `start_from`, `inputs` with
    `target` paths relative to the attempt's folder; the job system adds ids and resources, the launcher makes the
    paths absolute. `has_dataset` lets the launcher ask for the dataset. `resumed_step` is where the attempt goes on.
    """

    trainer: str
    spec: dict[str, Any]
    files: list[InputFile] = field(default_factory=list)
    has_dataset: bool = False
    resumed_step: int | None = None


@dataclass(frozen=True, slots=True)
class JobKind:
    """`plan` raises a `DomainError` when the job cannot be run at all; its code becomes the job's reason.

    `on_events` runs inside the transaction that stores the events, with the attempt locked; `on_end` inside the one
    that ends the job (or requeues it: the job's state tells), `on_resume` inside the one that puts an ended job back
    into the queue. All three must only write rows and outbox messages; `on_resume` may refuse by a `DomainError`.
    `needs_checkpoint`: success without a complete checkpoint is no result.
    """

    name: str
    plan: Callable[[Job, Attempt], Plan]
    dataset_lines: Callable[[Job], Iterator[str]] | None = None
    may_read_blob: Callable[[Job, str], bool] = lambda job, sha256: False
    on_events: Callable[[Job, Attempt, list[JobEvent]], None] = lambda job, attempt, events: None
    on_end: Callable[[Job, Attempt | None], None] = lambda job, attempt: None
    on_resume: Callable[[Job], None] = lambda job: None
    needs_checkpoint: bool = False


_kinds: dict[str, JobKind] = {}


def register_kind(kind: JobKind) -> None:
    if kind.name in _kinds:
        raise ValueError(f"There is a kind {kind.name} already.")
    _kinds[kind.name] = kind


def kind_of(job: Job) -> JobKind:
    return _kinds[job.kind]


EventHandler = Callable[[Job, Attempt, list[JobEvent]], None]
_event_handlers: list[EventHandler] = []


def register_event_handler(handler: EventHandler) -> None:
    """Adds a reader of every job's events (`metrics` stores points); it runs like `on_events`."""
    _event_handlers.append(handler)


def event_handlers() -> list[EventHandler]:
    return _event_handlers
