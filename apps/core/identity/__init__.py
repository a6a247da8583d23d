"""Who acts: the frozen actor that every door makes once and hands down."""

from apps.core.identity.actor import (
    Actor,
    KeyGrant,
    KeyRefused,
    Standing,
    Via,
    key_of_id,
    key_of_secret,
    register_key_source,
    register_lock_source,
    register_membership_source,
)
from apps.core.identity.locks import refuse_without_factor, require_own_proof
from apps.core.identity.roles import Role
from apps.core.identity.vouching import VOUCHED, Vouched

__all__ = [
    "VOUCHED",
    "Actor",
    "KeyGrant",
    "KeyRefused",
    "Role",
    "Standing",
    "Via",
    "Vouched",
    "key_of_id",
    "key_of_secret",
    "refuse_without_factor",
    "register_key_source",
    "register_lock_source",
    "register_membership_source",
    "require_own_proof",
]
