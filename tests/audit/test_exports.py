"""Exports: what is in them, that table programs run none of it, that they are noted, and that no secret leaves."""

import csv
import io
import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polib
import pytest
from django.test import override_settings
from django.utils.translation import override

from apps.audit import services
from apps.audit.models import AuditEvent
from apps.audit.selectors import EventFilter, Scope, readable
from apps.audit.services.exporting import Format
from apps.core.errors import Forbidden, NotFound
from apps.core.outbox.services import deliver_waiting
from apps.core.tables import harmless
from apps.core.testing import Cast
from apps.projects import services as projects
from tests.audit.chains import chain_of

ROOT = Path(__file__).resolve().parents[2]


def content_of(answer: Any) -> bytes:
    return b"".join(answer)


def table(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def renamed(cast: Cast, name: str) -> None:
    projects.project_change(actor=cast.owner.actor, project=cast.sample("project"), name=name)


def test_a_table_begins_with_the_mark_that_table_programs_know_and_holds_every_event(cast: Cast) -> None:
    renamed(cast, '볼트, "große"\nReihe')
    answer = cast.admin.rest.get("/audit-logs/organization/export?as=csv")
    content = content_of(answer)
    assert content.startswith(b"\xef\xbb\xbftime,action,")
    assert answer["Content-Disposition"].startswith("attachment") and ".csv" in answer["Content-Disposition"]
    assert answer["Cache-Control"] == "private, no-store"
    rows = table(content)
    assert [row["id"] for row in rows] == [
        str(pk)
        for pk in AuditEvent.objects.filter(organization_id=cast.admin.organization_id)
        .order_by("seal__seq")
        .values_list("pk", flat=True)
    ]
    (row,) = [row for row in rows if row["action"] == "project.changed"]
    assert json.loads(row["after"]) == {"name": '볼트, "große"\nReihe'}
    assert (row["actor_email"], row["actor_role"]) == (cast.owner.user.email, "engineer_i")
    assert row["hash"] and int(row["seal"]) >= 1


FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "＝1",
    '=HYPERLINK("http://x","y")',
    "=cmd|' /C calc'!A0",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_begins_a_formula(cast: Cast, text: str) -> None:
    assert harmless(text) == f"'{text}"
    actor = cast.owner.actor
    cast.owner.user.name = text.strip()
    cast.owner.user.save(update_fields=["name"])
    renamed(cast, f"{text.strip()} name")
    rows = table(content_of(cast.admin.rest.get("/audit-logs/organization/export?as=csv")))
    cells = [cell for row in rows for cell in row.values()]
    assert f"'{text.strip()} name" in cells
    assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@", "＝", "\t", "\r"))]
    assert actor


@pytest.mark.parametrize("text", ["", "plain", "a=b", "5", "2026-01-01", "'quoted", "1-2"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert harmless(text) == text


def test_an_export_is_an_event_that_says_what_was_exported(cast: Cast) -> None:
    renamed(cast, "Another")
    cast.admin.rest.get("/audit-logs/organization/export?as=csv&action=project.changed&q=another")
    cast.viewer.rest.get("/audit-logs/me/export")
    cast.viewer.rest.get(f"/audit-logs/entity/projects.project/{cast.sample('project').pk}/export")
    found = readable(AuditEvent.objects.filter(action="audit.exported").order_by("id"))
    assert [row.params["scope"] for row in found] == ["organization", "me", "entity"]
    assert found[0].params == {
        "format": "csv",
        "scope": "organization",
        "filter": {"action": "project.changed", "text": "another"},
    }
    assert {row.event.organization_id for row in found} == {cast.admin.organization_id}
    assert found[2].about[0]["id"] == str(cast.sample("project").pk)
    assert found[0].sentence == f"{cast.admin.user.name} exported events of the audit log."


def test_what_one_may_not_read_one_cannot_export_and_nothing_is_noted(cast: Cast) -> None:
    before = AuditEvent.objects.count()
    for path, status in (
        ("/audit-logs/organization/export", 403),
        (f"/audit-logs/project/{cast.sample('project').pk}/export", 403),
        (f"/audit-logs/entity/projects.project/{cast.sample('trashed-project').pk}/export", 404),
        ("/audit-logs/me/export?as=xlsx", 400),
        ("/audit-logs/me/export?after=soon", 400),
    ):
        tokens = AuditEvent.objects.filter(action="account.token_issued").count()
        assert cast.viewer.rest.get(path).status_code == status, path
        before += AuditEvent.objects.filter(action="account.token_issued").count() - tokens
    assert AuditEvent.objects.count() == before
    asked = {"filter": EventFilter(), "format": Format.CSV}
    foreign = Scope("project", project_id=cast.sample("project").pk, organization_id=cast.admin.organization_id)
    with pytest.raises(NotFound):
        services.export_begin(actor=cast.stranger.actor, scope=foreign, **asked)
    with pytest.raises(Forbidden):
        services.export_begin(actor=cast.viewer.actor, scope=foreign, **asked)
    whole = Scope("organization", organization_id=cast.admin.organization_id)
    with pytest.raises(NotFound):
        services.export_begin(actor=cast.stranger.actor, scope=whole, **asked)
    with pytest.raises(Forbidden):
        services.export_begin(actor=cast.viewer.actor, scope=whole, **asked)


def test_filters_of_the_list_are_those_of_the_export(cast: Cast) -> None:
    renamed(cast, "Another")
    projects.project_trash(actor=cast.owner.actor, project=cast.sample("project"))
    rows = table(content_of(cast.admin.rest.get("/audit-logs/organization/export?as=csv&action=project.trashed")))
    assert [row["action"] for row in rows] == ["project.trashed"]
    page = cast.admin.portal.get("/audit/organization/export/?as=csv&q=another&since=2020-01-01")
    assert [row["action"] for row in table(content_of(page))] == ["project.changed", "project.trashed"]


@pytest.fixture
def korean(tmp_path: Path) -> Iterator[None]:
    """The catalogue of now, compiled."""
    target = tmp_path / "ko" / "LC_MESSAGES" / "django.mo"
    target.parent.mkdir(parents=True)
    polib.pofile(str(ROOT / "locale" / "ko" / "LC_MESSAGES" / "django.po")).save_as_mofile(str(target))
    with override_settings(LOCALE_PATHS=[tmp_path]):
        yield


def test_an_export_speaks_the_language_of_who_asked_for_it(cast: Cast, korean: None) -> None:
    renamed(cast, "Another")
    cast.admin.portal.cookies["django_language"] = "ko"
    rows = table(content_of(cast.admin.portal.get("/audit/organization/export/?as=csv&action=project.changed")))
    assert rows[0]["sentence"] == f"{cast.owner.user.name} 님이 Another 프로젝트를 변경했습니다."
    rows = table(content_of(cast.admin.rest.get("/audit-logs/organization/export?as=csv&action=project.changed")))
    assert rows[0]["sentence"] == f"{cast.owner.user.name} changed the project Another."


def test_lines_hold_what_the_list_shows_and_what_was_sealed(cast: Cast) -> None:
    renamed(cast, "Another")
    lines = content_of(cast.admin.rest.get("/audit-logs/organization/export")).splitlines()
    first, *events, end = map(json.loads, lines)
    assert (first["whole"], first["chain"]) == (True, str(cast.admin.organization_id))
    assert (end["kind"], end["events"]) == ("modelyard.audit.export.end", len(events))
    (event,) = [event for event in events if event["action"] == "project.changed"]
    assert event["after"] == {"name": "Another"}
    assert event["sealed"]["after"].keys() == {"subject", "document"}
    assert event["seal"]["seq"] >= 1
    assert [event["seal"]["seq"] for event in events] == list(range(1, len(events) + 1))


def test_memory_does_not_grow_with_the_log(cast: Cast) -> None:
    """Ten thousand events are some forty megabytes of JSON; they leave in pieces of five hundred."""
    chain = chain_of(cast.sample("organization").pk, 10_000)
    scope = Scope("organization", organization_id=chain)
    export = services.export_begin(actor=cast.admin.actor, scope=scope, filter=EventFilter(), format=Format.JSONL)
    lines = services.export_lines(export)
    next(lines), next(lines)
    before, largest, size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0, 0
    for piece in lines:
        largest, size = max(largest, len(piece)), size + len(piece)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert size > 10_000_000
    assert largest < size / 10
    assert grown < 20


@pytest.mark.security
def test_no_secret_that_was_typed_or_issued_is_in_any_export(cast: Cast) -> None:
    """Canaries go in by every door that takes a secret; tokens that came out are canaries too."""
    password = "Canary-passphrase-4711"
    client = cast.anonymous.rest
    cast.owner.user.set_password(password)
    cast.owner.user.save(update_fields=["password"])
    issued = client.post("/auth/token", {"email": cast.owner.user.email, "password": password}).json()
    renewed = client.post("/auth/token/refresh", {"refresh": issued.get("refresh", "x")}).json()
    client.post("/auth/token", {"email": cast.owner.user.email, "password": "Canary-wrong-1"})
    client.post("/auth/sign-up", {"email": "new@example.com", "password": "Canary-sign-up-22", "company": "Fresh"})
    deliver_waiting()
    cast.anonymous.portal.post("/account/login/", {"login": "Canary-typed-as-login", "password": "Canary-wrong-2"})
    cast.owner.portal.post(
        "/account/password/change/",
        {"oldpassword": password, "password1": "Canary-fresh-passphrase-9", "password2": "Canary-fresh-passphrase-9"},
    )
    cast.admin.rest.post("/ws-tickets")
    services.seal()
    secrets = ["Canary", *filter(None, [issued.get("access"), issued.get("refresh"), renewed.get("access")])]
    secrets += [cast.admin.token, cast.owner.portal.session.session_key or "Canary"]
    assert len(secrets) >= 3
    texts = []
    for form in Format:
        texts.append(content_of(cast.admin.rest.get(f"/audit-logs/organization/export?as={form}")))
        texts.append(content_of(cast.platform.portal.get(f"/audit/organization/export/?as={form}")))
        texts.append(content_of(cast.owner.portal.get(f"/audit/export/?as={form}")))
    assert any(b"account.sign_in_failed" in text for text in texts)
    for text in texts:
        assert not [secret for secret in secrets if secret.encode() in text]


def test_the_verifier_can_be_downloaded_from_the_page_and_over_rest(cast: Cast) -> None:
    for answer in (cast.viewer.portal.get("/audit/verifier/"), cast.viewer.rest.get("/audit-logs/verifier")):
        assert answer.status_code == 200
        assert answer["Content-Type"] == "text/x-python"
        compile(answer.content, "verify_audit_export.py", "exec")


def test_a_failed_sign_in_says_from_where_and_names_nobody(cast: Cast) -> None:
    cast.anonymous.portal.post(
        "/account/login/",
        {"login": cast.owner.user.email, "password": "wrong"},
        headers={"User-Agent": "Burglar/1.0"},
    )
    (row,) = readable(AuditEvent.objects.filter(action="account.sign_in_failed"))
    assert (row.ip, row.client, row.actor_email) == ("127.0.0.1", "Burglar/1.0", "")
    assert row.event.actor_kind == "anonymous"


@override_settings(ALLOWED_HOSTS=["*"])
def test_a_download_of_weights_is_noted_and_a_browser_that_has_them_is_not(cast: Cast) -> None:
    checkpoint = cast.sample("tried-checkpoint")
    path = f"/training-jobs/{checkpoint.job_id}/checkpoints/{checkpoint.pk}/content"
    first = cast.owner.rest.get(path, headers={"Accept-Language": "ko"})
    assert first.status_code == 200
    event = AuditEvent.objects.get(action="training.checkpoint_downloaded")
    assert (event.actor_id, event.project_id) == (cast.owner.user.pk, checkpoint.job.project_id)
    with override("en"):
        (row,) = readable([event])
    assert row.params["sha256"] == checkpoint.sha256
    assert row.about[0]["id"] == str(checkpoint.job_id)
    assert f"the checkpoint Best · {checkpoint.name}." in row.sentence
    assert cast.owner.rest.get(path, headers={"If-None-Match": first["ETag"]}).status_code == 304
    assert cast.owner.rest.head(path).status_code == 200
    assert cast.stranger.rest.get(path).status_code == 404
    assert AuditEvent.objects.filter(action="training.checkpoint_downloaded").count() == 1
