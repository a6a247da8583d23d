"""`python -m modelyard_trainer.contract_tests <trainer folder> [--config JSON] [--dataset DIR]`"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from modelyard_trainer.contract_tests.suite import Suite


def main() -> int:
    """Prints one line per check; 0 when all passed."""
    parser = argparse.ArgumentParser(description="Checks a trainer against the trainer contract, version 1.")
    parser.add_argument("trainer", type=Path, help="the trainer's folder")
    parser.add_argument("--config", type=json.loads, default={}, help="settings as JSON: a training of some seconds")
    parser.add_argument("--dataset", type=Path, help="a dataset folder with manifest.json")
    parser.add_argument("--task", help="one of the trainer's tasks; the first when left out")
    parser.add_argument("--model", help="one of the trainer's models; the first when left out")
    parser.add_argument("--python", type=Path, help="the Python of the trainer's environment")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for one run")
    parser.add_argument("--grace", type=float, default=120.0, help="seconds from SIGTERM to the end")
    options = parser.parse_args()
    passed = True
    with tempfile.TemporaryDirectory(prefix="contract-") as work:
        suite = Suite(
            options.trainer,
            Path(work),
            config=options.config,
            dataset=options.dataset,
            task=options.task,
            model=options.model,
            python=options.python,
            timeout=options.timeout,
            grace=options.grace,
        )
        for check in suite.checks():
            passed = passed and check.passed
            mark = "skip" if check.skipped else "ok  " if check.passed else "FAIL"
            print(f"{mark} {check.name}{f': {check.skipped}' if check.skipped else ''}", flush=True)
            for problem in check.problems:
                print(f"     {problem}", flush=True)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
