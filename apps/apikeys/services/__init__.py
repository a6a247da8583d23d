"""Writes on keys, on usage, and on requests that may be repeated."""

from apps.apikeys.services.keys import key_change, key_create, key_revoke, key_rotate

__all__ = ["key_change", "key_create", "key_revoke", "key_rotate"]
