"""Why a job waits or ended: a code and parameters in the database, a sentence and a hint in the reader's language."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Reason:
    text: Any
    hint: Any = ""


REASONS: dict[str, Reason] = {
    # waiting
    "no_node": Reason(_("No machine of the resource group is ready."), _("Start a node, or choose another group.")),
    "too_large": Reason(
        _("No machine of the resource group is large enough for this request."),
        _("Ask for fewer CPUs, less memory or fewer GPUs."),
    ),
    "gpu_hours_used": Reason(
        _("The organization's GPU hours of this month do not suffice: %(left)s are left, %(needed)s are needed."),
        _("It starts when the next month begins, or as soon as the limit is raised."),
    ),
    "jobs_at_limit": Reason(
        _("The organization runs as many jobs at once as it may (%(limit)s)."), _("It starts when another one ends.")
    ),
    "group_at_limit": Reason(
        _("The resource group runs as many jobs at once as it may (%(limit)s)."), _("It starts when another one ends.")
    ),
    "no_slot": Reason(_("Every slot is taken; the job is number %(position)s in the queue.")),
    "scheduled": Reason(_("The job starts at the time it was scheduled for.")),
    "restarting": Reason(_("The job starts again from its last checkpoint.")),
    "platform_stopping": Reason(_("Modelyard is being restarted; the job goes on from its checkpoint afterwards.")),
    # stopped
    "user": Reason(_("Stopped on request."), _("Resume goes on from the last checkpoint.")),
    "user_killed": Reason(
        _("Stopped on request; the trainer did not react in time and was ended."),
        _("Resume goes on from the last checkpoint."),
    ),
    "stopped_itself": Reason(_("The trainer stopped by itself."), _("Look at the end of the log.")),
    # failed
    "bad_config": Reason(_("The trainer refused its settings: %(message)s"), _("Change the settings and retry.")),
    "bad_data": Reason(_("The trainer refused the data: %(message)s"), _("Correct the dataset and retry.")),
    "out_of_memory": Reason(
        _("The job ran out of memory."), _("Use a smaller batch or image size, or ask for more memory.")
    ),
    "mode_not_honoured": Reason(_("The trainer cannot do what was asked: %(message)s")),
    "diverged": Reason(
        _("The loss is not a finite number any more."), _("Use a lower learning rate, or check the labels.")
    ),
    "no_result": Reason(_("The trainer ended without a result."), _("Look at the end of the log.")),
    "trainer_crashed": Reason(_("The trainer broke down: %(message)s"), _("Look at the end of the log.")),
    "journal_invalid": Reason(
        _("The trainer wrote what cannot be read: %(message)s"), _("The trainer does not keep its contract.")
    ),
    "killed": Reason(
        _("The trainer was ended from outside, %(count)s times."), _("Look at the log and at the machine's memory.")
    ),
    # errored
    "environment_failed": Reason(
        _("The trainer's environment could not be built: %(message)s"), _("`manage.py doctor` shows what is missing.")
    ),
    "input_invalid": Reason(_("The job's inputs are not sound: %(message)s")),
    "input_missing": Reason(_("An input of the job is not there any more: %(message)s")),
    "input_damaged": Reason(
        _("An input of the job arrived damaged: %(message)s"), _("Check the storage, then resume the job.")
    ),
    "trainer_missing": Reason(_("The machine does not have this trainer: %(message)s")),
    "launcher_failed": Reason(_("The trainer could not be started: %(message)s")),
    "never_started": Reason(_("The machine took the job but never started it.")),
    "launcher_lost": Reason(_("The process that watches the trainer vanished, %(count)s times.")),
    "node_lost": Reason(_("The machine did not answer any more.")),
    "dataset_gone": Reason(_("The dataset snapshot is not there any more.")),
    "trainer_gone": Reason(_("The trainer is not installed any more.")),
}


class _Lenient(dict[str, Any]):
    """A sentence may name a fact that an older row did not have."""

    def __missing__(self, key: str) -> str:
        return "?"


def worded(code: str, params: dict[str, Any] | None = None) -> dict[str, str] | None:
    """`{"code", "text", "hint"}` in the reader's language, None for no code."""
    if not code:
        return None
    reason = REASONS.get(code, Reason(code))
    return {"code": code, "text": str(reason.text) % _Lenient(params or {}), "hint": str(reason.hint)}
