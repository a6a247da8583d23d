"""What was called, from the broker's memory into the table, hour by hour."""

import logging
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from apps.apikeys import counters
from apps.apikeys.latency import STEPS
from apps.apikeys.models import ApiKey, EndpointUsage
from apps.core.operations import ingest
from apps.organizations.models import Organization

log = logging.getLogger(__name__)

KEPT = timedelta(days=90)
UPSERT = """
INSERT INTO apikeys_endpointusage AS mine
  (hour, organization_id, key_id, endpoint, calls, client_errors, server_errors, histogram)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT ON CONSTRAINT endpoint_usage_unique DO UPDATE SET
  calls = mine.calls + excluded.calls,
  client_errors = mine.client_errors + excluded.client_errors,
  server_errors = mine.server_errors + excluded.server_errors,
  histogram = ARRAY(
    SELECT COALESCE(a, 0) + COALESCE(b, 0)
    FROM unnest(mine.histogram, excluded.histogram) WITH ORDINALITY AS step (a, b, number) ORDER BY number
  )
"""


def call_note(
    *,
    organization_id: UUID | None,
    key_id: UUID | None,
    endpoint: str,
    status: int,
    step: int,
    now: datetime | None = None,
) -> None:
    """Counts one answered request, in memory. `step` is the one of `apps.apikeys.latency` that its duration falls in."""
    hour = (now or timezone.now()).astimezone(UTC).strftime("%Y%m%d%H")
    row = f"{organization_id or ''}|{key_id or ''}|{endpoint}"
    fields = {f"{row}|c": 1, f"{row}|{step}": 1}
    if status >= 400:
        fields[f"{row}|{'s' if status >= 500 else 'r'}"] = 1
    counters.count(f"usage:{hour}", fields)


def usage_flush() -> int:
    """Moves what was counted into the table; returns how many rows were written to. What a crash catches in between,
    a few seconds of counts, is lost; what the database refuses is counted again."""
    written = 0
    for name in counters.tallies():
        fields = counters.taken(name)
        try:
            written += usage_add(hour=_hour(name), fields=fields)
        except Exception:
            counters.count(name, fields)
            raise
    return written


@ingest("apikeys.usage_add")
def usage_add(*, hour: datetime, fields: dict[str, int]) -> int:
    """Adds the counts of one hour, as `call_note` names them, to the table."""
    rows: dict[tuple[str, str, str], dict[str, Any]] = defaultdict(
        lambda: {"c": 0, "r": 0, "s": 0, "histogram": [0] * STEPS}
    )
    for field, amount in fields.items():
        *where, what = field.split("|")
        row = rows[where[0], where[1], "|".join(where[2:])]
        if what.isdigit():
            row["histogram"][int(what)] += amount
        else:
            row[what] += amount
    organizations = _existing(Organization, {where[0] for where in rows})
    keys = _existing(ApiKey, {where[1] for where in rows})
    values = [
        (hour, organization or None, key or None, endpoint, row["c"], row["r"], row["s"], row["histogram"])
        # In one order, so that two who add at once wait for each other instead of locking each other out.
        for (organization, key, endpoint), row in sorted(rows.items())
        if organization in organizations and key in keys
    ]
    with connection.cursor() as cursor:
        cursor.executemany(UPSERT, values)
    return len(values)


@ingest("apikeys.usage_sweep")
def usage_sweep() -> int:
    """Forgets hours long past."""
    return EndpointUsage.objects.filter(hour__lt=timezone.now() - KEPT).delete()[0]


def _hour(name: str) -> datetime:
    return datetime.strptime(name.removeprefix("usage:"), "%Y%m%d%H").replace(tzinfo=UTC)


def _existing(model: Any, ids: set[str]) -> set[str]:
    """Those of the ids that are still there, and "" for none: what was deleted meanwhile takes its counts along."""
    found = model.objects.filter(pk__in=[found for found in ids if found]).values_list("pk", flat=True)
    return {"", *map(str, found)}
