"""Writes on connections, and what comes of a sign-in by a provider."""

from apps.singlesignon.services.admitting import Identity, account_of, sign_in_refused_note, signed_in_note
from apps.singlesignon.services.checking import Check, connection_test
from apps.singlesignon.services.connections import connection_change, connection_create, connection_remove

__all__ = [
    "Check",
    "Identity",
    "account_of",
    "connection_change",
    "connection_create",
    "connection_remove",
    "connection_test",
    "sign_in_refused_note",
    "signed_in_note",
]
