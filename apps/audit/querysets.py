from typing import TYPE_CHECKING

from apps.core.policy import PermittedQuerySet

if TYPE_CHECKING:
    from apps.audit.models import AuditEvent  # noqa: F401


class AuditEventQuerySet(PermittedQuerySet["AuditEvent"]):
    pass
