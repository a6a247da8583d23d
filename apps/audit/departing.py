"""The audit log in an organization's export: the whole chain, its signed head, and the program that checks both."""

import json
from collections.abc import Iterator
from uuid import UUID

from django.conf import settings

from apps.audit.models import AuditHead
from apps.audit.selectors import EventFilter, Scope
from apps.audit.services import export_begin, export_lines, organization_forget, person_forget
from apps.audit.services.exporting import Format
from apps.audit.verification import statement_of
from apps.core.identity import Actor
from apps.departures.contributions import Contribution, Document

SYSTEM = "deletion"


def _log(actor: Actor, organization_id: UUID) -> Iterator[bytes]:
    """As the export of the organization's log: noted as one, and signed at its head."""
    scope = Scope("organization", organization_id=organization_id)
    yield from export_lines(export_begin(actor=actor, scope=scope, filter=EventFilter(), format=Format.JSONL))


def _head(actor: Actor, organization_id: UUID) -> Iterator[bytes]:
    """The one that was signed for the log just before."""
    head = AuditHead.objects.filter(chain=organization_id).first()
    if head is not None:
        yield json.dumps(statement_of(head), indent=1).encode()


def _verifier(actor: Actor, organization_id: UUID) -> Iterator[bytes]:
    yield (settings.BASE_DIR / "scripts" / "verify_audit_export.py").read_bytes()


CONTRIBUTION = Contribution(
    documents=(
        Document("audit/audit.jsonl", _log),
        Document("audit/head.json", _head),
        Document("audit/verify_audit_export.py", _verifier),
    )
)


def forget_person(person_id: UUID) -> None:
    person_forget(actor=Actor.system(SYSTEM), person_id=person_id)


def forget_organization(organization_id: UUID) -> None:
    organization_forget(actor=Actor.system(SYSTEM), organization_id=organization_id)
