"""Writes on exports, deletions and people who leave."""

from apps.departures.services.accounts import account_delete, person_erase
from apps.departures.services.deletion import deletion_cancel, deletion_schedule
from apps.departures.services.exports import export_download, export_request

__all__ = [
    "account_delete",
    "deletion_cancel",
    "deletion_schedule",
    "export_download",
    "export_request",
    "person_erase",
]
