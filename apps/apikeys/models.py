"""API keys with their secrets, what each endpoint was called, and answers kept for repeated requests."""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.apikeys.querysets import ApiKeyQuerySet, EndpointUsageQuerySet
from apps.core.entities import PLAIN, Entity


class KeyState(models.TextChoices):
    """How a key stands; told by its times, never stored."""

    ACTIVE = "active", _("Active")
    EXPIRED = "expired", _("Expired")
    REVOKED = "revoked", _("Revoked")


class ApiKey(Entity):
    """A program's way in: its owner's rights in one organization, narrowed to permissions and perhaps to projects.

    Scopes and projects never change, so that a key does later what it did when it was tried; who needs others makes
    another key. Keys are revoked and kept: the audit log and the usage speak of them.
    """

    organization = models.ForeignKey(
        "organizations.Organization", on_delete=models.CASCADE, related_name="api_keys", verbose_name=_("organization")
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys", verbose_name=_("owner")
    )
    name = models.CharField(_("name"), max_length=120, validators=[PLAIN])
    scopes = ArrayField(models.CharField(max_length=100), verbose_name=_("permissions"))
    # Said apart from the list: a key whose last project is deleted must not come to reach all.
    limited_to_projects = models.BooleanField(_("limited to projects"), default=False)
    projects = models.ManyToManyField("projects.Project", related_name="+", blank=True, verbose_name=_("projects"))
    calls_per_minute = models.PositiveIntegerField(
        _("calls per minute"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(1_000_000)]
    )
    expires_at = models.DateTimeField(_("expires"))
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("revoked by")
    )
    # Written once a minute at most.
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "organization", "name"],
                condition=models.Q(revoked_at__isnull=True),
                name="apikey_name_unique",
                violation_error_message=_("You have an API key of this name."),
            ),
            models.CheckConstraint(
                condition=models.Q(scopes__len__gt=0),
                name="apikey_has_scopes",
                violation_error_message=_("A key needs at least one permission."),
            ),
        ]
        indexes = [models.Index(fields=["organization", "-id"], name="apikey_of_organization")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("apikeys:detail", args=[self.pk])

    @property
    def state(self) -> KeyState:
        if self.revoked_at is not None:
            return KeyState.REVOKED
        return KeyState.ACTIVE if self.expires_at > timezone.now() else KeyState.EXPIRED

    @property
    def state_label(self) -> Any:
        return self.state.label

    @property
    def state_color(self) -> str:
        return {KeyState.ACTIVE: "green", KeyState.EXPIRED: "orange", KeyState.REVOKED: "red"}[self.state]


class ApiKeySecret(models.Model):
    """One secret of a key: two while a rotation overlaps. Only its keyed digest is stored."""

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="secrets", verbose_name=_("API key"))
    shown = models.CharField(_("begins with"), max_length=20)
    digest = models.CharField(_("digest"), max_length=64, unique=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    # Null: as long as the key. Otherwise the end of the overlap.
    expires_at = models.DateTimeField(_("replaced, ends"), null=True, blank=True)

    class Meta:
        verbose_name = _("secret of an API key")
        verbose_name_plural = _("secrets of API keys")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=models.Q(expires_at__isnull=True), name="apikey_secret_one_current"
            )
        ]

    def __str__(self) -> str:
        return self.shown

    @property
    def is_live(self) -> bool:
        return self.expires_at is None or self.expires_at > timezone.now()


class EndpointUsage(models.Model):
    """Calls of one endpoint by one key (null: by people's tokens and pages) in one hour.

    `histogram` counts answers by how long they took, in the steps of `apps.apikeys.latency`.
    """

    hour = models.DateTimeField(_("hour"))
    organization = models.ForeignKey(
        "organizations.Organization",
        on_delete=models.CASCADE,
        null=True,
        related_name="+",
        verbose_name=_("organization"),
    )
    key = models.ForeignKey(
        ApiKey, on_delete=models.CASCADE, null=True, related_name="usage", verbose_name=_("API key")
    )
    endpoint = models.CharField(_("endpoint"), max_length=200)
    calls = models.PositiveBigIntegerField(_("calls"), default=0)
    client_errors = models.PositiveBigIntegerField(_("refused (4xx)"), default=0)
    server_errors = models.PositiveBigIntegerField(_("failed (5xx)"), default=0)
    histogram = ArrayField(models.PositiveIntegerField(), verbose_name=_("durations"))

    objects = EndpointUsageQuerySet.as_manager()

    class Meta:
        verbose_name = _("usage of an endpoint")
        verbose_name_plural = _("usage of endpoints")
        constraints = [
            models.UniqueConstraint(
                fields=["hour", "organization", "key", "endpoint"], name="endpoint_usage_unique", nulls_distinct=False
            )
        ]
        indexes = [
            models.Index(fields=["organization", "hour"], name="endpoint_usage_of_organization"),
            models.Index(fields=["key", "hour"], name="endpoint_usage_of_key"),
        ]

    def __str__(self) -> str:
        return self.endpoint


class IdempotentRequest(models.Model):
    """A POST that came with an `Idempotency-Key`, and its answer, encrypted, for whoever repeats it within a day.

    Has no page in the admin: it holds answers made for one caller, and nobody else is to read them.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("person")
    )
    # The API key by which it came; plain, so that a key's end leaves the row alone.
    api_key_id = models.UUIDField(_("API key"), null=True)
    name = models.CharField(_("name"), max_length=255)
    # Of method, address, organization and body: the same name may not stand for something else.
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    # Null while it runs.
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    headers = models.JSONField(_("headers"), default=dict)
    body = models.BinaryField(_("body"), default=bytes)

    class Meta:
        verbose_name = _("repeated request")
        verbose_name_plural = _("repeated requests")
        constraints = [
            models.UniqueConstraint(
                fields=["user", "api_key_id", "name"], name="idempotent_request_unique", nulls_distinct=False
            )
        ]
        indexes = [models.Index(fields=["started_at"], name="idempotent_request_age")]

    def __str__(self) -> str:
        return self.name
