from django.utils.translation import gettext_lazy as _

from apps.core.auditing import register_action

PREDICTIONS_DOWNLOADED = register_action(
    "inference.predictions_downloaded",
    _("Predictions downloaded"),
    _("%(actor)s downloaded the predictions of %(object)s."),
)
CREATED = register_action(
    "inference.created", _("Prediction started"), _("%(actor)s tried a checkpoint on %(object)s.")
)
