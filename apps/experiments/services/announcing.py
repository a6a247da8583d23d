"""Telling the mirror that there is something to do: numbered messages, in order per experiment and per run."""

from typing import Any

from apps.core import outbox
from apps.experiments.models import Experiment, MirrorState, Run


def announce(row: Experiment | Run, topic: str, **payload: Any) -> None:
    """Puts a message of the row into the outbox. The caller has locked the row, or has just created it."""
    row.mirror_wanted += 1
    if row.mirror_state == MirrorState.SYNCED:
        row.mirror_state = MirrorState.PENDING
    row.save(update_fields=["mirror_wanted", "mirror_state"])
    outbox.put(
        topic,
        {"id": str(row.pk), "number": row.mirror_wanted, **payload},
        group=f"{row._meta.model_name}:{row.pk}",
    )
