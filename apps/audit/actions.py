from django.utils.translation import gettext_lazy as _

from apps.core.auditing import register_action

EXPORTED = register_action("audit.exported", _("Audit log exported"), _("%(actor)s exported events of the audit log."))
CHECK_REQUESTED = register_action(
    "audit.check_requested", _("Verification requested"), _("%(actor)s had the audit log verified.")
)
PERSON_ERASED = register_action(
    "audit.person_erased", _("Person erased"), _("%(actor)s erased what the audit log held about a person.")
)
ORGANIZATION_ERASED = register_action(
    "audit.organization_erased",
    _("Organization erased"),
    _("%(actor)s made the audit log of an organization unreadable for ever."),
)
