from apps.core.outbox.tasks import outbox_deliver

__all__ = ["outbox_deliver"]
