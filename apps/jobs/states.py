"""States of jobs and attempts, and the one table of transitions."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class JobState(models.TextChoices):
    DRAFT = "draft", _("Draft")  # being written; nothing runs
    QUEUED = "queued", _("Queued")  # waits its turn, with the reason
    STARTING = "starting", _("Starting")  # placed on a node; environment and data are being prepared
    RUNNING = "running", _("Running")  # the trainer works
    UNREACHABLE = "unreachable", _("Unreachable")  # nobody answers; not a failure, it may come back
    STOPPING = "stopping", _("Stopping")  # asked to stop; the trainer writes its checkpoint
    SUCCEEDED = "succeeded", _("Succeeded")  # done, with a result
    STOPPED = "stopped", _("Stopped")  # ended on request; can be resumed
    FAILED = "failed", _("Failed")  # the work said no: settings, data, memory, divergence
    ERRORED = "errored", _("Errored")  # the platform could not run it


COLORS = {
    JobState.DRAFT: "secondary",
    JobState.QUEUED: "azure",
    JobState.STARTING: "cyan",
    JobState.RUNNING: "blue",
    JobState.UNREACHABLE: "orange",
    JobState.STOPPING: "yellow",
    JobState.SUCCEEDED: "green",
    JobState.STOPPED: "secondary",
    JobState.FAILED: "red",
    JobState.ERRORED: "pink",
}

TERMINAL = frozenset({JobState.SUCCEEDED, JobState.STOPPED, JobState.FAILED, JobState.ERRORED})
# An attempt exists and holds slots.
ACTIVE = frozenset({JobState.STARTING, JobState.RUNNING, JobState.UNREACHABLE, JobState.STOPPING})
RESUMABLE = frozenset({JobState.STOPPED, JobState.FAILED, JobState.ERRORED})

_ENDS = {JobState.SUCCEEDED, JobState.STOPPED, JobState.FAILED, JobState.ERRORED}
TRANSITIONS: dict[str, set[str]] = {
    JobState.DRAFT: {JobState.QUEUED},
    JobState.QUEUED: {JobState.STARTING, JobState.STOPPED, JobState.ERRORED},
    JobState.STARTING: {JobState.RUNNING, JobState.UNREACHABLE, JobState.STOPPING, JobState.QUEUED, *_ENDS},
    JobState.RUNNING: {JobState.UNREACHABLE, JobState.STOPPING, JobState.QUEUED, *_ENDS},
    JobState.UNREACHABLE: {JobState.STARTING, JobState.RUNNING, JobState.STOPPING, JobState.QUEUED, *_ENDS},
    JobState.STOPPING: {JobState.UNREACHABLE, JobState.QUEUED, *_ENDS},
    JobState.SUCCEEDED: set(),
    JobState.STOPPED: {JobState.QUEUED},
    JobState.FAILED: {JobState.QUEUED},
    JobState.ERRORED: {JobState.QUEUED},
}


class AttemptState(models.TextChoices):
    CLAIMED = "claimed", _("Claimed")  # a node and slots are taken; no launcher has said hello
    LIVE = "live", _("Live")  # a launcher holds the lease
    ENDED = "ended", _("Ended")  # the launcher reported the end
    CANCELLED = "cancelled", _("Cancelled")  # withdrawn before any launcher said hello
    LOST = "lost", _("Lost")  # nobody could report the end


OPEN_ATTEMPTS = frozenset({AttemptState.CLAIMED, AttemptState.LIVE})
