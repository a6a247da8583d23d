"""The export of a whole organization: what is in it, what is not, and that it is written once, and kept for a while."""

import hashlib
import io
import json
import subprocess
import sys
import threading
import tracemalloc
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db import connections
from django.utils import timezone

from apps.apikeys.models import ApiKeySecret
from apps.audit.models import AuditEvent
from apps.audit.signing import public_key
from apps.core.errors import Conflict, DomainError
from apps.core.identity import Actor, Role
from apps.core.outbox.services import deliver_waiting
from apps.core.storage import Pieces, storage
from apps.core.testing import Cast
from apps.departures import contributions as registry
from apps.departures import services
from apps.departures.bundles import Bundle, Member, json_lines
from apps.departures.contributions import Contribution, Part, contributions, register_contribution
from apps.departures.models import ExportState, OrganizationExport
from apps.departures.services import exports
from apps.organizations.models import JoinPolicy, Membership, Organization
from tests.departures.support import exported, furnished, lines
from tests.factories.departures import OrganizationExportFactory
from tests.factories.organizations import MembershipFactory, OrganizationFactory


def test_every_list_holds_the_organizations_own_and_every_line_the_documented_fields(cast: Cast) -> None:
    furnished(cast)
    _export, archive = exported(cast)
    manifest = json.loads(archive.read("manifest.json"))
    listed = {member["name"]: member for member in manifest["members"]}
    assert set(archive.namelist()) == {*listed, "manifest.json"}
    for name, member in listed.items():
        content = archive.read(name)
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (member["sha256"], member["size"])
        if "fields" in member:
            rows = lines(archive, name.removesuffix(".jsonl"))
            assert len(rows) == member["rows"] > 0, f"{name} is empty: the samples lack one"
            assert all(set(row) == set(member["fields"]) for row in rows), name
            assert all(member["fields"].values()), f"{name} does not say what every field is"
    people = {row["email"]: row for row in lines(archive, "people")}
    assert people[cast.admin.user.email]["role"] == Role.ADMIN
    assert people[cast.sample("pending-membership").user.email]["state"] == "pending"
    assert cast.sample("private-dataset").name in {row["name"] for row in lines(archive, "datasets")}
    assert {row["deleted_at"] is None for row in lines(archive, "projects")} == {True, False}
    shares = lines(archive, "shares")
    assert {bool(row["user_id"]) for row in shares} == {True, False}
    assert manifest["organization"]["id"] == str(cast.sample("organization").pk)


def test_it_says_how_people_join_and_sign_in_and_never_the_clients_secret(cast: Cast) -> None:
    organization = cast.sample("organization")
    Organization.objects.filter(pk=organization.pk).update(
        join_policy=JoinPolicy.DOMAIN, join_domains=["acme.example"], max_calls_per_minute=70
    )
    account = cast.sample("provider-account")
    connection = cast.sample("connection")
    _export, archive = exported(cast)
    (shown,) = lines(archive, "organization")
    assert (shown["join_policy"], shown["join_domains"], shown["join_role"]) == ("domain", ["acme.example"], "guest")
    assert lines(archive, "quotas")[0]["max_calls_per_minute"] == 70
    (single_sign_on,) = lines(archive, "single-sign-on")
    assert single_sign_on["short_name"] == connection.short_name
    assert single_sign_on["domains"] == [domain.name for domain in connection.domains.all()]
    (joined,) = lines(archive, "single-sign-on-accounts")
    assert (joined["user_id"], joined["subject"]) == (str(cast.member.user.pk), account.uid)
    content = b"".join(archive.read(name) for name in archive.namelist()).decode()
    assert connection.secret not in content and connection.client_secret not in content


def test_nothing_of_another_organization_and_no_secret_is_in_it(cast: Cast) -> None:
    furnished(cast)
    stranger = cast.stranger.user
    _export, archive = exported(cast)
    content = b"".join(archive.read(name) for name in archive.namelist()).decode()
    digests = list(ApiKeySecret.objects.values_list("digest", flat=True))
    assert digests, "there is a key to leak"
    for secret in (
        *digests,
        cast.admin.user.password,
        stranger.email,
        str(stranger.pk),
        str(cast.stranger.organization_id),
    ):
        assert secret not in content


def test_the_one_file_verifier_accepts_the_audit_log_of_the_export_offline(cast: Cast, tmp_path: Path) -> None:
    furnished(cast)
    _export, archive = exported(cast)
    archive.extractall(tmp_path)
    folder = tmp_path / "audit"
    command = [
        sys.executable,
        "-I",
        "verify_audit_export.py",
        "audit.jsonl",
        "--head",
        "head.json",
        "--key",
        public_key(),
    ]
    done = subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # And finds what somebody took out of it.
    text = (folder / "audit.jsonl").read_text().splitlines(keepends=True)
    (folder / "audit.jsonl").write_text("".join(text[:1] + text[2:]))
    done = subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout


def test_one_is_written_at_a_time_and_both_asking_and_downloading_are_noted(cast: Cast) -> None:
    organization = cast.sample("organization")
    path = f"/organizations/{organization.pk}/exports"
    first = cast.admin.rest.post(path)
    assert (first.status_code, first.json()["state"]) == (202, "waiting")
    second = cast.admin.rest.post(path)
    assert (second.status_code, second.json()["code"]) == (409, "export_running")
    address = f"{path}/{first.json()['id']}"
    early = cast.admin.rest.get(f"{address}/download")
    assert (early.status_code, early.json()["code"]) == (409, "export_not_ready")
    exports.export_run(OrganizationExport.objects.get().pk)
    answer = cast.admin.rest.get(f"{address}/download")
    content = answer.getvalue() if answer.streaming else answer.content
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None
    assert hashlib.sha256(content).hexdigest() == cast.admin.rest.get(address).json()["sha256"]
    assert answer["Content-Disposition"].startswith("attachment") and answer["Cache-Control"] == "private, no-store"
    noted = AuditEvent.objects.filter(organization_id=organization.pk, action__startswith="organization.export_")
    assert list(noted.order_by("id").values_list("action", flat=True)) == [
        "organization.export_requested",
        "organization.export_downloaded",
    ]
    assert cast.admin.rest.post(path).status_code == 202, "the next one may be asked for"


def test_who_asked_gets_a_mail_in_their_language(cast: Cast) -> None:
    cast.admin.user.language = "ko"
    cast.admin.user.save(update_fields=["language"])
    exported(cast)
    deliver_waiting()
    (letter,) = mail.outbox
    assert letter.to == [cast.admin.user.email]
    assert str(cast.sample("organization")) in letter.subject and "is ready" not in letter.subject
    assert "/organization/departure/" in letter.body


def test_an_export_expires_and_its_file_goes(cast: Cast) -> None:
    export = cast.sample("organization-export")
    kept = OrganizationExportFactory(organization=export.organization)
    OrganizationExport.objects.filter(pk=export.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    address = f"/organizations/{export.organization_id}/exports/{export.pk}"
    late = cast.admin.rest.get(f"{address}/download")
    assert (late.status_code, late.json()["code"]) == (409, "export_expired"), "before beat has come by too"
    assert exports.exports_sweep() == 1
    assert storage().size(export.key) is None and storage().size(kept.key) is not None
    assert cast.admin.rest.get(address).json()["state"] == "expired"
    assert cast.admin.rest.get(f"{address}/download").json()["code"] == "export_expired"
    assert exports.exports_sweep() == 0


def test_who_lost_the_right_meanwhile_gets_nothing(cast: Cast) -> None:
    MembershipFactory(organization=cast.sample("organization"), role=Role.ADMIN)
    export = services.export_request(actor=cast.admin.actor, organization=cast.sample("organization"))
    Membership.objects.filter(user=cast.admin.user).update(role=Role.MANAGER)
    exports.export_run(export.pk)
    export.refresh_from_db()
    assert (export.state, export.failure) == (ExportState.FAILED, "no_right")
    assert storage().size(export.key) is None


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A list that can be made to break off in the middle."""
    monkeypatch.setattr(registry, "_contributions", dict(registry._contributions))
    state = {"breaks": True}

    def rows(organization_id: Any) -> Any:
        yield {"no": 1}
        if state["breaks"]:
            raise OSError("the disk is full")

    register_contribution("broken", Contribution(parts=(Part("broken", {"no": "Number."}, rows),)))
    return state


def test_an_export_that_breaks_leaves_no_file_and_says_so(cast: Cast, broken: Any) -> None:
    export = services.export_request(actor=cast.admin.actor, organization=cast.sample("organization"))
    exports.export_run(export.pk)
    export.refresh_from_db()
    assert (export.state, export.failure) == (ExportState.FAILED, "broken")
    assert str(export.failure_text) and storage().size(export.key) is None
    broken["breaks"] = False
    exported(cast)


def test_a_worker_that_died_is_followed_by_another_and_a_third_attempt_is_the_last(cast: Cast) -> None:
    export = services.export_request(actor=cast.admin.actor, organization=cast.sample("organization"))
    assert exports.export_begin(pk=export.pk) is not None
    assert exports.export_begin(pk=export.pk) is None, "somebody is at it"
    assert exports.exports_waiting() == 0
    rows = OrganizationExport.objects.filter(pk=export.pk)
    rows.update(heartbeat_at=timezone.now() - exports.SILENT_AFTER * 2)
    dead = OrganizationExport.objects.get(pk=export.pk)
    assert exports.exports_waiting() == 1
    export.refresh_from_db()
    assert (export.state, export.attempt) == (ExportState.READY, 2)
    assert not exports.export_note(export=dead), "the first one learns that it counts no more"
    rows.update(state=ExportState.RUNNING, attempt=3, heartbeat_at=timezone.now() - exports.SILENT_AFTER * 2)
    exports.exports_waiting()
    export.refresh_from_db()
    assert (export.state, export.failure) == (ExportState.FAILED, "interrupted")


def test_a_bundle_of_many_lines_is_never_in_memory_as_a_whole() -> None:
    count = 60_000
    rows = ({"no": number, "text": hashlib.sha256(str(number).encode()).hexdigest() * 4} for number in range(count))
    told = []
    bundle = Bundle({"kind": "test"})

    def pieces() -> Any:
        yield from bundle.add(Member("rows.jsonl"), json_lines(rows, told.append))
        yield from bundle.close()

    stream, size = Pieces(pieces()), 0
    tracemalloc.start()
    try:
        while part := stream.read(1 << 16):
            size += len(part)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    (member, _manifest) = bundle.members
    assert sum(told) == count and member.size > 15_000_000 and size > 2_000_000
    assert peak < 4_000_000, f"{peak} bytes at once"


@pytest.mark.django_db
def test_experiments_runs_and_quick_tests_are_in_it_and_no_other_organizations(cast: Cast) -> None:
    experiment, run, quick_test = (cast.sample(name) for name in ("experiment", "run", "inference-job"))
    elsewhere = cast.stranger.actor.organization_id
    assert elsewhere is not None
    parts = {part.name: part for found in contributions() for part in found.parts}
    for name, made in (("experiments", experiment), ("runs", run), ("inference-jobs", quick_test)):
        rows = {row["id"]: row for row in parts[name].rows(experiment.organization_id)}
        assert set(rows[made.pk]) == set(parts[name].fields)
        assert made.pk not in {row["id"] for row in parts[name].rows(elsewhere)}


def test_every_app_that_keeps_something_of_an_organization_contributes() -> None:
    """A list of what has no part of its own is kept here, with why."""
    named = {part.name for found in contributions() for part in found.parts}
    assert named == {
        *("organization", "quotas", "people", "invitations", "projects", "project-members", "shares", "api-keys"),
        *(
            "datasets",
            "snapshots",
            "trainings",
            "checkpoints",
            "experiments",
            "runs",
            "inference-jobs",
            "single-sign-on",
            "single-sign-on-accounts",
        ),
    }


@pytest.mark.django_db(transaction=True)
def test_of_two_who_ask_at_once_one_gets_an_export() -> None:
    organization = OrganizationFactory()
    people = [MembershipFactory(organization=organization, role=Role.ADMIN).user for _number in range(2)]
    barrier, answers = threading.Barrier(2), []

    def ask(user: Any) -> None:
        try:
            actor = Actor.of(user)
            barrier.wait(10)
            answers.append(services.export_request(actor=actor, organization=Organization.objects.get()).state)
        except DomainError as error:
            assert isinstance(error, Conflict)
            answers.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask, args=[user]) for user in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(answers) == ["export_running", "waiting"]
    assert OrganizationExport.objects.count() == 1
