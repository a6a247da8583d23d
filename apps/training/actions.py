from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.core.auditing import register_action


def _checkpoint(name: str) -> str:
    """A checkpoint's name is stored with its kind in English."""
    kind, dot, rest = name.partition(" · ")
    return gettext(kind) + dot + rest if rest else name


CREATED = register_action("training.created", _("Training created"), _("%(actor)s created the training %(object)s."))
CHANGED = register_action("training.changed", _("Training changed"), _("%(actor)s changed the training %(object)s."))
DELETED = register_action(
    "training.deleted", _("Draft deleted"), _("%(actor)s deleted the draft of the training %(object)s.")
)
STARTED = register_action("training.started", _("Training started"), _("%(actor)s started the training %(object)s."))
RETRIED = register_action(
    "training.retried", _("Training repeated"), _("%(actor)s started the training %(object)s again.")
)
CHECKPOINT_DOWNLOADED = register_action(
    "training.checkpoint_downloaded",
    _("Checkpoint downloaded"),
    _("%(actor)s downloaded the checkpoint %(object)s."),
    reads={"object": _checkpoint},
)
ARTIFACT_DOWNLOADED = register_action(
    "training.artifact_downloaded",
    _("File of a training downloaded"),
    _("%(actor)s downloaded %(file)s of the training %(object)s."),
)
CLONED = register_action(
    "training.cloned", _("Training copied"), _("%(actor)s copied a training as the draft %(object)s.")
)
SCHEDULED = register_action(
    "training.scheduled",
    _("Training scheduled"),
    _("%(actor)s scheduled the training %(object)s: %(cron)s, %(time_zone)s."),
)
UNSCHEDULED = register_action(
    "training.unscheduled", _("Schedule ended"), _("%(actor)s ended the schedule of the training %(object)s.")
)
