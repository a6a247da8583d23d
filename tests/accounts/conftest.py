"""People with a second factor, and the codes that their app shows."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from allauth.mfa.totp.internal import auth as totp

from apps.accounts.models import User


@dataclass
class App:
    """An authenticator app; `tick` is what the portal's clock and the app's agree on."""

    secret: str
    clock: list[int]

    def code(self) -> str:
        return totp.format_hotp_value(totp.hotp_value(self.secret, self.clock[0]))

    def next_code(self) -> str:
        """Half a minute later."""
        self.clock[0] += 1
        return self.code()

    def wrong_code(self) -> str:
        return f"{(int(self.code()) + 1) % 10**6:06}"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The half minute that authenticator apps count; it stands still unless a test moves it."""
    now = [60_000_000]
    monkeypatch.setattr(totp, "yield_hotp_counters_from_time", lambda: iter(now))
    return now


@pytest.fixture
def app_of(clock: list[int]) -> Callable[[User], App]:
    """Gives a person an authenticator app."""

    def give(user: User) -> App:
        secret = totp.generate_totp_secret()
        totp.TOTP.activate(user, secret)
        return App(secret, clock)

    return give
