from django.utils.translation import gettext_lazy as _

from apps.core.auditing import register_action

CREATED = register_action(
    "single_sign_on.created", _("Single sign-on set up"), _("%(actor)s set up single sign-on as %(object)s.")
)
CHANGED = register_action(
    "single_sign_on.changed", _("Single sign-on changed"), _("%(actor)s changed single sign-on (%(object)s).")
)
REMOVED = register_action(
    "single_sign_on.removed", _("Single sign-on removed"), _("%(actor)s removed single sign-on (%(object)s).")
)
TESTED = register_action(
    "single_sign_on.tested", _("Single sign-on tried"), _("%(actor)s tried single sign-on (%(object)s): %(result)s.")
)
JOINED = register_action(
    "single_sign_on.joined",
    _("Joined by single sign-on"),
    _("%(actor)s signed in by the organization's provider for the first time."),
)
REFUSED = register_action(
    "single_sign_on.refused",
    _("Single sign-on refused"),
    _("A sign-in by %(object)s was refused: %(reason)s."),
)
