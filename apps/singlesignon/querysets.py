from typing import TYPE_CHECKING, Self

from apps.core.policy import PermittedQuerySet
from apps.organizations.domains import domain_of

if TYPE_CHECKING:
    from apps.singlesignon.models import Connection  # noqa: F401


class ConnectionQuerySet(PermittedQuerySet["Connection"]):
    def with_parts(self) -> Self:
        """With what a page names of each."""
        return self.select_related("organization").prefetch_related("domains")

    def enabled(self) -> Self:
        return self.filter(is_enabled=True)

    def answering(self, text: str) -> Self:
        """The enabled one for an e-mail address, by its domain, or for an organization's short name."""
        text = text.strip().lower()
        rows = self.enabled()
        return rows.filter(domains__name=domain_of(text)) if "@" in text else rows.filter(short_name=text)
