"""Reads sets named on the standard input and writes what it found into files; `apps.datasets.foreign` starts it.

The input is one JSON object: `limits`, `formats` with how each is read, and `jobs`: `source` (the set's folder),
`document` and `report` (empty files), `task`, `format` (empty where it is to be told). Each report is one JSON object:
`format`, `images`, `is_inside`, `losses`, `problems`, `problem_count`; or `format` and `error`.
"""

import importlib
import json
import sys

from modelyard_datumaro.confinement import confine


def main() -> None:
    asked = json.load(sys.stdin)
    jobs = asked["jobs"]
    confine(
        read=[job["source"] for job in jobs],
        write=[job[name] for job in jobs for name in ("document", "report")],
        **asked["limits"],
    )
    # Loaded only now: a library's threads are shut in when they are born after the process was.
    importlib.import_module("modelyard_datumaro.jobs").run(jobs, asked["formats"])


if __name__ == "__main__":
    main()
