"""`manage.py audit_verify`: is every chain of the audit log what it was, and is nothing missing?"""

import argparse
import json
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from apps.audit.documents import PLATFORM
from apps.audit.signing import public_key
from apps.audit.verification import Verification, chains, unguarded, verify
from apps.organizations.models import Organization


class Command(BaseCommand):
    help = (
        "Verifies the chains of the audit log: integrity (each event is what was sealed, in its place) and completeness "
        "(nothing is missing, against heads signed earlier). Exit status 1 when something was found."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--chain", help="id of an organization, or `platform`; every chain without it")
        parser.add_argument(
            "--head", action="append", default=[], type=Path, help="file of a head signed earlier and kept elsewhere"
        )
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        heads = [_read(path) for path in options["head"]]
        wanted = [_chain(options["chain"])] if options["chain"] else chains()
        # A head names its chain: one that is gone from here as a whole is still looked for.
        wanted += sorted({UUID(head["chain"]) for head in heads} - set(wanted)) if not options["chain"] else []
        found = [verify(chain, heads) for chain in wanted]
        open_doors = unguarded()
        if options["json"]:
            self.stdout.write(
                json.dumps({"chains": [_plain(row) for row in found], "unguarded": open_doors}, indent=1)
            )
        else:
            self._print(found, open_doors)
        if open_doors or not all(row.is_sound for row in found):
            raise SystemExit(1)

    def _print(self, found: list[Verification], open_doors: list[str]) -> None:
        names = {row.pk: str(row) for row in Organization.objects.filter(pk__in=[row.chain for row in found])}
        for row in found:
            name = "the platform" if row.chain == PLATFORM else names.get(row.chain, str(row.chain))
            speed = f"{row.seconds:.1f} s, {row.events / row.seconds:,.0f} a second" if row.seconds else ""
            self.stdout.write(f"{name}: {row.events:,} events ({speed})")
            self._say("integrity", row.is_intact, row.broken_count and f"{row.broken_count} do not fit: {row.broken}")
            self._say("completeness", row.is_complete, f"{row.heads} signed heads compared")
            for what, numbers in row.findings.items():
                if numbers and what.endswith("_heads"):
                    self.stdout.write(f"    {what.replace('_', ' ')}: {numbers}")
            if row.unsealed:
                self.stdout.write(f"    without a seal yet: {row.unsealed}, of them forgotten: {row.forgotten}")
        if open_doors:
            self.stdout.write(self.style.ERROR(f"The database does not refuse changes: {', '.join(open_doors)}"))
        self.stdout.write(f"signed by {public_key()}")

    def _say(self, what: str, sound: bool, note: Any) -> None:
        word = self.style.SUCCESS("ok    ") if sound else self.style.ERROR("FAILED")
        self.stdout.write(f"  {word} {what}{f' · {note}' if note else ''}")


def _plain(row: Verification) -> dict[str, Any]:
    return {
        "chain": str(row.chain),
        "events": row.events,
        "last_hash": row.last_hash,
        "intact": row.is_intact,
        "complete": row.is_complete,
        "unsealed": row.unsealed,
        "heads": row.heads,
        "seconds": round(row.seconds, 3),
        **row.findings,
    }


def _chain(text: str) -> UUID:
    try:
        return PLATFORM if text == "platform" else UUID(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is neither an organization's id nor `platform`.") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        head = json.loads(path.read_text())
        UUID(head["chain"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandError(f"{path} is no signed head: {error}") from error
    return dict(head)
