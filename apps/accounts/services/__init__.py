"""Writes on people and on what proves who they are."""

from apps.accounts.services import factors, lockout, sessions, verification
from apps.accounts.services.factors import factor_note
from apps.accounts.services.lockout import sign_in_paused_note
from apps.accounts.services.people import PROFILE_FIELDS, profile_update, user_create, user_deactivate, user_reactivate
from apps.accounts.services.sessions import sessions_end_all, sessions_end_others, sign_in_end

__all__ = [
    "PROFILE_FIELDS",
    "factor_note",
    "factors",
    "lockout",
    "profile_update",
    "sessions",
    "sessions_end_all",
    "sessions_end_others",
    "sign_in_end",
    "sign_in_paused_note",
    "user_create",
    "user_deactivate",
    "user_reactivate",
    "verification",
]
