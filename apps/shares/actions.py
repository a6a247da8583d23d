from django.utils.translation import gettext_lazy as _

from apps.core.auditing import register_action

SHARED = register_action("share.set", _("Shared"), _("%(actor)s shared %(object)s."))
REMOVED = register_action("share.removed", _("Share removed"), _("%(actor)s removed a share of %(object)s."))
