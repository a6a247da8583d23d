"""The sealer: gives events their place in the chain of their organization."""

from uuid import UUID

from django.db import connection

from apps.audit.documents import GENESIS, contents, seal_hash
from apps.audit.models import AuditSeal, AuditWaiting
from apps.core.operations import ingest

BATCH = 2000


def seal(*, limit: int = 20_000) -> int:
    """One pass over every chain that has events waiting; returns how many were sealed. Safe to run in parallel."""
    sealed = 0
    for chain in AuditWaiting.objects.order_by("chain").values_list("chain", flat=True).distinct():
        while sealed < limit:
            found = seal_chain(chain=chain, limit=min(BATCH, limit - sealed))
            sealed += found
            if found == 0:
                break
    return sealed


def seal_all(chain: UUID) -> None:
    """Seals what waits in one chain, after another sealer where one is at work."""
    while seal_chain(chain=chain, limit=BATCH, wait=True):
        pass


@ingest("audit.seal")
def seal_chain(*, chain: UUID, limit: int, wait: bool = False) -> int:
    """Seals the oldest events that wait. One at a time for each chain: returns 0 when another is at it, unless `wait`.

    Events are taken by missing seal, never by id: commits do not come in the order of ids.
    """
    lock = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {lock}(hashtext('audit.seal'), hashtext(%s))", [str(chain)])
        if cursor.fetchone()[0] is False:
            return 0
    waiting = list(
        AuditWaiting.objects.filter(chain=chain).order_by("event_id").values_list("event_id", flat=True)[:limit]
    )
    found = contents(waiting)
    head = AuditSeal.objects.filter(chain=chain).order_by("-seq").values_list("seq", "hash").first()
    seq, previous = head or (0, GENESIS)
    seals = []
    for event_id in waiting:
        if event_id in found:
            seq += 1
            digest = seal_hash(found[event_id], seq, previous)
            seals.append(AuditSeal(event_id=event_id, chain=chain, seq=seq, previous_hash=previous, hash=digest))
            previous = digest
    AuditSeal.objects.bulk_create(seals, batch_size=1000)
    AuditWaiting.objects.filter(event_id__in=waiting).delete()
    return len(waiting)
