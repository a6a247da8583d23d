from django.utils.translation import gettext_lazy as _

from apps.core.auditing import register_action

SIGNED_IN = register_action("account.signed_in", _("Signed in"), _("%(actor)s signed in."))
SIGNED_OUT = register_action("account.signed_out", _("Signed out"), _("%(actor)s signed out."))
SIGN_IN_FAILED = register_action("account.sign_in_failed", _("Sign-in failed"), _("A sign-in failed."))
SIGNED_UP = register_action("account.signed_up", _("Signed up"), _("%(object)s signed up."))
PROFILE_CHANGED = register_action("account.profile_changed", _("Profile changed"), _("%(actor)s changed the profile."))
USER_CREATED = register_action("account.created", _("Person created"), _("%(actor)s created %(object)s."))
USER_DEACTIVATED = register_action(
    "account.disabled", _("Account disabled"), _("%(actor)s disabled the account of %(object)s.")
)
USER_REACTIVATED = register_action(
    "account.enabled", _("Account enabled"), _("%(actor)s enabled the account of %(object)s.")
)
SIGN_IN_PAUSED = register_action(
    "account.sign_in_paused",
    _("Sign-in paused"),
    _("Sign-in was paused for %(seconds)s seconds after %(failures)s failures from one address."),
)
FACTOR_ADDED = register_action("account.factor_added", _("Second factor added"), _("%(actor)s added a second factor."))
FACTOR_REMOVED = register_action(
    "account.factor_removed", _("Second factor removed"), _("%(actor)s removed a second factor.")
)
FACTOR_FAILED = register_action("account.factor_failed", _("Wrong code"), _("A wrong code was sent for %(object)s."))
RECOVERY_CODES_MADE = register_action(
    "account.recovery_codes_made", _("Recovery codes made"), _("%(actor)s made new recovery codes.")
)
RECOVERY_CODE_USED = register_action(
    "account.recovery_code_used", _("Recovery code used"), _("%(object)s used a recovery code.")
)
OF_FACTORS = (FACTOR_ADDED, FACTOR_REMOVED, FACTOR_FAILED, RECOVERY_CODES_MADE, RECOVERY_CODE_USED)
SESSION_REVOKED = register_action(
    "account.session_revoked", _("Sign-in ended"), _("%(actor)s ended a sign-in of %(object)s.")
)
SESSIONS_REVOKED = register_action(
    "account.sessions_revoked", _("Sign-ins ended"), _("%(actor)s ended %(count)s sign-ins of %(object)s.")
)
TOKEN_ISSUED = register_action("account.token_issued", _("Token issued"), _("%(actor)s obtained an access token."))
TOKENS_REVOKED = register_action("account.tokens_revoked", _("Tokens revoked"), _("%(actor)s revoked tokens."))
