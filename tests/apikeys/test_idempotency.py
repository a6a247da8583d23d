"""Idempotency-Key: the same request twice has one effect and one answer."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections, connection, connections
from django.utils import timezone

from apps.apikeys.middleware import IdempotencyMiddleware
from apps.apikeys.models import ApiKey, IdempotentRequest
from apps.apikeys.services import idempotency
from apps.core.identity import Role
from apps.core.testing import Cast, RestClient
from apps.projects import services as project_services
from apps.projects.models import Project
from tests.factories.apikeys import key_of
from tests.factories.cast import build
from tests.factories.organizations import MembershipFactory
from tests.security.report import BAD_INPUT

pytestmark = pytest.mark.security(BAD_INPUT, "repeated requests")


def posted(client: Any, name: str, body: Any, path: str = "/projects") -> Any:
    return client.post(path, body, headers={"Idempotency-Key": name})


def test_the_same_request_again_gets_the_first_answer_and_has_one_effect(cast: Cast) -> None:
    first = posted(cast.owner.rest, "one", {"name": "Once"})
    again = posted(cast.owner.rest, "one", {"name": "Once"})
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert (first.get("Idempotency-Replayed"), again["Idempotency-Replayed"]) == (None, "true")
    assert again["ETag"] == first["ETag"] and again["Content-Type"] == first["Content-Type"]
    assert Project.objects.filter(name="Once").count() == 1


def test_another_body_address_or_organization_under_the_same_key_is_refused(cast: Cast) -> None:
    posted(cast.owner.rest, "one", {"name": "Once"})
    for path, body in (("/projects", {"name": "Twice"}), ("/projects?x=1", {"name": "Once"})):
        answer = posted(cast.owner.rest, "one", body, path)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")
    assert not Project.objects.filter(name="Twice").exists()
    second = MembershipFactory(user=cast.owner.user, role=Role.ADMIN).organization
    token = RestClient().post(
        "/auth/token",
        {"email": cast.owner.user.email, "password": "correct horse battery", "organization_id": str(second.pk)},
    )
    answer = posted(RestClient(token.json()["access"]), "one", {"name": "Once"})
    assert answer.status_code == 422


def test_a_refusal_is_an_answer_too(cast: Cast) -> None:
    first = posted(cast.owner.rest, "bad", {"name": ""})
    again = posted(cast.owner.rest, "bad", {"name": ""})
    assert first.status_code == again.status_code == 400
    assert first.content == again.content and again["Idempotency-Replayed"] == "true"


def test_keys_of_others_are_their_own(cast: Cast) -> None:
    assert posted(cast.owner.rest, "one", {"name": "Of the owner"}).status_code == 201
    assert posted(cast.editor.rest, "one", {"name": "Of the editor"}).status_code == 201
    secret = key_of(cast.owner)[1]
    assert posted(RestClient(secret), "one", {"name": "Of the key"}).status_code == 201


def test_without_a_key_everything_runs(cast: Cast) -> None:
    assert cast.owner.rest.post("/projects", {"name": "A"}).status_code == 201
    assert cast.owner.rest.post("/projects", {"name": "B"}).status_code == 201
    assert IdempotentRequest.objects.count() == 0


def test_whoever_does_not_prove_who_they_are_gets_no_stored_answer(cast: Cast) -> None:
    secret = key_of(cast.owner, name="short-lived")[1]
    assert posted(RestClient(secret), "one", {"name": "Once"}).status_code == 201
    assert posted(RestClient(), "one", {"name": "Once"}).status_code == 401
    ApiKey.objects.update(revoked_at=timezone.now())
    assert posted(RestClient(secret), "one", {"name": "Once"}).status_code == 401


def test_doors_open_to_everybody_keep_nothing(cast: Cast) -> None:
    body = {"email": cast.owner.user.email, "password": "correct horse battery"}
    assert posted(cast.owner.rest, "one", body, "/auth/token").status_code == 200
    assert IdempotentRequest.objects.count() == 0


@pytest.mark.parametrize("name", ["", "x" * 256, "ü", "a\tb"])
def test_odd_keys_are_refused(cast: Cast, name: str) -> None:
    answer = posted(cast.owner.rest, name.encode().decode("latin-1"), {"name": "Once"})
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")
    assert not Project.objects.filter(name="Once").exists()


def test_a_body_too_large_to_compare_is_refused(cast: Cast, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1024
    answer = posted(cast.owner.rest, "large", {"name": "Once", "description": "x" * 2000})
    assert answer.status_code == 413
    assert not Project.objects.filter(name="Once").exists()


def test_after_a_crash_the_request_may_run_again(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(**fields: Any) -> None:
        raise RuntimeError("broken")

    cast.owner.rest.raise_request_exception = False
    with monkeypatch.context() as patched:
        patched.setattr(project_services, "project_create", crash)
        assert posted(cast.owner.rest, "one", {"name": "Once"}).status_code == 500
    assert posted(cast.owner.rest, "one", {"name": "Once"}).status_code == 201


def test_after_a_conflict_the_request_may_run_again(cast: Cast) -> None:
    posted(cast.owner.rest, "first", {"name": "Once"})
    assert posted(cast.owner.rest, "second", {"name": "Once"}).status_code == 409
    Project.objects.filter(name="Once").update(name="Elsewhere")
    assert posted(cast.owner.rest, "second", {"name": "Once"}).status_code == 201


def test_a_request_that_died_with_its_process_is_given_up_in_time(cast: Cast) -> None:
    _row, answer = idempotency.idempotent_request_begin(actor=cast.owner.actor, name="dead", fingerprint="f")
    assert answer is None
    with pytest.raises(idempotency.Conflict):
        idempotency.idempotent_request_begin(actor=cast.owner.actor, name="dead", fingerprint="f")
    IdempotentRequest.objects.update(started_at=timezone.now() - idempotency.GIVEN_UP - timedelta(seconds=1))
    assert idempotency.idempotent_request_begin(actor=cast.owner.actor, name="dead", fingerprint="f")[1] is None


def test_after_a_day_a_key_is_free_again(cast: Cast) -> None:
    posted(cast.owner.rest, "one", {"name": "Once"})
    IdempotentRequest.objects.update(started_at=timezone.now() - timedelta(hours=24, seconds=1))
    answer = posted(cast.owner.rest, "one", {"name": "Another"})
    assert answer.status_code == 201 and "Idempotency-Replayed" not in answer
    IdempotentRequest.objects.update(started_at=timezone.now() - timedelta(hours=24, seconds=1))
    assert idempotency.idempotent_requests_sweep() == 1
    assert IdempotentRequest.objects.count() == 0


def test_the_secret_of_a_new_key_is_repeated_and_stored_encrypted_only(cast: Cast) -> None:
    body = {
        "name": "k",
        "scopes": ["projects.view_project"],
        "expires_at": (timezone.now() + timedelta(days=1)).isoformat(),
    }
    first = posted(cast.owner.rest, "one", body, "/api-keys")
    again = posted(cast.owner.rest, "one", body, "/api-keys")
    secret = first.json()["secret"]
    assert again.json()["secret"] == secret and again["Cache-Control"] == "no-store"
    assert ApiKey.objects.count() == 1
    row = IdempotentRequest.objects.get()
    assert secret.encode() not in bytes(row.body)
    with connection.cursor() as cursor:
        cursor.execute("SELECT encode(body, 'escape') || headers::text FROM apikeys_idempotentrequest")
        assert secret[12:] not in cursor.fetchone()[0]


def test_an_answer_moved_to_another_row_cannot_be_read(cast: Cast) -> None:
    posted(cast.owner.rest, "one", {"name": "Once"})
    posted(cast.editor.rest, "two", {"name": "Twice"})
    source = IdempotentRequest.objects.get(name="one")
    IdempotentRequest.objects.filter(name="two").update(body=bytes(source.body))
    answer = posted(cast.editor.rest, "two", {"name": "Twice"})
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_lost")


def test_only_posts_to_the_rest_api_are_kept(cast: Cast) -> None:
    path = cast.path("/projects/{project}")
    headers = {"Idempotency-Key": "one"}
    assert cast.owner.rest.patch(path, {"name": "Renamed"}, headers=headers).status_code == 200
    assert cast.owner.portal.post("/projects/new/", {"name": "By page"}, headers=headers).status_code == 302
    assert IdempotentRequest.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_bad_x10_of_many_at_once_one_runs(sample_factories: None) -> None:
    """bad-X10: a double submit has one effect; the others wait their turn or get the same answer."""
    cast = Cast(build)
    token, answers = cast.owner.token, []
    barrier = threading.Barrier(8)

    def submit() -> None:
        barrier.wait()
        answers.append(posted(RestClient(token), "one", {"name": "Once"}))
        connections.close_all()

    request_finished.disconnect(close_old_connections)
    try:
        threads = [threading.Thread(target=submit) for _number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        request_finished.connect(close_old_connections)
    assert Project.objects.filter(name="Once").count() == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    refused = [answer.json()["code"] for answer in answers if answer.status_code == 409]
    assert set(refused) <= {"idempotency_running"}
    assert posted(RestClient(token), "one", {"name": "Once"}).status_code == 201


def test_the_middleware_stands_behind_the_one_that_knows_the_person(settings: Any) -> None:
    name = f"{IdempotencyMiddleware.__module__}.{IdempotencyMiddleware.__name__}"
    order = settings.MIDDLEWARE
    assert order.index(name) > order.index("apps.core.identity.middleware.ActorMiddleware")
