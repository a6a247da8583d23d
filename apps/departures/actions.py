from django.utils.translation import gettext_lazy as _

from apps.core.auditing import register_action

EXPORT_REQUESTED = register_action(
    "organization.export_requested", _("Export requested"), _("%(actor)s asked for an export of %(object)s.")
)
EXPORT_DOWNLOADED = register_action(
    "organization.export_downloaded", _("Export downloaded"), _("%(actor)s downloaded an export of %(object)s.")
)
DELETION_SCHEDULED = register_action(
    "organization.deletion_scheduled", _("Deletion scheduled"), _("%(actor)s scheduled the deletion of %(object)s.")
)
DELETION_CANCELLED = register_action(
    "organization.deletion_cancelled", _("Deletion cancelled"), _("%(actor)s cancelled the deletion of %(object)s.")
)
DELETION_BEGUN = register_action(
    "organization.deletion_begun", _("Deletion begun"), _("The deletion of %(object)s has begun.")
)
ORGANIZATION_DELETED = register_action(
    "organization.deleted", _("Organization deleted"), _("An organization was deleted with everything in it.")
)
ACCOUNT_DELETED = register_action("account.deleted", _("Account deleted"), _("A person deleted their own account."))
PERSON_ERASED = register_action("account.erased", _("Account erased"), _("%(actor)s erased an account."))
