"""Reads of keys and of what was called."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

from django.db.models import Sum
from django.db.models.functions import TruncDay
from django.utils import timezone

from apps.apikeys.endpoints import Endpoint
from apps.apikeys.latency import STEPS, added, percentile
from apps.apikeys.models import ApiKey, EndpointUsage
from apps.apikeys.querysets import EndpointUsageQuerySet
from apps.core.identity import Actor, KeyGrant


def grant_of_id(key_id: UUID) -> KeyGrant | None:
    """What a key allows at this moment; None when it was revoked or has expired, or its owner may not enter any more."""
    found = ApiKey.objects.live().filter(pk=key_id, owner__is_active=True).select_related("owner").first()
    return grant_of(found) if found is not None else None


def grant_of(key: ApiKey) -> KeyGrant:
    projects = frozenset(key.projects.values_list("pk", flat=True)) if key.limited_to_projects else None
    return KeyGrant(
        key_id=key.pk,
        user=key.owner,
        organization_id=key.organization_id,
        scopes=frozenset(key.scopes),
        projects=projects,
        calls_per_minute=key.calls_per_minute,
    )


@dataclass
class Traffic:
    """Calls and how they went. `p50` and `p95` are milliseconds, None where nothing was called."""

    calls: int = 0
    client_errors: int = 0
    server_errors: int = 0
    histogram: list[int] = field(default_factory=lambda: [0] * STEPS)

    @classmethod
    def of(cls, sums: Mapping[str, Any]) -> Self:
        """Of a row of `EndpointUsageQuerySet.summed_by`."""
        histogram = [sums[f"step_{number}"] or 0 for number in range(STEPS)]
        return cls(sums["calls_sum"], sums["client_errors_sum"], sums["server_errors_sum"], histogram)

    def add(self, other: "Traffic") -> None:
        self.calls += other.calls
        self.client_errors += other.client_errors
        self.server_errors += other.server_errors
        self.histogram = added((self.histogram, other.histogram))

    @property
    def errors(self) -> int:
        return self.client_errors + self.server_errors

    @property
    def p50(self) -> float | None:
        return percentile(self.histogram, 0.5)

    @property
    def p95(self) -> float | None:
        return percentile(self.histogram, 0.95)


@dataclass
class EndpointTraffic(Traffic):
    """Of one endpoint; what the catalogue says of it is empty for one that is not in it (any more)."""

    endpoint: str = ""
    method: str = ""
    path: str = ""
    operation_id: str = ""
    tag: str = ""
    summary: str = ""


def usage_rows(actor: Actor, *, days: int, key: ApiKey | None = None) -> EndpointUsageQuerySet:
    """What the actor may see of the last days: of one key, or of the chosen organization."""
    rows = EndpointUsage.objects.visible(actor).filter(hour__gte=timezone.now() - timedelta(days=days))
    if key is not None:
        return rows.filter(key=key)
    return rows.filter(organization=actor.organization_id) if actor.organization_id else rows


def traffic_by_endpoint(rows: EndpointUsageQuerySet) -> dict[str, Traffic]:
    """Endpoint → its traffic. One query."""
    return {sums["endpoint"]: Traffic.of(sums) for sums in rows.summed_by("endpoint")}


def calls_by_day(rows: EndpointUsageQuerySet, *, days: int) -> list[dict[str, Any]]:
    """`{"day", "calls", "errors"}` of each of the last days in the reader's time zone, days without a call too."""
    zone = timezone.get_current_timezone()
    counted = (
        rows.annotate(day=TruncDay("hour", tzinfo=zone))
        .values("day")
        .annotate(called=Sum("calls"), refused=Sum("client_errors"), failed=Sum("server_errors"))
        .order_by("day")
    )
    found = {row["day"].date(): row for row in counted}
    today = timezone.localdate()
    listed = [today - timedelta(days=back) for back in reversed(range(days))]
    return [
        {
            "day": day,
            "calls": found[day]["called"] if day in found else 0,
            "errors": found[day]["refused"] + found[day]["failed"] if day in found else 0,
        }
        for day in listed
    ]


def key_usage(rows: EndpointUsageQuerySet, *, days: int) -> dict[str, Any]:
    """By day, in all, and by endpoint, the most called first. Two queries."""
    total, found = Traffic(), []
    for name, traffic in traffic_by_endpoint(rows).items():
        total.add(traffic)
        method, _space, path = name.partition(" ")
        found.append(EndpointTraffic(**vars(traffic), endpoint=name, method=method, path=path))
    found.sort(key=lambda row: (-row.calls, row.endpoint))
    return {"days": calls_by_day(rows, days=days), "total": total, "endpoints": found}


def catalogue_with_traffic(endpoints: Iterable[Endpoint], rows: EndpointUsageQuerySet) -> list[EndpointTraffic]:
    """Every endpoint of the catalogue with its traffic, those without a call too. One query."""
    traffic = traffic_by_endpoint(rows)
    return [
        EndpointTraffic(
            **vars(traffic.get(found.name) or Traffic()),
            endpoint=found.name,
            method=found.method,
            path=found.path,
            operation_id=found.operation_id,
            tag=found.tag,
            summary=found.said,
        )
        for found in endpoints
    ]


def by_tag(listed: Iterable[EndpointTraffic]) -> list[tuple[str, list[EndpointTraffic]]]:
    """The endpoints by the first part of their path, in the catalogue's order."""
    found: dict[str, list[EndpointTraffic]] = defaultdict(list)
    for row in listed:
        found[row.tag].append(row)
    return list(found.items())


def keys_with_traffic(rows: EndpointUsageQuerySet) -> list[tuple[ApiKey | None, Traffic]]:
    """Each key that was used, None for people's tokens and pages, with its traffic; the most used first. Two queries."""
    found = {sums["key"]: Traffic.of(sums) for sums in rows.summed_by("key")}
    keys = ApiKey.objects.in_bulk([key_id for key_id in found if key_id is not None])
    return [(keys.get(key_id), found[key_id]) for key_id in sorted(found, key=lambda key_id: -found[key_id].calls)]


def total_of(traffics: Iterable[Traffic]) -> Traffic:
    total = Traffic()
    for traffic in traffics:
        total.add(traffic)
    return total
