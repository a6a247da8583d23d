"""The rows of a list, as far as the person sees them, as a file: of every admin's list, filtered or chosen by hand."""

import json
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import label_for_field, lookup_field
from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from django.db.models import Model
from django.http import HttpResponse
from django.utils import timezone
from django.utils.html import strip_tags
from django.utils.http import content_disposition_header
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget

from apps.core import auditing
from apps.core.admin.reasons import ActionForm, with_form
from apps.core.auditing import register_action
from apps.core.errors import Conflict, DomainError
from apps.core.identity import Actor
from apps.core.identity.requests import PortalRequest
from apps.core.operations import operation
from apps.core.tables import BOM, csv_lines

#: Of one file; it is made in memory, and more is what filters, REST and the organization's export are for.
MOST_ROWS = 10_000

LIST_EXPORTED = register_action(
    "list.exported", _("List exported"), _("%(actor)s exported %(count)s rows of the list %(list)s.")
)


class Format(StrEnum):
    CSV = "csv"
    JSON = "json"


TYPES = {Format.CSV: "text/csv; charset=utf-8", Format.JSON: "application/json"}


class FormatForm(ActionForm):
    format = forms.ChoiceField(
        label=_("Format"),
        choices=[(Format.CSV.value, _("CSV, for table programs")), (Format.JSON.value, _("JSON, for programs"))],
        help_text=_("With the columns of the list. The export is noted in the audit log."),
        widget=UnfoldAdminSelectWidget,
    )


@operation("core.list_export")
def list_export(*, actor: Actor, organization_id: UUID | None, label: str, count: int, form: Format) -> None:
    """Notes that rows leave the portal. Which ones an actor sees is the policy's; the list has asked it."""
    params = {"list": label, "count": count, "format": form.value}
    auditing.record(actor, LIST_EXPORTED, None, organization_id=organization_id, params=params)


@with_form(form_class=FormatForm)
def export_rows(admin: Any, request: PortalRequest, rows: Any, format: str) -> HttpResponse | None:
    """The action that every list has."""
    form, label = Format(format), admin.opts.label
    try:
        found = _bounded(rows)
    except DomainError as error:
        messages.error(request, f"{error.message} {error.hint}")
        return None
    names = [name for name in admin.get_list_display(request) if name != "action_checkbox"]
    table = [[str(row.pk), *(_value(admin, row, name) for name in names)] for row in found]
    with transaction.atomic():
        for organization_id, count in _by_organization(request.actor, found).items():
            list_export(actor=request.actor, organization_id=organization_id, label=label, count=count, form=form)
    content = _csv(admin, names, table) if form == Format.CSV else _json(names, table)
    return _download(content, f"{admin.opts.model_name}-{timezone.localdate().isoformat()}.{form.value}", TYPES[form])


def _bounded(rows: Any) -> list[Model]:
    found = list(rows[: MOST_ROWS + 1])
    if len(found) > MOST_ROWS:
        raise Conflict(
            gettext("A file holds %(limit)s rows at most.") % {"limit": MOST_ROWS},
            code="too_many_rows",
            hint=gettext("Narrow the list by its filters, or read it over REST page by page."),
        )
    return found


def _by_organization(actor: Actor, rows: Iterable[Model]) -> dict[UUID | None, int]:
    """How many rows are of each organization, whose log then says so. What belongs to none, such as a person, stands in
    the log of the actor's own, and in the platform's where a platform administrator takes it."""
    own = None if actor.is_platform_admin else actor.organization_id
    counted: dict[UUID | None, int] = {}
    for row in rows:
        organization_id = getattr(row, "organization_id", None) or own
        counted[organization_id] = counted.get(organization_id, 0) + 1
    return counted or {own: 0}


def _value(admin: Any, row: Model, name: str) -> Any:
    """What the list shows, as text, number, truth or nothing."""
    try:
        field, _attribute, value = lookup_field(name, row, admin)
    except ObjectDoesNotExist:
        return None
    if field is not None and getattr(field, "flatchoices", None):
        value = dict(field.flatchoices).get(value, value)
    if isinstance(value, SafeString):
        return strip_tags(value)
    if isinstance(value, datetime):
        return timezone.localtime(value).isoformat(timespec="seconds")
    if value is None or isinstance(value, bool | int | float):
        return value
    return json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def _csv(admin: Any, names: list[str], table: list[list[Any]]) -> bytes:
    heads = [capfirst(str(label_for_field(name, admin.model, admin))) for name in names]
    return csv_lines([["ID", *heads], *table], start=BOM)


def _json(names: list[str], table: list[list[Any]]) -> bytes:
    keys = ["id", *(name.removeprefix("shown_") for name in names)]
    return json.dumps([dict(zip(keys, row, strict=True)) for row in table], ensure_ascii=False, indent=1).encode()


def _download(content: bytes, name: str, media_type: str) -> HttpResponse:
    """The admin itself says that nobody keeps it on the way."""
    answer = HttpResponse(content, content_type=media_type)
    answer["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return answer
