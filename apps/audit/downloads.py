"""An export, and the program that verifies it, as answers for REST and for the pages."""

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from apps.audit import services
from apps.audit.selectors import EventFilter, Scope
from apps.audit.services.exporting import Format
from apps.core.api.streaming import StreamedResponse
from apps.core.errors import Invalid
from apps.core.identity import Actor

MEDIA_TYPES = {Format.CSV: "text/csv; charset=utf-8", Format.JSONL: "application/x-ndjson"}


def export_response(actor: Actor, scope: Scope, wanted: EventFilter, form: str) -> HttpResponseBase:
    """Notes the export and streams it: memory does not grow with the log."""
    if form not in list(Format):
        raise Invalid(_("There is no such format."), fields={"as": [", ".join(Format)]})
    export = services.export_begin(actor=actor, scope=scope, filter=wanted, format=Format(form))
    response = StreamedResponse(services.export_lines(export), content_type=MEDIA_TYPES[export.format])
    response["Content-Disposition"] = content_disposition_header(True, export.filename) or "attachment"
    response["Cache-Control"] = "private, no-store"
    return response


def verifier_response() -> HttpResponse:
    """The program that checks an export without the portal."""
    path = settings.BASE_DIR / "scripts" / "verify_audit_export.py"
    headers = {"Content-Disposition": content_disposition_header(True, path.name) or "attachment"}
    return HttpResponse(path.read_bytes(), content_type="text/x-python", headers=headers)
