from typing import TYPE_CHECKING

from apps.core.policy import PermittedQuerySet

if TYPE_CHECKING:
    from apps.audit.models import AuditCheck, AuditEvent, AuditHead  # noqa: F401


class AuditEventQuerySet(PermittedQuerySet["AuditEvent"]):
    pass


class AuditHeadQuerySet(PermittedQuerySet["AuditHead"]):
    pass


class AuditCheckQuerySet(PermittedQuerySet["AuditCheck"]):
    pass
