from django.utils.translation import gettext_lazy as _

from apps.core.auditing import register_action

CREATED = register_action(
    "inference.created", _("Prediction started"), _("%(actor)s tried a checkpoint on %(object)s.")
)
