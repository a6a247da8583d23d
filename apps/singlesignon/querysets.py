from typing import TYPE_CHECKING, Self

from apps.core.policy import PermittedQuerySet

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
        _person, at, domain = text.rpartition("@")
        return self.enabled().filter(domains__name=domain) if at else self.enabled().filter(short_name=text)
