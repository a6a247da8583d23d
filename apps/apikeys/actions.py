from django.utils.translation import gettext_lazy as _

from apps.core.auditing import register_action

CREATED = register_action("apikey.created", _("API key created"), _("%(actor)s created the API key %(object)s."))
CHANGED = register_action("apikey.changed", _("API key changed"), _("%(actor)s changed the API key %(object)s."))
ROTATED = register_action(
    "apikey.rotated", _("API key rotated"), _("%(actor)s gave the API key %(object)s a new secret.")
)
REVOKED = register_action("apikey.revoked", _("API key revoked"), _("%(actor)s revoked the API key %(object)s."))
OUTSIDE_SCOPE = register_action(
    "apikey.used_outside_scope",
    _("API key used outside its scope"),
    _("The API key %(object)s of %(actor)s was refused: it was used outside its scope."),
)
