#!/usr/bin/env python3
"""Checks an export of a Modelyard audit log (JSON Lines) without the portal. Needs Python 3.9 or later, nothing else.

    python verify_audit_export.py audit.jsonl --head head.json --key <public key>

Three answers, told apart:
- file          the file is as the portal made it: its last line is signed over everything before it
- integrity     each event is what was sealed, its number and its predecessor too
- completeness  nothing is missing: a whole log goes from 1 to its signed head without a gap, and reaches every head
                that was signed earlier and kept elsewhere (--head, more than once)

Exit status: 0 everything fits, 1 something does not, 2 the file cannot be read as an export. The key that signed comes
with the export; only a key that you have from elsewhere (--key, or that of an earlier head) shows that it is the
portal's. Names and values of people who were erased stay ciphertext; their events are checked all the same.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

GENESIS = "0" * 64
KIND = "modelyard.audit.export"
HEAD = "modelyard.audit.head"
NAMED = 20
# Members of a line that repeat what is sealed, by the name that the seal has for them.
REPEATED = {
    "id": "id",
    "part_of": "parent_id",
    "time": "time",
    "action": "action",
    "actor_id": "actor_id",
    "actor_kind": "actor_kind",
    "actor_role": "actor_role",
    "via": "via",
    "request_id": "request_id",
    "organization_id": "organization_id",
    "project_id": "project_id",
    "entity_type": "entity_type",
    "entity_id": "entity_id",
}


# --- Ed25519 (RFC 8032), verification only

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]


def _add(a: Point, b: Point) -> Point:
    x = (a[1] - a[0]) * (b[1] - b[0]) % P
    y = (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = y - x, d - c, d + c, y + x
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(scalar: int, point: Point) -> Point:
    found = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            found = _add(found, point)
        point, scalar = _add(point, point), scalar >> 1
    return found


def _same(a: Point, b: Point) -> bool:
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def _point(text: bytes) -> Point | None:
    """The point of 32 bytes; None for bytes that are none."""
    number = int.from_bytes(text, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE: Any = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519_verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether 64 bytes of `signature` are the key's over the message."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    key, first = _point(public_key), _point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or first is None or scalar >= L:
        return False
    digest = hashlib.sha512(signature[:32] + public_key + message).digest()
    challenge = int.from_bytes(digest, "little") % L
    return _same(_times(scalar, BASE), _add(first, _times(challenge, key)))


# --- The log


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def is_signed(statement: dict[str, Any]) -> bool:
    """Whether a statement bears a signature of the key that it names over everything else in it."""
    rest = {name: value for name, value in statement.items() if name != "signature"}
    try:
        key, signature = base64.b64decode(rest["public_key"]), base64.b64decode(statement["signature"])
    except (KeyError, TypeError, ValueError):
        return False
    return ed25519_verify(key, canonical(rest).encode(), signature)


def seal_hash(sealed: Any, seq: int, previous: str) -> str:
    return hashlib.sha256(canonical([previous, seq, sealed]).encode()).hexdigest()


class NoExport(Exception):
    """The file is not what it should be."""


class Report:
    """What was found, by answer."""

    def __init__(self) -> None:
        self.file: list[str] = []
        self.integrity: list[str] = []
        self.completeness: list[str] = []
        self.notes: list[str] = []

    @property
    def sound(self) -> bool:
        return not (self.file or self.integrity or self.completeness)


def verify(
    lines: Iterable[bytes], heads: Sequence[dict[str, Any]] = (), keys: Sequence[str] = ()
) -> tuple[Report, dict[str, Any], Chain]:
    """Reads an export, an iterable of lines as bytes. `heads` are earlier heads, `keys` public keys that are trusted."""
    report, digest, chain = Report(), hashlib.sha256(), Chain()
    first: dict[str, Any] | None = None
    end: dict[str, Any] | None = None
    for number, line in enumerate(lines, 1):
        if end is not None:
            report.file.append(f"line {number}: something follows the end")
            break
        found = _parsed(line, number)
        if first is None:
            if found.get("kind") != KIND or found.get("version") != 1:
                raise NoExport("this is no export of version 1")
            first = found
        elif found.get("kind") == f"{KIND}.end":
            end = found
            continue
        else:
            chain.take(found, number, report)
        digest.update(line)
    if first is None:
        raise NoExport("the file is empty")
    trusted: set[Any] = {*keys, *(head.get("public_key") for head in heads)}
    _check_file(report, end, digest.hexdigest(), chain.events, trusted)
    _check_complete(report, first, chain, heads, trusted)
    return report, first, chain


def _parsed(line: bytes | str, number: int) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise NoExport(f"line {number} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise NoExport(f"line {number} is no object")
    return found


class Chain:
    """The events as they come: each checked by itself, and against the one before it where that is there."""

    def __init__(self) -> None:
        self.events = self.unsealed = self.withheld = self.first = self.last = self.gaps = 0
        self.hash = GENESIS
        self.hashes: dict[int, str] = {}
        self.organizations: set[Any] = set()

    def take(self, found: dict[str, Any], number: int, report: Report) -> None:
        self.events += 1
        sealed, seal = found.get("sealed"), found.get("seal")
        if sealed is None and _text(found.get("about_more")) not in {"", "0"}:
            self.withheld += 1
            return
        if not isinstance(sealed, dict):
            report.integrity.append(f"line {number}: without the event as it was sealed")
            return
        for shown, name in REPEATED.items():
            if _text(found.get(shown)) != _text(sealed.get(name)):
                report.integrity.append(f"line {number}: {shown} is not what was sealed")
        if seal is None:
            self.unsealed += 1
            return
        try:
            seq, previous, digest = int(seal["seq"]), str(seal["previous_hash"]), str(seal["hash"])
        except (KeyError, TypeError, ValueError):
            report.integrity.append(f"line {number}: the seal cannot be read")
            return
        if digest != seal_hash(sealed, seq, previous):
            report.integrity.append(f"event {seq} (line {number}) does not fit its seal")
        if seq == self.last + 1:
            if previous != self.hash:
                report.integrity.append(f"event {seq} (line {number}) does not follow event {self.last}")
        elif seq <= self.last:
            report.integrity.append(f"event {seq} (line {number}) stands after event {self.last}")
        else:
            self.gaps += 1
        self.first, self.last, self.hash = self.first or seq, seq, digest
        self.hashes[seq] = digest
        self.organizations.add(sealed.get("organization_id"))


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _check_file(report: Report, end: dict[str, Any] | None, digest: str, events: int, trusted: set[Any]) -> None:
    if end is None:
        report.file.append("the last line is missing: the file was cut off")
        return
    if end.get("sha256") != digest:
        report.file.append("the content is not what was signed")
    if end.get("events") != events:
        report.file.append(f"{end.get('events')} events were exported, {events} are here")
    if not is_signed(end):
        report.file.append("the signature is not valid")
    if trusted and end.get("public_key") not in trusted:
        report.file.append("it was signed with another key than the one that you trust")
    if not trusted:
        report.notes.append(f"the key is the export's own: {end.get('public_key')}")


def _check_complete(
    report: Report, first: dict[str, Any], chain: Chain, heads: Sequence[dict[str, Any]], trusted: set[Any]
) -> None:
    head = first.get("head")
    for earlier in heads:
        _check_earlier(report, first, chain, earlier)
    if not first.get("whole"):
        report.notes.append("a part of a log: gaps between its events are no sign of anything")
        return
    if not isinstance(head, dict) or head.get("kind") != HEAD or not is_signed(head):
        report.completeness.append("the head is missing or not signed")
        return
    if trusted and head.get("public_key") not in trusted:
        report.completeness.append("the head was signed with another key than the one that you trust")
    if head.get("chain") != first.get("chain") or chain.organizations - {first.get("chain")}:
        report.integrity.append("events or the head belong to another chain")
    if chain.first != 1 or chain.gaps or len(chain.hashes) != head.get("seq"):
        report.completeness.append(f"{len(chain.hashes)} of {head.get('seq')} events are here")
    elif chain.hash != head.get("hash"):
        report.integrity.append("the last event is not the one that the head names")


def _check_earlier(report: Report, first: dict[str, Any], chain: Chain, earlier: dict[str, Any]) -> None:
    seq = earlier.get("seq")
    if earlier.get("kind") != HEAD or not isinstance(seq, int) or not is_signed(earlier):
        report.completeness.append("an earlier head is not signed")
        return
    if earlier.get("chain") != first.get("chain"):
        report.notes.append("an earlier head is of another chain; it says nothing about this file")
        return
    if chain.hashes.get(seq) is None:
        if first.get("whole"):
            report.completeness.append(f"event {seq} existed at {earlier.get('time')} and is missing")
    elif chain.hashes[seq] != earlier.get("hash"):
        report.integrity.append(f"event {seq} is not the one that was signed at {earlier.get('time')}")


def _show(name: str, problems: list[str]) -> None:
    print(f"{'ok    ' if not problems else 'FAILED'} {name}")
    for problem in problems[:NAMED]:
        print(f"         {problem}")
    if len(problems) > NAMED:
        print(f"         and {len(problems) - NAMED} more")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", help="the file, JSON Lines")
    parser.add_argument("--head", action="append", default=[], help="a head signed earlier and kept elsewhere (JSON)")
    parser.add_argument("--key", action="append", default=[], help="public key that you trust (base64)")
    asked = parser.parse_args(arguments)
    try:
        heads = []
        for path in asked.head:
            with open(path, encoding="utf-8") as file:
                heads.append(_parsed(file.read(), 1))
        with open(asked.export, "rb") as file:
            report, first, chain = verify(file, heads, asked.key)
    except (OSError, NoExport) as error:
        print(f"This cannot be checked: {error}", file=sys.stderr)
        return 2
    print(f"{chain.events} events of {first.get('chain') or first.get('scope')}, exported at {first.get('time')}")
    _show("file: as the portal made it", report.file)
    _show("integrity: each event is what was sealed, in its place", report.integrity)
    _show("completeness: nothing is missing", report.completeness)
    if chain.unsealed:
        report.notes.append(f"{chain.unsealed} events had no seal yet")
    if chain.withheld:
        report.notes.append(
            f"{chain.withheld} events name objects hidden from the reader; their seals are not checked"
        )
    for note in report.notes:
        print(f"note   {note}")
    return 0 if report.sound else 1


if __name__ == "__main__":
    sys.exit(main())
