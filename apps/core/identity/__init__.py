"""Who acts: the frozen actor that every door makes once and hands down."""

from apps.core.identity.actor import Actor, Via, register_lock_source, register_membership_source
from apps.core.identity.locks import refuse_without_factor
from apps.core.identity.roles import Role

__all__ = ["Actor", "Role", "Via", "refuse_without_factor", "register_lock_source", "register_membership_source"]
