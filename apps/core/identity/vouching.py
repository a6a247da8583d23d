"""Sign-ins for which an organization's own provider vouches (single sign-on)."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

#: Key of the session.
VOUCHED = "vouched"


@dataclass(frozen=True, slots=True)
class Vouched:
    """Such a sign-in opens the organization that vouches and nothing else: what a provider says is its
    organization's word, and nobody else's."""

    organization_id: UUID
    # The provider has seen a second factor.
    factor: bool

    def as_dict(self) -> dict[str, Any]:
        return {"organization_id": str(self.organization_id), "factor": self.factor}

    @classmethod
    def of(cls, found: Mapping[str, Any] | None) -> "Vouched | None":
        return cls(UUID(found["organization_id"]), bool(found["factor"])) if found else None

    @classmethod
    def of_session(cls, session: MutableMapping[str, Any]) -> "Vouched | None":
        return cls.of(session.get(VOUCHED))
