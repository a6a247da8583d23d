from apps.core.outbox.models import OutboxMessage

__all__ = ["OutboxMessage"]
