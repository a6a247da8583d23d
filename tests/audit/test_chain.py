"""The chain against those who own the database: what they could do is found, by the portal and by whoever has an export."""

import base64
import importlib.util
import io
import json
import random
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from apps.audit import services
from apps.audit.documents import canonical, content_of, seal_hash, sealed_rows, sealed_text
from apps.audit.models import AuditEvent, AuditHead, AuditWaiting
from apps.audit.selectors import EventFilter, Scope
from apps.audit.services.exporting import Format
from apps.audit.services.heads import head_key, send
from apps.audit.signing import is_signed, public_key, signed
from apps.audit.verification import chains, statement_of, unguarded, verify
from apps.core.outbox.models import OutboxMessage
from apps.core.outbox.services import deliver_waiting
from apps.core.storage import storage
from apps.core.testing import Cast
from apps.organizations.services import organization_change
from tests.audit.chains import TAMPERINGS, chain_of, database_rights, execute, truncate
from tests.conftest import TRUNCATE_TRIGGERS
from tests.security.report import FULL, PROOFS

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "verify_audit_export.py"
ROWS = 100_000 if FULL else 150
TRIALS = 100 if FULL else 35
AUDIT = pytest.mark.security(PROOFS, f"audit log, tamperings of a chain of {ROWS:,} rows")


def verifier() -> Any:
    """The one-file verifier as a module."""
    spec = importlib.util.spec_from_file_location("verify_audit_export", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def chain(cast: Cast) -> UUID:
    return chain_of(cast.sample("organization").pk, 40)


def kept(chain: UUID) -> dict[str, Any]:
    """A signed head that somebody keeps elsewhere."""
    head = services.head_sign(chain=chain, always=True)
    assert head is not None
    return statement_of(head)


# --- Tampering


@AUDIT
def test_random_tamperings_of_the_database_are_found_and_told_apart(cast: Cast, record_property: Any) -> None:
    """Nothing of the portal's own is trusted but the head that was kept elsewhere: heads in the database go first."""
    chain = chain_of(cast.sample("organization").pk, ROWS)
    head, dice, found = kept(chain), random.Random(20261121), Counter[str]()
    assert verify(chain, [head]).is_sound
    for trial in range(TRIALS):
        tampering = TAMPERINGS[trial % len(TAMPERINGS)]
        with database_rights():
            execute("DELETE FROM audit_audithead")
            what = tampering(chain, ROWS, dice)
            told = verify(chain, [head])
        answers = (told.is_intact, told.is_complete)
        assert answers == (True, False) if tampering is truncate else not told.is_intact, what
        found["completeness" if told.is_intact else "integrity"] += 1
    assert verify(chain, [head]).is_sound, "each was undone"
    assert found.total() == TRIALS
    record_property("tried", TRIALS)
    record_property("found", told_of(found))


def told_of(found: Counter[str]) -> str:
    return f"{found.total()} found: {found['integrity']} as integrity, {found['completeness']} as completeness"


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda found: found.__name__)
def test_integrity_and_completeness_are_told_apart(tampering: Any, chain: UUID) -> None:
    head = kept(chain)
    with database_rights():
        execute("DELETE FROM audit_audithead")
        tampering(chain, 40, random.Random(7))
        found, without = verify(chain, [head]), verify(chain)
    if tampering.__name__ == "truncate":
        assert (found.is_intact, found.is_complete) == (True, False)
        assert found.missing_heads == [40]
    else:
        assert not found.is_intact
    # What no bare chain can show, only a head that was kept elsewhere does.
    assert without.is_sound == (tampering.__name__ in {"truncate", "rebuild"})


def test_heads_in_the_object_store_find_what_was_cut_off_from_the_database(chain: UUID) -> None:
    head = kept(chain)
    send(head)
    with database_rights():
        execute("DELETE FROM audit_audithead")
        truncate(chain, 40, random.Random(1))
        assert verify(chain).missing_heads == [40]
    storage().put(head_key(head), io.BytesIO(json.dumps({**head, "seq": 39}).encode()))
    assert verify(chain).forged_heads == [39]
    storage().delete(head_key(head))


def test_an_event_that_lost_its_seal_and_its_place_in_the_list_is_reported(chain: UUID) -> None:
    with database_rights():
        execute("DELETE FROM audit_auditseal WHERE chain = %s AND seq = 40", chain)
        found = verify(chain)
    assert (found.unsealed, found.forgotten, found.is_complete) == (1, 1, False)


def test_events_that_wait_for_the_sealer_are_no_sign_of_anything(cast: Cast, chain: UUID) -> None:
    organization_change(actor=cast.admin.actor, organization=cast.sample("organization"), division="Research")
    found = verify(chain)
    assert (found.unsealed, found.forgotten, found.is_sound) == (1, 0, True)


def test_every_event_waits_however_it_was_written_and_waits_no_more_once_sealed(cast: Cast, chain: UUID) -> None:
    assert not AuditWaiting.objects.exists()
    event = AuditEvent.objects.filter(organization_id=chain).first()
    assert event is not None
    names = ", ".join(field.column for field in AuditEvent._meta.local_concrete_fields if field.name != "id")
    execute(
        f"INSERT INTO audit_auditevent (id, {names}) SELECT gen_random_uuid(), {names} FROM audit_auditevent "
        "WHERE id = %s",
        event.pk,
    )
    assert AuditWaiting.objects.filter(chain=chain).count() == 1
    assert services.seal() == 1
    assert not AuditWaiting.objects.exists()


def test_a_trigger_that_is_switched_off_is_reported(request: pytest.FixtureRequest, chain: UUID) -> None:
    """The triggers that the test run drops (tests/conftest.py) are put back first."""
    with database_rights():
        assert len(unguarded()) == 7
    for definition in request.config.stash[TRUNCATE_TRIGGERS]:
        execute("SET CONSTRAINTS ALL IMMEDIATE")
        execute(definition)
    assert unguarded() == []
    execute("ALTER TABLE audit_auditevent DISABLE TRIGGER audit_event_append_only")
    assert unguarded() == ["audit_event_append_only"]


STRINGS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3),
    max_leaves=6,
)
ENCLOSED = st.builds(
    lambda subject, document: {"subject": str(subject), "document": document},
    st.uuids(),
    STRINGS | st.just("YWJj+/=="),
)


@given(
    documents=st.lists(VALUES | ENCLOSED, min_size=5, max_size=5),
    about=st.lists(ENCLOSED, max_size=2),
    terms=st.lists(STRINGS, max_size=3),
    strings=st.lists(STRINGS, min_size=7, max_size=7),
    ids=st.lists(st.none() | st.uuids(), min_size=4, max_size=4),
    moment=st.datetimes(timezones=st.just(UTC)),
)
def test_the_fast_text_of_an_event_is_the_canonical_one(
    documents: list[Any], about: list[Any], terms: list[str], strings: list[str], ids: list[Any], moment: datetime
) -> None:
    """JSON as PostgreSQL writes it: keys by length, then by letters; a space behind each colon and comma."""

    def written(value: Any) -> str:
        if isinstance(value, dict):
            keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
            return (
                "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {written(value[key])}" for key in keys) + "}"
            )
        if isinstance(value, list):
            return "[" + ", ".join(map(written, value)) + "]"
        return json.dumps(value, ensure_ascii=False)

    own = str(UUID(int=1))
    row = [own, *(str(found) if found else None for found in ids), *strings, moment, *map(written, documents)]
    row += [written(about), terms]
    assert sealed_text(row, 7, "f" * 64) == canonical(["f" * 64, 7, content_of(row)])


def test_the_database_and_python_agree_on_the_text_of_an_event(cast: Cast) -> None:
    """What the sealer hashed and what a verification hashes, over rows of real operations."""
    organization_change(
        actor=cast.admin.actor, organization=cast.sample("organization"), division='Ver"sion \\ 두 번째'
    )
    cast.anonymous.portal.post("/account/login/", {"login": "nobody@example.com", "password": "wrong"})
    services.seal()
    assert {services.PLATFORM, cast.sample("organization").pk} <= set(chains())
    for chain in chains():
        with transaction.atomic():
            rows = list(sealed_rows(chain))
        assert rows
        for seq, previous, digest, event in rows:
            assert event is not None
            assert canonical([previous, seq, content_of(event)]) == sealed_text(event, seq, previous)
            assert seal_hash(content_of(event), seq, previous) == digest


# --- Heads


def test_a_head_is_signed_once_a_day_where_the_chain_has_grown_and_always_on_export(chain: UUID) -> None:
    assert services.heads_daily() >= 1
    assert AuditHead.objects.filter(chain=chain).count() == 1
    assert services.head_sign(chain=chain) is None
    assert services.head_sign(chain=chain, always=True) is not None
    assert services.head_sign(chain=UUID(int=5)) is None, "an empty chain has no head"


def test_a_head_leaves_through_the_outbox_and_bears_a_signature_that_anybody_can_check(chain: UUID) -> None:
    services.head_sign(chain=chain)
    message = OutboxMessage.objects.get(topic="audit.head")
    while deliver_waiting():
        pass
    message.refresh_from_db()
    assert message.delivered_at is not None
    found = json.loads(storage().read(head_key(message.payload)))
    assert found == message.payload == statement_of(AuditHead.objects.get(chain=chain))
    assert verifier().is_signed(found)
    for name, value in (("seq", 41), ("hash", "0" * 64), ("time", "2026-01-01"), ("chain", str(UUID(int=1)))):
        assert not verifier().is_signed({**found, name: value})
    storage().delete(head_key(found))


def test_the_key_comes_from_the_secret_and_another_secret_signs_as_somebody_else(settings: Any, chain: UUID) -> None:
    head, before = kept(chain), public_key()
    settings.AUDIT_SIGNING_KEY = "another"
    assert public_key() != before
    assert is_signed(head, before) and not is_signed(head, public_key())
    assert verify(chain, [head]).forged_heads


# --- The command


def run(*arguments: str) -> tuple[int, str]:
    told = io.StringIO()
    try:
        call_command("audit_verify", *arguments, stdout=told, no_color=True)
    except SystemExit as end:
        return int(str(end.code)), told.getvalue()
    return 0, told.getvalue()


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test run has dropped the triggers against TRUNCATE; the command would rightly say so."""
    monkeypatch.setattr("apps.audit.management.commands.audit_verify.unguarded", list)


def test_the_command_verifies_every_chain_and_says_how_fast(cast: Cast, chain: UUID, guarded: None) -> None:
    cast.anonymous.portal.post("/account/login/", {"login": "nobody@example.com", "password": "wrong"})
    services.seal()
    status, text = run()
    assert status == 0
    assert f"{cast.sample('organization')}: 40 events" in text
    assert "the platform: 1 events" in text
    assert "a second" in text and public_key() in text
    assert set(chains()) == {services.PLATFORM, chain}


def test_the_command_fails_for_a_chain_that_is_not_what_it_was(
    cast: Cast, chain: UUID, guarded: None, tmp_path: Path
) -> None:
    file = tmp_path / "head.json"
    file.write_text(json.dumps(kept(chain)))
    assert run("--chain", str(chain), "--head", str(file))[0] == 0
    with database_rights():
        execute("DELETE FROM audit_audithead")
        truncate(chain, 40, random.Random(3))
        status, text = run("--json", "--head", str(file))
        assert run("--chain", str(chain))[0] == 0, "without the head nothing is seen"
    found = json.loads(text)["chains"]
    assert status == 1
    assert [row["missing_heads"] for row in found if row["chain"] == str(chain)] == [[40]]


def test_the_command_says_what_it_cannot_read(tmp_path: Path, db: None) -> None:
    file = tmp_path / "head.json"
    for content in ("", "[]", "{}", '{"chain": 5}', '{"chain": "x"}'):
        file.write_text(content)
        with pytest.raises(CommandError):
            call_command("audit_verify", "--head", str(file))
    with pytest.raises(CommandError):
        call_command("audit_verify", "--chain", "everything")


# --- The verifier that needs no portal


def test_its_signature_check_agrees_with_the_librarys() -> None:
    check = verifier().ed25519_verify
    dice = random.Random(1)
    for _number in range(12):
        key, message = Ed25519PrivateKey.generate(), dice.randbytes(dice.randint(0, 200))
        public, signature = key.public_key().public_bytes_raw(), key.sign(message)
        assert check(public, message, signature)
        assert not check(public, message + b"x", signature)
        for place in (0, 31, 32, 63):
            broken = bytearray(signature)
            broken[place] ^= 1
            assert not check(public, message, bytes(broken))
        assert not check(Ed25519PrivateKey.generate().public_key().public_bytes_raw(), message, signature)
        larger = int.from_bytes(signature[32:], "little") + verifier().L
        assert not check(public, message, signature[:32] + larger.to_bytes(32, "little")), "a second form of the same"
    # RFC 8032, 7.1, test 2.
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert check(public, b"\x72", signature)
    assert not check(b"", b"\x72", signature) and not check(public, b"\x72", b"")


def export_of(cast: Cast, chain: UUID) -> list[bytes]:
    """The lines of a whole chain, exported by its administrator."""
    scope = Scope("organization", organization_id=chain)
    export = services.export_begin(actor=cast.admin.actor, scope=scope, filter=EventFilter(), format=Format.JSONL)
    assert export.is_whole
    return b"".join(services.export_lines(export)).splitlines(keepends=True)


@pytest.fixture
def exported(cast: Cast, chain: UUID) -> list[bytes]:
    return export_of(cast, chain)


def test_an_untouched_export_is_sound_and_holds_the_note_of_itself(chain: UUID, exported: list[bytes]) -> None:
    report, first, found = verifier().verify(exported, [json.loads(exported[0])["head"]], [public_key()])
    assert report.sound and not report.notes
    assert found.events == 41 == first["head"]["seq"]
    assert json.loads(exported[-2])["action"] == "audit.exported"


def edited(lines: list[bytes], place: int, other: int, dice: random.Random) -> None:
    event = json.loads(lines[place])
    part = dice.choice(["sealed", "sealed", "shown"])
    name = dice.choice(["action", "actor_id", "time", "via", "entity_id"])
    (event["sealed"] if part == "sealed" else event)[name] = "another"
    lines[place] = json.dumps(event).encode() + b"\n"


def deleted(lines: list[bytes], place: int, other: int, dice: random.Random) -> None:
    del lines[place]


def inserted(lines: list[bytes], place: int, other: int, dice: random.Random) -> None:
    lines.insert(place, lines[other])


def reordered(lines: list[bytes], place: int, other: int, dice: random.Random) -> None:
    lines.insert(other, lines.pop(place))


def swapped(lines: list[bytes], place: int, other: int, dice: random.Random) -> None:
    lines[place], lines[other] = lines[other], lines[place]


def cut(lines: list[bytes], place: int, other: int, dice: random.Random) -> None:
    del lines[place:-1]


#: What was done to an export, and which of the two answers says so: what is there is wrong, or something is missing.
EXPORT_TAMPERINGS = {
    edited: "integrity",
    deleted: "completeness",
    inserted: "integrity",
    reordered: "integrity",
    swapped: "integrity",
    cut: "completeness",
}


@AUDIT
def test_random_tamperings_of_an_export_are_found_without_its_own_signature_and_told_apart(
    cast: Cast, record_property: Any
) -> None:
    """The last line, which is signed over the file, would find each alone; the chain has to find each as well."""
    chain = chain_of(cast.sample("organization").pk, ROWS)
    earlier, lines = kept(chain), export_of(cast, chain)
    module, dice, found = verifier(), random.Random(11), Counter[str]()
    assert module.verify(lines, [earlier], [public_key()])[0].sound
    for trial, (tampering, answer) in zip(range(TRIALS), cycle(EXPORT_TAMPERINGS.items()), strict=False):
        changed = list(lines)
        # Not the last event, the note of the export itself, which is younger than the earlier head.
        tampering(changed, *dice.sample(range(1, len(lines) - 2), 2), dice)
        report, _first, _chain = module.verify(changed, [earlier], [public_key()])
        assert report.file, (trial, tampering)
        assert getattr(report, answer), (trial, tampering)
        assert answer == "integrity" or not report.integrity, "what is missing is no matter of integrity"
        found[answer] += 1
    record_property("tried", TRIALS)
    record_property("found", told_of(found))


def test_an_export_made_anew_with_another_key_is_found_by_who_knows_the_key(exported: list[bytes]) -> None:
    module = verifier()
    key = Ed25519PrivateKey.generate()

    def by_another(statement: dict[str, Any]) -> dict[str, Any]:
        rest = {name: value for name, value in statement.items() if name != "signature"}
        rest["public_key"] = base64.b64encode(key.public_key().public_bytes_raw()).decode()
        return {**rest, "signature": base64.b64encode(key.sign(module.canonical(rest).encode())).decode()}

    first, end = json.loads(exported[0]), json.loads(exported[-1])
    first["head"] = by_another(first["head"])
    lines = [module.canonical(first).encode() + b"\n", *exported[1:-1]]
    digest = module.hashlib.sha256(b"".join(lines)).hexdigest()
    lines.append(module.canonical(by_another({**end, "sha256": digest})).encode() + b"\n")
    report, _first, _chain = module.verify(lines, [], [public_key()])
    assert report.file and report.completeness
    assert module.verify(lines)[0].notes, "without a key of one's own the verifier says whose it was"


def test_an_earlier_head_finds_a_shorter_log_that_was_sealed_and_signed_anew(cast: Cast, chain: UUID) -> None:
    """The portal itself, in wrong hands, exports a log from which the end was cut: only a head kept elsewhere tells."""
    earlier = kept(chain)
    with database_rights():
        execute("DELETE FROM audit_audithead")
        truncate(chain, 40, random.Random(5))
        scope = Scope("organization", organization_id=chain)
        export = services.export_begin(actor=cast.admin.actor, scope=scope, filter=EventFilter(), format=Format.JSONL)
        lines = b"".join(services.export_lines(export)).splitlines(keepends=True)
    assert verifier().verify(lines, [], [public_key()])[0].sound
    report, _first, _chain = verifier().verify(lines, [earlier])
    assert not report.file and not report.integrity and report.completeness


def test_a_filtered_export_is_checked_event_by_event(cast: Cast, chain: UUID) -> None:
    export = services.export_begin(
        actor=cast.admin.actor,
        scope=Scope("organization", organization_id=chain),
        filter=EventFilter(action="project.changed", since=AuditEvent.objects.order_by("time")[20].time),
        format=Format.JSONL,
    )
    assert not export.is_whole
    lines = b"".join(services.export_lines(export)).splitlines(keepends=True)
    report, _first, found = verifier().verify(lines, [], [public_key()])
    assert report.sound and found.events == 20
    assert "a part of a log" in report.notes[0]
    changed = json.loads(lines[3])
    changed["sealed"]["via"] = "token"
    lines[3] = json.dumps(changed).encode() + b"\n"
    assert verifier().verify(lines)[0].integrity


@pytest.mark.parametrize(("change", "status"), [("", 0), ("cut", 1), ("nonsense", 2), ("empty", 2)])
def test_the_verifier_runs_by_itself(exported: list[bytes], tmp_path: Path, change: str, status: int) -> None:
    """With nothing of the portal on its path, and no library."""
    file, head = tmp_path / "audit.jsonl", tmp_path / "head.json"
    content = {"": exported, "cut": exported[:-3], "nonsense": [b"\x00\xff"], "empty": []}[change]
    file.write_bytes(b"".join(content))
    head.write_text(json.dumps(json.loads(exported[0])["head"]))
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(file), "--head", str(head)]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if status == 1:
        assert "FAILED file" in done.stdout and "FAILED completeness" in done.stdout


def test_a_signature_is_over_everything_in_a_statement() -> None:
    statement = signed({"kind": "test", "value": "가"})
    assert is_signed(statement, public_key())
    assert not is_signed({**statement, "more": 1}, public_key())
    assert not is_signed({**statement, "signature": "%"}, public_key())
    assert not is_signed({"kind": "test"}, public_key())
