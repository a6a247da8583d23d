"""Who acts: the frozen actor that every door makes once and hands down."""

from apps.core.identity.actor import (
    Actor,
    KeyGrant,
    KeyRefused,
    Memberships,
    Via,
    key_of_id,
    key_of_secret,
    register_key_source,
    register_lock_source,
    register_membership_source,
)
from apps.core.identity.locks import refuse_without_factor
from apps.core.identity.roles import Role

__all__ = [
    "Actor",
    "KeyGrant",
    "KeyRefused",
    "Memberships",
    "Role",
    "Via",
    "key_of_id",
    "key_of_secret",
    "refuse_without_factor",
    "register_key_source",
    "register_lock_source",
    "register_membership_source",
]
