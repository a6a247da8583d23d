"""The table of messages that wait to leave."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class OutboxMessage(models.Model):
    """One message; delivered rows stay for a while as the log of what was sent."""

    topic = models.CharField(_("topic"), max_length=80)
    group = models.CharField(_("group"), max_length=120, blank=True)
    payload = models.JSONField(_("payload"), default=dict)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    available_at = models.DateTimeField(_("next try"), default=timezone.now)
    attempts = models.PositiveIntegerField(_("tries"), default=0)
    last_error = models.TextField(_("last error"), blank=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)

    class Meta:
        verbose_name = _("outgoing message")
        verbose_name_plural = _("outgoing messages")
        indexes = [
            models.Index(
                fields=["available_at"], condition=models.Q(delivered_at__isnull=True), name="outbox_waiting"
            ),
            models.Index(
                fields=["group", "id"], condition=models.Q(delivered_at__isnull=True), name="outbox_group_order"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic} #{self.pk}"
