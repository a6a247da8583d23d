from apps.core.outbox.models import OutboxMessage
from apps.core.storage.loose import LooseObject

__all__ = ["LooseObject", "OutboxMessage"]
