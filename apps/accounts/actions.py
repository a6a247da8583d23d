from django.utils.translation import gettext_lazy as _

from apps.core.auditing import register_action

SIGNED_IN = register_action("account.signed_in", _("Signed in"), _("%(actor)s signed in."))
SIGNED_OUT = register_action("account.signed_out", _("Signed out"), _("%(actor)s signed out."))
SIGN_IN_FAILED = register_action("account.sign_in_failed", _("Sign-in failed"), _("A sign-in failed."))
SIGNED_UP = register_action("account.signed_up", _("Signed up"), _("%(object)s signed up."))
PROFILE_CHANGED = register_action("account.profile_changed", _("Profile changed"), _("%(actor)s changed the profile."))
USER_CREATED = register_action("account.created", _("Person created"), _("%(actor)s created %(object)s."))
TOKEN_ISSUED = register_action("account.token_issued", _("Token issued"), _("%(actor)s obtained an access token."))
TOKENS_REVOKED = register_action("account.tokens_revoked", _("Tokens revoked"), _("%(actor)s revoked tokens."))
