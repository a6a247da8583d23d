"""Events, their seals, what anchors and checks them, and the keys under which values in the log are stored."""

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit.querysets import AuditCheckQuerySet, AuditEventQuerySet, AuditHeadQuerySet
from apps.core.auditing import action_shown
from apps.core.entities import uuid7


class AuditKey(models.Model):
    """The key of the values of one person, or of one organization's events; itself encrypted under the master key.

    Emptying `wrapped` destroys the key and with it every value, for ever; the row stays, so that none is made anew.
    """

    subject_id = models.UUIDField(_("person or organization"), primary_key=True)
    wrapped = models.BinaryField(_("encrypted key"))

    class Meta:
        verbose_name = _("key of the audit log")
        verbose_name_plural = _("keys of the audit log")

    def __str__(self) -> str:
        return str(self.subject_id)


class AuditEvent(models.Model):
    """One thing that happened. Names, ids and labels only: nothing here refers to a row that may vanish.

    Who, what kind of thing and when stand in the clear; names, values and facts are ciphertext (`apps.audit.ciphers`).
    The database refuses change and deletion.
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
    # Further objects: [{"type", "id", "name"}, …].
    about = models.JSONField(_("further objects"), default=list)
    # What the event is found by (`apps.audit.terms`).
    terms = ArrayField(models.CharField(max_length=160), verbose_name=_("terms"), default=list, editable=False)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        ordering: ClassVar[list[str]] = ["-id"]
        indexes = [
            models.Index(fields=["organization_id", "-id"], name="audit_of_organization"),
            models.Index(fields=["organization_id", "action", "-id"], name="audit_of_action"),
            models.Index(fields=["project_id", "-id"], name="audit_of_project"),
            models.Index(fields=["actor_id", "-id"], name="audit_of_actor"),
            models.Index(fields=["entity_type", "entity_id", "-id"], name="audit_of_entity"),
            # Without a list of pending entries: a search would have to read it through each time.
            GinIndex(fields=["terms"], name="audit_by_term", fastupdate=False),
        ]

    def __str__(self) -> str:
        return self.action

    @property
    def label(self) -> Any:
        """The action in the reader's language."""
        return action_shown(self.action).label


class AuditWaiting(models.Model):
    """An event that has no seal yet. A trigger writes the row with the event; the sealer takes it away."""

    event_id = models.UUIDField(_("event"), primary_key=True)
    chain = models.UUIDField(_("chain"))

    class Meta:
        verbose_name = _("event waiting for its seal")
        verbose_name_plural = _("events waiting for their seal")
        indexes = [models.Index(fields=["chain", "event_id"], name="audit_waiting_of_chain")]

    def __str__(self) -> str:
        return str(self.event_id)


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


class AuditHead(models.Model):
    """The end of a chain at a moment, signed: kept elsewhere, it shows later whether events before it are gone."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    chain = models.UUIDField(_("chain"))
    seq = models.BigIntegerField(_("number of events"))
    hash = models.CharField(_("last hash"), max_length=64)
    time = models.DateTimeField(_("signed"))
    public_key = models.CharField(_("public key"), max_length=64)
    signature = models.CharField(_("signature"), max_length=120)

    objects = AuditHeadQuerySet.as_manager()

    class Meta:
        verbose_name = _("signed head")
        verbose_name_plural = _("signed heads")
        ordering: ClassVar[list[str]] = ["-id"]
        indexes = [models.Index(fields=["chain", "-id"], name="audit_head_of_chain")]

    def __str__(self) -> str:
        return f"{self.chain} #{self.seq}"


class AuditCheck(models.Model):
    """One verification of one chain. Integrity and completeness are told apart (docs/architecture/audit.md)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    chain = models.UUIDField(_("chain"))
    requested_at = models.DateTimeField(_("requested"), default=timezone.now)
    requested_by_id = models.UUIDField(_("requested by"), null=True)
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    events = models.BigIntegerField(_("events"), default=0)
    unsealed = models.BigIntegerField(_("without a seal"), default=0)
    heads = models.PositiveIntegerField(_("signed heads compared"), default=0)
    is_intact = models.BooleanField(_("intact"), null=True)
    is_complete = models.BooleanField(_("complete"), null=True)
    # What `Verification.findings` holds.
    findings = models.JSONField(_("findings"), default=dict)

    objects = AuditCheckQuerySet.as_manager()

    class Meta:
        verbose_name = _("verification of the log")
        verbose_name_plural = _("verifications of the log")
        ordering: ClassVar[list[str]] = ["-id"]
        indexes = [models.Index(fields=["chain", "-id"], name="audit_check_of_chain")]

    def __str__(self) -> str:
        return f"{self.chain} · {self.requested_at:%Y-%m-%d %H:%M} UTC"

    @property
    def state_label(self) -> Any:
        if self.finished_at is None:
            return _("Running") if self.started_at else _("Waiting")
        return _("Sound") if self.is_intact and self.is_complete else _("Not sound")

    @property
    def state_color(self) -> str:
        if self.finished_at is None:
            return "blue" if self.started_at else "secondary"
        return "green" if self.is_intact and self.is_complete else "red"
