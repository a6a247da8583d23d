from django.utils.translation import gettext_lazy as _

from apps.core.auditing import label_in, register_action
from apps.jobs.states import JobState

SUBMITTED = register_action("job.submitted", _("Job queued"), _("%(actor)s queued the job %(object)s."))
STOP_REQUESTED = register_action("job.stop_requested", _("Stop requested"), _("%(actor)s stopped the job %(object)s."))
RESUMED = register_action("job.resumed", _("Job resumed"), _("%(actor)s resumed the job %(object)s."))
ENDED = register_action(
    "job.ended",
    _("Job ended"),
    _("The job %(object)s ended: %(state)s."),
    reads={"state": label_in(JobState)},
)
