"""Writes of the audit log: storing and sealing events, signing heads, checks, exports, erasure."""

from apps.audit.documents import GENESIS, PLATFORM, seal_hash
from apps.audit.services.checking import check_request, check_run, checks_daily
from apps.audit.services.erasure import organization_forget, person_forget
from apps.audit.services.exporting import Export, export_begin, export_lines
from apps.audit.services.heads import head_sign, heads_daily
from apps.audit.services.sealing import seal, seal_all
from apps.audit.services.storing import store

__all__ = [
    "GENESIS",
    "PLATFORM",
    "Export",
    "check_request",
    "check_run",
    "checks_daily",
    "export_begin",
    "export_lines",
    "head_sign",
    "heads_daily",
    "organization_forget",
    "person_forget",
    "seal",
    "seal_all",
    "seal_hash",
    "store",
]
