from django.utils.translation import gettext_lazy as _

from apps.core.auditing import register_action

SENT = register_action("invitation.sent", _("Invitation sent"), _("%(actor)s invited %(object)s."))
JOINED_AT_ONCE = register_action(
    "invitation.joined", _("Member invited"), _("%(actor)s invited the member %(object)s, who joined at once.")
)
SENT_IN_BULK = register_action(
    "invitation.bulk_sent", _("Invitations sent from a file"), _("%(actor)s invited people to %(object)s from a file.")
)
RESENT = register_action("invitation.resent", _("Invitation sent again"), _("%(actor)s invited %(object)s again."))
CANCELLED = register_action(
    "invitation.cancelled", _("Invitation withdrawn"), _("%(actor)s withdrew the invitation of %(object)s.")
)
ACCEPTED = register_action(
    "invitation.accepted", _("Invitation accepted"), _("%(actor)s accepted the invitation of %(object)s.")
)
DECLINED = register_action(
    "invitation.declined", _("Invitation declined"), _("The invitation of %(object)s was declined.")
)
EXPIRED = register_action(
    "invitation.expired", _("Invitations expired"), _("Invitations that nobody answered expired.")
)
