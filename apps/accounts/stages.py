"""Steps of a sign-in after the first proof."""

from typing import Any

from allauth.mfa.stages import AuthenticateStage

#: In the state of a sign-in by an organization's provider: whether it has seen a second factor.
FACTOR_SEEN = "factor_seen"


class SecondFactorStage(AuthenticateStage):
    """Asks for the person's own factor, unless their organization's provider has seen one: what it opens is that
    organization alone."""

    def handle(self) -> tuple[Any, bool]:
        by_provider = (self.login.signal_kwargs or {}).get("sociallogin")
        if by_provider is not None and by_provider.state.get(FACTOR_SEEN) is True:
            return None, True
        found: tuple[Any, bool] = super().handle()
        return found
