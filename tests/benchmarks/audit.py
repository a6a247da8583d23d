"""Sealing and verifying a long chain of audit events, in a process of the portal, streamed from its PostgreSQL.

Bars: 10⁶ events verified within 60 seconds, in memory that does not grow with them.
"""

import sys

from tests.benchmarks.figures import Figures, arguments
from tests.benchmarks.stand import portal

MILLION = 1_000_000


def main() -> int:
    asked = arguments(__doc__, rows=MILLION, rounds=3)
    figures = Figures("audit")
    with portal() as beside:
        sealed = beside.django("chain", str(asked.rows))
        figures.row(work="seal", events=asked.rows, seconds=round(sealed["seconds"], 1))
        found = [beside.django("verified") for _round in range(asked.rounds)]
        for row in found:
            figures.row(
                work="verify", events=row["events"], seconds=round(row["seconds"], 1), mb=round(row["peak_mb"])
            )
        worst = max(row["seconds"] / row["events"] for row in found) * MILLION
        figures.bar("seconds to verify a million events", worst, high=60)
        figures.bar("MB of memory while verifying", max(row["peak_mb"] for row in found), high=300)
    return figures.finish()


if __name__ == "__main__":
    sys.exit(main())
