"""`manage.py doctor`: is each part of the portal well, and what to do where it is not."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand

from modelyard.supervisor import probes


class Command(BaseCommand):
    help = "Looks at every part of the portal. Exit status 1 when something does not work, else 0."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print a JSON list of findings")

    def handle(self, *, json: bool, **options: Any) -> None:
        findings = []
        for finding in probes.examine():
            findings.append(finding)
            if not json:
                self._print(finding)
        if json:
            self.stdout.write(as_json(findings))
        if any(finding.state == probes.FAILURE for finding in findings):
            raise SystemExit(1)

    def _print(self, finding: probes.Finding) -> None:
        style = {probes.OK: self.style.SUCCESS, probes.WARNING: self.style.WARNING, probes.FAILURE: self.style.ERROR}
        self.stdout.write(f"{style[finding.state](f'{finding.state:<8}')} {finding.part:<20} {finding.text}")
        if finding.advice:
            self.stdout.write(f"{'':<8} {'':<20} → {finding.advice}")
        self.stdout.flush()


def as_json(findings: list[probes.Finding]) -> str:
    return json.dumps([finding.as_dict() for finding in findings], indent=2, ensure_ascii=False)
