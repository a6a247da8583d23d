"""Writes on organizations, memberships and tokens."""

from apps.organizations.services.asking import organization_ask
from apps.organizations.services.memberships import (
    membership_add,
    membership_approve,
    membership_change_role,
    membership_reinstate,
    membership_remove,
    membership_suspend,
    organization_change,
    organization_create,
    organization_join,
)
from apps.organizations.services.quotas import quota_change
from apps.organizations.services.sign_in import (
    sign_in_failed_note,
    signed_in_note,
    signed_out_note,
    token_issue,
    token_refresh,
    token_revoke,
    tokens_end,
)

__all__ = [
    "membership_add",
    "membership_approve",
    "membership_change_role",
    "membership_reinstate",
    "membership_remove",
    "membership_suspend",
    "organization_ask",
    "organization_change",
    "organization_create",
    "organization_join",
    "quota_change",
    "sign_in_failed_note",
    "signed_in_note",
    "signed_out_note",
    "token_issue",
    "token_refresh",
    "token_revoke",
    "tokens_end",
]
