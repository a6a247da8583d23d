"""Trying a connection: everything of a sign-in that can be done without a person."""

import secrets
from dataclasses import dataclass
from typing import Any

from apps.core import auditing, policy
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.singlesignon import actions, protocol
from apps.singlesignon.models import Connection
from apps.singlesignon.reasons import REASONS, Refused

CHANGE = "singlesignon.change_connection"


@dataclass(frozen=True, slots=True)
class Check:
    """What came of it; `code` is the reason why it does not work, or empty."""

    code: str = ""

    @property
    def works(self) -> bool:
        return not self.code

    @property
    def detail(self) -> Any:
        return REASONS[self.code][0] if self.code else ""

    @property
    def hint(self) -> Any:
        return REASONS[self.code][1] if self.code else ""


def connection_test(*, actor: Actor, connection: Connection, return_address: str) -> Check:
    """Asks the provider for its endpoints and keys, and shows it the client's secret with a code that it cannot know."""
    policy.require(actor, CHANGE, connection)
    check = _tried(connection, return_address)
    _note_test(actor=actor, connection=connection, code=check.code)
    return check


def _tried(connection: Connection, return_address: str) -> Check:
    try:
        provider = protocol.discover(connection.issuer)
        if not protocol.keys_of(provider):
            return Check("answer_unreadable")
        protocol.exchange(
            provider,
            client_id=connection.client_id,
            secret=connection.secret,
            code=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            return_address=return_address,
        )
    except Refused as refusal:
        # It knows the client and not the code: as it should be.
        return Check() if refusal.code == "code_refused" else Check(refusal.code)
    return Check("answer_unreadable")


@operation("singlesignon.connection_test", permission=CHANGE, on="connection")
def _note_test(*, actor: Actor, connection: Connection, code: str) -> None:
    auditing.record(actor, actions.TESTED, connection, params={"result": code or "ok"})
