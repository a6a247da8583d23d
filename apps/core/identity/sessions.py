"""Sessions of browsers, asked from where no request is: sockets, and the tickets that open them."""

from importlib import import_module
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.utils.crypto import constant_time_compare

if TYPE_CHECKING:
    from apps.accounts.models import User


def session_of(key: str) -> SessionBase:
    """The session of a key; an empty one where there is none."""
    store: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore(key)
    return store


def is_signed_in(session: SessionBase, user: "User") -> bool:
    """Whether the person is signed in by it still: its row is there, asked afresh, and the password is the one that
    opened it (a changed one ends the sessions of the old one, whose rows stay)."""
    if not session.session_key or not session.exists(session.session_key):
        return False
    return constant_time_compare(session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash())
