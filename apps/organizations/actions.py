from django.utils.translation import gettext_lazy as _

from apps.core.auditing import register_action

ORGANIZATION_CREATED = register_action(
    "organization.created", _("Organization created"), _("%(actor)s created the organization %(object)s.")
)
ORGANIZATION_CHANGED = register_action(
    "organization.changed", _("Organization changed"), _("%(actor)s changed the organization %(object)s.")
)
MEMBERSHIP_REQUESTED = register_action(
    "membership.requested", _("Asked to join"), _("%(actor)s asked to join the organization.")
)
MEMBERSHIP_JOINED = register_action(
    "membership.joined",
    _("Joined by domain"),
    _("%(actor)s joined the organization with an address at %(domain)s."),
)
MEMBERSHIP_ADDED = register_action("membership.added", _("Member added"), _("%(actor)s added %(object)s."))
MEMBERSHIP_APPROVED = register_action("membership.approved", _("Member approved"), _("%(actor)s approved %(object)s."))
MEMBERSHIP_SUSPENDED = register_action(
    "membership.suspended", _("Member suspended"), _("%(actor)s suspended %(object)s.")
)
MEMBERSHIP_REINSTATED = register_action(
    "membership.reinstated", _("Member reinstated"), _("%(actor)s reinstated %(object)s.")
)
MEMBERSHIP_REMOVED = register_action("membership.removed", _("Member removed"), _("%(actor)s removed %(object)s."))
QUOTA_CHANGED = register_action("quota.changed", _("Quota changed"), _("%(actor)s changed the quotas of %(object)s."))
MEMBERSHIP_ROLE_CHANGED = register_action(
    "membership.role_changed", _("Role changed"), _("%(actor)s changed the role of %(object)s.")
)
