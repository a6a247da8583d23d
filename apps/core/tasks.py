from apps.core.outbox.tasks import outbox_deliver, outbox_sweep

__all__ = ["outbox_deliver", "outbox_sweep"]
