"""What permissions cost: a page of fifty rows over REST with the policy's conditions, and the same page without any.

Both are asked in turns, in one process of the portal that has a database full of rows. Bar: 2 ms more, of the medians.
"""

import sys

from tests.benchmarks.figures import Figures, arguments
from tests.benchmarks.stand import portal

LISTS = ("projects", "training-jobs", "audit-logs", "organizations/{organization}/members")


def main() -> int:
    asked = arguments(__doc__, rows=20_000, rounds=200)
    figures = Figures("permissions")
    with portal() as beside:
        organization = beside.django("fill", *[str(asked.rows)] * 3)
        names = [name.format(organization=organization) for name in LISTS]
        for found in beside.django("permissions", str(asked.rounds), *names):
            name = found["list"].replace(organization, "…")
            checked, unchecked = found["checked"], found["unchecked"]
            figures.row(
                list=name,
                rows=asked.rows,
                checked_p50_ms=round(checked[0], 2),
                unchecked_p50_ms=round(unchecked[0], 2),
                checked_p95_ms=round(checked[1], 2),
                unchecked_p95_ms=round(unchecked[1], 2),
            )
            figures.bar(f"ms that permissions add to 50 of {name}", checked[0] - unchecked[0], high=2)
    return figures.finish()


if __name__ == "__main__":
    sys.exit(main())
