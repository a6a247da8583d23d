"""Requests that may be repeated: the first one with a name runs, the others get its answer.

A row is written before the request runs and holds its encrypted answer afterwards. It is kept outside the request's own
transactions, so that two at once meet there.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from cryptography.exceptions import InvalidTag
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.apikeys.ciphers import decrypt, encrypt
from apps.apikeys.models import IdempotentRequest
from apps.core.errors import Conflict, Unprocessable
from apps.core.identity import Actor
from apps.core.operations import ingest

KEPT = timedelta(hours=24)
#: A request that has not been answered for so long has died with its process.
GIVEN_UP = timedelta(minutes=10)
INSERT = """
INSERT INTO apikeys_idempotentrequest (user_id, api_key_id, name, fingerprint, started_at, headers, body)
VALUES (%s, %s, %s, %s, now(), '{}', '')
ON CONFLICT ON CONSTRAINT idempotent_request_unique DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@ingest("apikeys.idempotent_request_begin")
def idempotent_request_begin(*, actor: Actor, name: str, fingerprint: str) -> tuple[int, Answer | None]:
    """The row of the request, and the answer that was given to it before, None when it is to run now.

    Raises `Conflict` while another of this name runs, `Unprocessable` when the name stands for another request.
    """
    assert actor.user_id is not None
    row, fresh = _row(actor.user_id, actor.key_id, name, fingerprint)
    now = timezone.now()
    if not fresh and row.started_at < now - KEPT:
        row.fingerprint, row.status, row.headers, row.body = fingerprint, None, {}, b""
        fresh = True
    if fresh:
        row.started_at = now
        row.save()
        return row.pk, None
    if row.fingerprint != fingerprint:
        raise Unprocessable(
            _("This Idempotency-Key was used for another request."),
            code="idempotency_mismatch",
            hint=_("Use a new key for each request; repeat one with the same address and body."),
        )
    if row.status is None:
        if row.started_at > now - GIVEN_UP:
            raise Conflict(
                _("The first request with this Idempotency-Key is still running."),
                code="idempotency_running",
                hint=_("Ask again in a moment for its answer."),
            )
        row.started_at = now
        row.save(update_fields=["started_at"])
        return row.pk, None
    return row.pk, _answer(row)


@ingest("apikeys.idempotent_request_finish")
def idempotent_request_finish(*, row_id: int, answer: Answer) -> None:
    """Keeps the answer for those who repeat the request."""
    content = encrypt(answer.body, str(row_id))
    IdempotentRequest.objects.filter(pk=row_id).update(status=answer.status, headers=answer.headers, body=content)


@ingest("apikeys.idempotent_request_forget")
def idempotent_request_forget(*, row_id: int) -> None:
    """The request came to nothing that counts (refused for now, or crashed): the next one of its name runs."""
    IdempotentRequest.objects.filter(pk=row_id).delete()


@ingest("apikeys.idempotent_requests_sweep")
def idempotent_requests_sweep() -> int:
    """Forgets answers of yesterday."""
    return IdempotentRequest.objects.filter(started_at__lt=timezone.now() - KEPT).delete()[0]


def _row(user_id: UUID, key_id: UUID | None, name: str, fingerprint: str) -> tuple[IdempotentRequest, bool]:
    """The row of this name, locked, and whether it is new."""
    rows = IdempotentRequest.objects.select_for_update().filter(user_id=user_id, api_key_id=key_id, name=name)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(INSERT, [user_id, key_id, name, fingerprint])
            fresh = cursor.rowcount == 1
        row = rows.first()
        # None: another one with this name came to nothing between the two statements.
        if row is not None:
            return row, fresh


def _answer(row: IdempotentRequest) -> Answer:
    assert row.status is not None
    try:
        return Answer(row.status, row.headers, decrypt(bytes(row.body), str(row.pk)))
    except InvalidTag as error:
        raise Conflict(
            _("The answer to this request cannot be read any more."),
            code="idempotency_lost",
            hint=_("The portal's secret has changed since. Look for what the request made."),
        ) from error
