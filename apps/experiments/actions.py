from django.utils.translation import gettext_lazy as _

from apps.core.auditing import register_action

CREATED = register_action(
    "experiment.created", _("Experiment created"), _("%(actor)s created the experiment %(object)s.")
)
CHANGED = register_action(
    "experiment.changed", _("Experiment changed"), _("%(actor)s changed the experiment %(object)s.")
)
TRASHED = register_action(
    "experiment.trashed",
    _("Experiment moved to the trash"),
    _("%(actor)s moved the experiment %(object)s to the trash."),
)
RESTORED = register_action(
    "experiment.restored", _("Experiment restored"), _("%(actor)s restored the experiment %(object)s.")
)
PURGED = register_action(
    "experiment.purged",
    _("Experiment deleted for good"),
    _("%(actor)s deleted the experiment %(object)s, with its runs, for good."),
)
