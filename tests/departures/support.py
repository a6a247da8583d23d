"""A whole organization to export and to delete, and what is left of one in the database."""

import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.core.identity import Actor
from apps.core.storage import storage
from apps.core.testing import Cast
from apps.departures import services
from apps.departures.models import ExportState, OrganizationDeletion, OrganizationExport
from apps.departures.services.exports import export_run
from apps.departures.services.purging import purge_due
from apps.organizations.models import Organization

ROOT = Path(__file__).resolve().parents[2]
#: One of everything that an organization can have.
SAMPLES = (
    *("project", "project-member", "trashed-project", "membership", "pending-membership", "invitation", "api-key"),
    *(
        "dataset",
        "private-dataset",
        "trashed-dataset",
        "dataset-upload",
        "direct-file",
        "analysed-upload",
        "dataset-snapshot",
    ),
    "dataset-export",
    *("training-job", "stopped-training", "pinned-training", "scheduled-training", "checkpoint", "artifact"),
    *("experiment", "trashed-experiment"),
    *("run", "inference-job", "resource-group", "node", "organization-export", "apikeys.EndpointUsage"),
    *("share", "group-share", "training-share", "training-group-share"),
    *("connection", "provider-account", "vouched-session"),
)


def furnished(cast: Cast) -> Organization:
    """The first organization with one of everything in it."""
    for name in SAMPLES:
        cast.sample(name)
    return cast.sample("organization")


def exported(cast: Cast, actor: Actor | None = None) -> tuple[OrganizationExport, zipfile.ZipFile]:
    """An export that a worker has written, and the ZIP."""
    export = services.export_request(actor=actor or cast.admin.actor, organization=cast.sample("organization"))
    export_run(export.pk)
    export.refresh_from_db()
    assert export.state == ExportState.READY, export.failure
    return export, zipfile.ZipFile(io.BytesIO(storage().read(export.key)))


def lines(archive: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in archive.read(f"{name}.jsonl").decode().splitlines()]


def scheduled(cast: Cast, *, due: bool = False) -> OrganizationDeletion:
    """The deletion of the first organization; `due`: the grace is over."""
    organization = cast.sample("organization")
    deletion = services.deletion_schedule(
        actor=cast.admin.actor, organization=organization, name=str(organization), reason="The company closes"
    )
    if due:
        OrganizationDeletion.objects.filter(pk=deletion.pk).update(due_at=timezone.now() - timedelta(seconds=1))
    return deletion


def purged(cast: Cast) -> OrganizationDeletion:
    deletion = scheduled(cast, due=True)
    assert purge_due() == 1
    deletion.refresh_from_db()
    return deletion


def tables_with(text: str) -> set[str]:
    """Tables in which any row holds the text, in whatever column."""
    with connection.cursor() as cursor:
        tables = [name for name in connection.introspection.table_names(cursor) if not name.startswith("pg_")]
        found = set()
        for name in tables:
            cursor.execute(
                f"SELECT EXISTS (SELECT 1 FROM {connection.ops.quote_name(name)} row WHERE row::text LIKE %s)",
                [f"%{text}%"],
            )
            if cursor.fetchone()[0]:
                found.add(name)
    return found


def objects_with(organization_id: UUID) -> list[str]:
    """Keys of the store in which the organization's id stands."""
    return [key for key in storage().keys("") if str(organization_id) in key]
