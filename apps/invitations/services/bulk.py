"""Inviting many people from a CSV: every line is whole or nothing, and the answer tells what became of each."""

import csv
import io
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Model
from django.utils.translation import gettext as _

from apps.core import auditing
from apps.core.errors import DomainError, Invalid, TooLarge
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.invitations import actions
from apps.invitations.services.sending import invitation_create, require_inviter
from apps.invitations.targets import target_of

MAX_LINES = 500
MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class LineOutcome:
    """One line of the file: `outcome` is joined, invited or refused; `code`, `detail` and `hint` say why."""

    line: int
    email: str
    outcome: str
    code: str = ""
    detail: str = ""
    hint: str = ""


@operation("invitations.invitations_create", permission=lambda target: target_of(target).permission, on="target")
def invitations_create(
    *, actor: Actor, target: Model, text: str, role: str, message: str = "", days: int | None = None
) -> list[LineOutcome]:
    """Invites the addresses of a CSV with the columns `email` and, optionally, `role` (`role` fills empty ones).

    A first line that names the columns is passed over. At most 500 lines and 256 KiB.
    """
    kind = target_of(target)
    require_inviter(actor, kind.organization_id_of(target))
    kind.require_role(role)
    shared = {"target": target, "message": message, "days": days}
    outcomes = [_line(actor, number, cells, role, shared) for number, cells in _rows(text)]
    counts = {name: sum(found.outcome == name for found in outcomes) for name in ("joined", "invited", "refused")}
    auditing.record(
        actor,
        actions.SENT_IN_BULK,
        target,
        organization_id=kind.organization_id_of(target),
        name=str(target),
        after=counts,
    )
    return outcomes


def _line(actor: Actor, number: int, cells: list[str], role: str, shared: dict[str, Any]) -> LineOutcome:
    email = cells[0].strip().lower()
    try:
        if len(cells) > 2:
            raise Invalid(_("A line holds an address and a role."), code="too_many_columns")
        _check_email(email)
        given = cells[1].strip() if len(cells) > 1 else ""
        found = invitation_create(actor=actor, email=email, role=given or role, **shared)
    except DomainError as error:
        texts = [str(text) for texts in error.fields.values() for text in texts]
        detail = " ".join([str(error.message), *(text for text in texts if text != str(error.message))])
        return LineOutcome(number, email[:254], "refused", error.code, detail, str(error.hint))
    return LineOutcome(number, email, found.outcome)


def _check_email(email: str) -> None:
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid(_("This is no e-mail address."), code="email_invalid") from error


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """Lines that hold something, with their numbers. Raises `Invalid` for what is no CSV and `TooLarge`."""
    if len(text.encode()) > MAX_BYTES:
        raise TooLarge(_("The file is larger than %(limit)s KiB.") % {"limit": MAX_BYTES // 1024})
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((reader.line_num, cells))
    except csv.Error as error:
        message = _("Line %(line)s is not CSV.") % {"line": reader.line_num}
        raise Invalid(message, code="csv_invalid", fields={"csv": [message]}) from error
    if rows and rows[0][1][0].strip().lower() in {"email", "e-mail"}:
        rows = rows[1:]
    if not rows:
        message = _("The file contains no address.")
        raise Invalid(message, code="csv_empty", fields={"csv": [message]})
    if len(rows) > MAX_LINES:
        raise TooLarge(_("The file has more than %(limit)s lines.") % {"limit": MAX_LINES})
    return rows
