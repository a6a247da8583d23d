"""Events, their seals, and the keys that personal values are stored under."""

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.audit.querysets import AuditEventQuerySet
from apps.core.auditing import action_of
from apps.core.entities import uuid7


class PersonKey(models.Model):
    """The key of one person's values in the log, itself encrypted. Destroying the row erases the values."""

    subject_id = models.UUIDField(_("person"), primary_key=True)
    wrapped = models.BinaryField(_("encrypted key"))

    class Meta:
        verbose_name = _("person key")
        verbose_name_plural = _("person keys")

    def __str__(self) -> str:
        return str(self.subject_id)


class AuditEvent(models.Model):
    """One thing that happened. Names, ids and labels only: nothing here refers to a row that may vanish.

    Personal values stand as `{"subject": id, "cipher": text}`. The database refuses change and deletion.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    parent_id = models.UUIDField(_("part of"), null=True)
    time = models.DateTimeField(_("time"))
    organization_id = models.UUIDField(_("organization"), null=True)
    project_id = models.UUIDField(_("project"), null=True)
    actor_id = models.UUIDField(_("actor"), null=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=20)  # person, system or anonymous
    actor_role = models.CharField(_("role"), max_length=20, blank=True)
    # E-mail, name, address and client of the actor, as they were.
    actor_person = models.JSONField(_("actor as they were"), default=dict)
    via = models.CharField(_("door"), max_length=20)
    request_id = models.CharField(_("request"), max_length=64)
    action = models.CharField(_("action"), max_length=80)
    entity_type = models.CharField(_("type of object"), max_length=80, blank=True)
    entity_id = models.CharField(_("object"), max_length=80, blank=True)
    entity_name = models.JSONField(_("name of the object"), default=str)
    before = models.JSONField(_("before"), default=dict)
    after = models.JSONField(_("after"), default=dict)
    params = models.JSONField(_("facts"), default=dict)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        ordering: ClassVar[list[str]] = ["-id"]
        indexes = [
            models.Index(fields=["organization_id", "-id"], name="audit_of_organization"),
            models.Index(fields=["project_id", "-id"], name="audit_of_project"),
            models.Index(fields=["actor_id", "-id"], name="audit_of_actor"),
            models.Index(fields=["entity_type", "entity_id", "-id"], name="audit_of_entity"),
        ]

    def __str__(self) -> str:
        return self.action

    @property
    def label(self) -> Any:
        """The action in the reader's language."""
        return action_of(self.action).label


class AuditSeal(models.Model):
    """An event's place in its chain: `hash` covers the previous hash, the number and the event."""

    event = models.OneToOneField(
        AuditEvent, on_delete=models.PROTECT, primary_key=True, related_name="seal", verbose_name=_("event")
    )
    # The organization, or the zero id for events without one.
    chain = models.UUIDField(_("chain"))
    seq = models.BigIntegerField(_("number"))
    previous_hash = models.CharField(_("previous hash"), max_length=64)
    hash = models.CharField(_("hash"), max_length=64)

    class Meta:
        verbose_name = _("audit seal")
        verbose_name_plural = _("audit seals")
        constraints = [models.UniqueConstraint(fields=["chain", "seq"], name="audit_seal_unique")]

    def __str__(self) -> str:
        return f"{self.chain} #{self.seq}"
