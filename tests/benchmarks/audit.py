"""Sealing and verifying a long chain of audit events, by the portal's own command, beside a plain read of the rows.

The command runs in a process of its own, as an operator starts it; the read is PostgreSQL's COPY of the same events with
their seals, in their order, in the same run. Bars: 10⁶ events verified within 60 seconds, in memory that does not grow
with them.
"""

import json
import sys

from tests.benchmarks.figures import Figures, arguments, median
from tests.benchmarks.stand import portal, timed

MILLION = 1_000_000
ROWS = (
    "COPY (SELECT seal.seq, seal.previous_hash, seal.hash, event.* FROM audit_auditseal seal JOIN audit_auditevent event "
    "ON event.id = seal.event_id WHERE seal.chain = '{chain}' ORDER BY seal.seq) TO STDOUT"
)


def main() -> int:
    asked = arguments(__doc__, rows=MILLION, rounds=3)
    figures = Figures("audit")
    with portal() as beside:
        sealed = beside.django("chain", str(asked.rows))
        figures.row(work="seal", events=asked.rows, seconds=round(sealed["seconds"], 1))
        ratios, slowest, most = [], 0.0, 0.0
        for _round in range(asked.rounds):
            read, size = timed(lambda: beside.copy(ROWS.format(chain=sealed["chain"])))
            figures.row(work="read (COPY)", events=asked.rows, seconds=round(read, 1), mb=round(size / 1e6))
            done = beside.manage("audit_verify", "--json", "--chain", sealed["chain"])
            (found,) = json.loads(done.output)["chains"]
            if not (found["intact"] and found["complete"]):
                raise RuntimeError(f"the chain is not sound: {found}")
            figures.row(
                work="manage.py audit_verify",
                events=found["events"],
                seconds=round(done.seconds, 1),
                mb=round(done.peak_mb),
                ratio_to_read=round(done.seconds / read, 1),
            )
            ratios.append(done.seconds / read)
            slowest = max(slowest, done.seconds / found["events"] * MILLION)
            most = max(most, done.peak_mb)
        figures.ratio("verification against a plain read", median(ratios))
        figures.bar("seconds to verify a million events", slowest, high=60)
        figures.bar("MB of memory while verifying", most, high=300)
    return figures.finish()


if __name__ == "__main__":
    sys.exit(main())
