"""`manage.py storage_fsck`: do the stores hold what the rows name, and nothing else?"""

import argparse
import json
from collections import Counter
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from apps.core.storage import stores
from apps.core.storage.loose import grace
from apps.datasets.services.fsck import examine_stores


class Command(BaseCommand):
    help = (
        "Compares the object stores with the database: objects that are missing, damaged (another length; with --read "
        "another content), or orphaned (no row names them). Exit status 1 when something is left to be done."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--read", action="store_true", help="read every object and compare its digest")
        parser.add_argument(
            "--repair", action="store_true", help="put damaged files of datasets into quarantine, delete old orphans"
        )
        parser.add_argument(
            "--grace-hours",
            type=float,
            default=grace().total_seconds() / 3600,
            help="for how long nobody must have named an orphan that is told and deleted (default: %(default)g)",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object for each finding")

    def handle(self, *args: Any, **options: Any) -> None:
        counts: Counter[str] = Counter()
        left, apart = 0, len(stores()) > 1
        findings = examine_stores(
            read=options["read"], repair=options["repair"], grace=max(0.0, options["grace_hours"]) * 3600
        )
        for found in findings:
            counts[found.kind] += 1
            left += not found.repaired
            if options["json"]:
                self.stdout.write(json.dumps(asdict(found)))
            else:
                done = {"orphan": " (deleted)"}.get(found.kind, " (in quarantine)") if found.repaired else ""
                names = f", named by {', '.join(found.names)}" if found.names else ""
                place = f" of {found.store}" if apart else ""
                self.stdout.write(f"{found.kind:<8} {found.key}{place} {found.size} bytes{names}{done}")
        if not options["json"]:
            said = ", ".join(f"{counts[kind]} {kind}" for kind in ("missing", "damaged", "orphan"))
            self.stdout.write(f"{said}; {left} left to be done.")
        if left:
            raise SystemExit(1)
