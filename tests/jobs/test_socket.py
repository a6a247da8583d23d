"""The live socket of a job: who gets in, what arrives, in whose words, and when it is closed."""

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.sessions import CookieMiddleware, SessionMiddleware
from django.db import OperationalError
from django.urls import path
from django.utils import timezone

from apps.accounts.selectors import sign_ins_of
from apps.accounts.services import sign_in_end
from apps.apikeys.models import ApiKey
from apps.apikeys.services import key_revoke
from apps.core.realtime import places, tickets
from apps.core.testing import Cast, RestClient, SocketClient
from apps.jobs import consumers
from apps.jobs.consumers import JobConsumer, merged
from apps.jobs.models import Job
from apps.jobs.services import lifecycle
from apps.jobs.states import JobState
from apps.projects.models import ProjectMembership
from tests.factories.apikeys import key_of
from tests.factories.projects import ProjectFactory
from tests.jobs import support
from tests.jobs.support import Launcher, running

pytestmark = pytest.mark.django_db(transaction=True)
ORIGIN = {"host": "portal.example", "origin": "http://portal.example"}

application = CookieMiddleware(
    SessionMiddleware(URLRouter([path("ws/jobs/<uuid:pk>/", JobConsumer.as_asgi())])),
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "RECHECK_SECONDS", 0.05)


@pytest.fixture
def job(cast: Cast) -> Job:
    assert cast.editor and cast.viewer and cast.stranger
    return support.make_job(
        JobState.QUEUED, project=cast.sample("project"), resource_group=cast.sample("resource-group")
    )


def address(job: Job) -> str:
    return f"/ws/jobs/{job.pk}/"


def cookies(person: Any, **more: str) -> str:
    assert person.portal.get("/").status_code < 500  # a page is open before its socket is
    session = person.portal.cookies["sessionid"].value
    return "; ".join(f"{name}={value}" for name, value in {"sessionid": session, **more}.items())


async def browser(job: Job, person: Any, *, origin: dict[str, str] = ORIGIN, **more: str) -> SocketClient:
    cookie = await sync_to_async(cookies)(person, **more)
    client = SocketClient(application, address(job), headers={**origin, "cookie": cookie})
    assert await client.connect()
    return client


async def program(job: Job, person: Any) -> SocketClient:
    token = await sync_to_async(lambda: person.token)()
    client = SocketClient(application, address(job), headers={"authorization": f"Bearer {token}"})
    assert await client.connect()
    return client


async def ticketed(job: Job, person: Any) -> SocketClient:
    answer = await sync_to_async(lambda: person.rest.post("/ws-tickets"))()
    protocols = ["modelyard.v1", f"modelyard.ticket.{answer.json()['ticket']}"]
    client = SocketClient(application, address(job), subprotocols=protocols)
    assert await client.connect()
    return client


def ticket_of_page(person: Any) -> str:
    assert person.portal.get("/").status_code < 500
    return str(person.portal.post("/api/v1/ws-tickets").json()["ticket"])


async def page_ticketed(job: Job, person: Any) -> SocketClient:
    ticket = await sync_to_async(ticket_of_page)(person)
    client = SocketClient(application, address(job), subprotocols=[f"modelyard.ticket.{ticket}"])
    assert await client.connect()
    return client


async def test_a_page_learns_where_the_job_stands_and_then_everything(cast: Cast, job: Job) -> None:
    page = await browser(job, cast.editor)
    hello = await page.receive_json()
    assert (hello["type"], hello["event_seq"]) == ("hello", 0)
    assert (hello["job"]["state"], hello["job"]["capabilities"]["stop"]) == ("queued", True)
    launcher = await sync_to_async(running)(job)
    await sync_to_async(launcher.say)(("log", {"level": "info", "message": "hello"}))
    seen, last = [], 0
    while last < 4:
        hint = await page.receive_json()
        assert hint["type"] == "hint"
        # No gap, or the page would have to fetch.
        assert hint["from"] == last + 1
        assert [event["seq"] for event in hint["events"]] == list(range(hint["from"], hint["to"] + 1))
        seen += [event["type"] for event in hint["events"]]
        last = hint["to"]
    assert seen == ["state", "started", "state", "log"]
    assert hint["job"]["state"] == "running"
    await page.send_json({"type": "ping"})
    pong = await page.receive_json()
    assert pong == {"type": "pong", "event_seq": 4}
    await page.disconnect()


async def test_hints_come_at_most_five_times_a_second_and_tell_everything(cast: Cast, job: Job) -> None:
    launcher = await sync_to_async(running)(job)
    page = await browser(job, cast.viewer)
    before = (await page.receive_json())["event_seq"]

    def burst(launcher: Launcher) -> None:
        for number in range(40):
            launcher.say(("log", {"level": "info", "message": str(number)}))

    begin = asyncio.get_running_loop().time()
    await sync_to_async(burst)(launcher)
    hints, last = [], before
    while last < before + 40:
        hints.append(await page.receive_json())
        assert hints[-1]["from"] == last + 1
        last = hints[-1]["to"]
    took = asyncio.get_running_loop().time() - begin
    assert len(hints) <= took * 5 + 2
    messages = [event["data"]["message"] for hint in hints for event in hint["events"]]
    assert messages == [str(number) for number in range(40)]
    await page.disconnect()


async def test_what_is_too_much_for_a_hint_is_left_to_be_fetched(cast: Cast, job: Job) -> None:
    launcher = await sync_to_async(running)(job)
    page = await browser(job, cast.viewer)
    await page.receive_json()
    await sync_to_async(launcher.say)(("log", {"level": "info", "message": "x" * 40_000}))
    hint = await page.receive_json()
    assert (hint["to"] - hint["from"], "events" in hint) == (0, False)
    await page.disconnect()


async def test_viewers_see_no_buttons_also_in_hints(cast: Cast, job: Job) -> None:
    page = await browser(job, cast.viewer)
    assert set((await page.receive_json())["job"]["capabilities"].values()) == {False}
    await sync_to_async(running)(job)
    assert set((await page.receive_json())["job"]["capabilities"].values()) == {False}
    await page.disconnect()


async def test_each_reader_reads_in_their_own_language(cast: Cast, job: Job) -> None:
    korean = await browser(job, cast.viewer, django_language="ko")
    english = await browser(job, cast.editor, django_language="en")
    assert (await korean.receive_json())["job"]["state_label"] != (await english.receive_json())["job"]["state_label"]
    await sync_to_async(lifecycle.job_stop)(actor=await sync_to_async(lambda: cast.editor.actor)(), job=job)
    first, second = await korean.receive_json(), await english.receive_json()
    assert second["job"]["reason"]["text"] == "Stopped on request."
    assert any("가" <= letter <= "힣" for letter in first["job"]["reason"]["text"])
    await korean.disconnect()
    await english.disconnect()


@pytest.mark.parametrize(
    "origin",
    [
        {"host": "portal.example"},
        {"host": "portal.example", "origin": "null"},
        {"host": "portal.example", "origin": "http://evil.example"},
        {"host": "portal.example", "origin": "http://portal.example.evil.example"},
        {"host": "portal.example", "origin": "http://portal.example:81"},
    ],
)
async def test_a_page_from_elsewhere_gets_nothing(cast: Cast, job: Job, origin: dict[str, str]) -> None:
    page = await browser(job, cast.editor, origin=origin)
    assert await page.receive_close() == 4401


async def test_nobody_and_strangers_are_refused_with_a_code(cast: Cast, job: Job) -> None:
    nobody = SocketClient(application, address(job), headers=ORIGIN)
    assert await nobody.connect()
    assert await nobody.receive_close() == 4401
    stranger = await browser(job, cast.stranger)
    assert await stranger.receive_close() == 4404
    forged = SocketClient(application, address(job), headers={"authorization": "Bearer forged"})
    assert await forged.connect()
    assert await forged.receive_close() == 4401


async def test_a_token_needs_no_origin(cast: Cast, job: Job) -> None:
    client = await program(job, cast.viewer)
    assert (await client.receive_json())["type"] == "hello"
    await client.disconnect()


async def test_a_ticket_opens_one_socket(cast: Cast, job: Job) -> None:
    ticket = await sync_to_async(lambda: tickets.issue(cast.viewer.actor))()
    protocols = ["modelyard.v1", f"modelyard.ticket.{ticket}"]
    first = SocketClient(application, address(job), subprotocols=protocols)
    assert await first.connect()
    assert (await first.receive_json())["type"] == "hello"
    # The ticket itself is never the protocol that is answered.
    assert first.subprotocol == "modelyard.v1"
    second = SocketClient(application, address(job), subprotocols=protocols)
    assert await second.connect()
    assert await second.receive_close() == 4408
    await first.disconnect()


@pytest.mark.parametrize("text", ["", "ping", "[]", '{"type": "stop"}', '{"type": "ping"' + " " * 2000 + "}"])
async def test_other_frames_than_a_ping_close_the_socket(cast: Cast, job: Job, text: str) -> None:
    client = await program(job, cast.viewer)
    await client.receive_json()
    await client.send_text(text)
    assert await client.receive_close() == 4400


async def test_bytes_close_the_socket(cast: Cast, job: Job) -> None:
    client = await program(job, cast.viewer)
    await client.receive_json()
    await client.send_bytes(b'{"type": "ping"}')
    assert await client.receive_close() == 4400


def revoke_role(cast: Cast) -> None:
    ProjectMembership.objects.filter(user=cast.viewer.user).delete()
    cast.viewer.user.groups.clear()


def deactivate(cast: Cast) -> None:
    type(cast.viewer.user).objects.filter(pk=cast.viewer.user.pk).update(is_active=False)


def revoke_tokens(cast: Cast) -> None:
    user = cast.viewer.user
    type(user).objects.filter(pk=user.pk).update(token_generation=user.token_generation + 1)


def change_password(cast: Cast) -> None:
    """As from another browser: the rows of older sessions stay, and count no more."""
    user = type(cast.viewer.user).objects.get(pk=cast.viewer.user.pk)
    user.set_password("another long password")
    user.save()


def delete_person(cast: Cast) -> None:
    type(cast.viewer.user).objects.filter(pk=cast.viewer.user.pk).delete()


def end_sign_ins(cast: Cast) -> None:
    """Each by itself, as the person does on the page."""
    user = cast.viewer.user
    for sign_in in sign_ins_of(user):
        sign_in_end(actor=cast.viewer.actor, user=user, sign_in=sign_in)


def sign_out(cast: Cast) -> None:
    cast.viewer.portal.logout()


def of_key(cast: Cast) -> str:
    return key_of(cast.viewer, "jobs.view_job", "training.view_trainingjob", name="socket")[1]


async def key_program(job: Job, person: Any, secret: str) -> SocketClient:
    client = SocketClient(application, address(job), headers={"authorization": f"Bearer {secret}"})
    assert await client.connect()
    return client


async def key_ticket(job: Job, person: Any, secret: str) -> SocketClient:
    answer = await sync_to_async(lambda: RestClient(secret).post("/ws-tickets").json())()
    client = SocketClient(application, address(job), subprotocols=[f"modelyard.ticket.{answer['ticket']}"])
    assert await client.connect()
    return client


def revoke_key(cast: Cast) -> None:
    key_revoke(actor=cast.viewer.actor, key=ApiKey.objects.get())


def end_key(cast: Cast) -> None:
    ApiKey.objects.update(expires_at=timezone.now())


@pytest.mark.parametrize("door", [key_program, key_ticket])
@pytest.mark.parametrize("withdraw", [revoke_key, end_key, revoke_role])
async def test_a_key_opens_a_socket_until_it_ends(cast: Cast, job: Job, door: Any, withdraw: Any) -> None:
    client = await door(job, cast.viewer, await sync_to_async(of_key)(cast))
    assert (await client.receive_json())["type"] == "hello"
    # A page of the same person stays open: it is not the key's.
    page = await browser(job, cast.viewer)
    await page.receive_json()
    await sync_to_async(withdraw)(cast)
    assert await client.receive_close() == 4403
    if withdraw is not revoke_role:
        await page.send_json({"type": "ping"})
        assert (await page.receive_json())["type"] == "pong"
        await page.disconnect()


async def test_a_key_outside_its_scope_opens_no_socket(cast: Cast, job: Job) -> None:
    secret = await sync_to_async(lambda: key_of(cast.viewer, "projects.view_project")[1])()
    for door in (key_program, key_ticket):
        assert await (await door(job, cast.viewer, secret)).receive_close() == 4404
    elsewhere = await sync_to_async(ProjectFactory)(organization=job.project.organization)
    secret = await sync_to_async(lambda: key_of(cast.admin, projects=[elsewhere])[1])()
    assert await (await key_program(job, cast.admin, secret)).receive_close() == 4404
    forged = await key_program(job, cast.viewer, "myk_" + "0" * 46)
    assert await forged.receive_close() == 4401


async def test_a_ticket_of_a_key_revoked_meanwhile_opens_nothing(cast: Cast, job: Job) -> None:
    secret = await sync_to_async(of_key)(cast)
    answer = await sync_to_async(lambda: RestClient(secret).post("/ws-tickets").json())()
    await sync_to_async(revoke_key)(cast)
    client = SocketClient(application, address(job), subprotocols=[f"modelyard.ticket.{answer['ticket']}"])
    assert await client.connect()
    assert await client.receive_close() == 4408


@pytest.mark.parametrize(
    ("door", "withdraw"),
    [
        (browser, revoke_role),
        (program, revoke_role),
        (browser, deactivate),
        (program, deactivate),
        (program, revoke_tokens),
        (browser, end_sign_ins),
        (program, end_sign_ins),
        (ticketed, end_sign_ins),
        (page_ticketed, end_sign_ins),
        (browser, sign_out),
        (page_ticketed, sign_out),
        (browser, change_password),
        (page_ticketed, change_password),
        (browser, delete_person),
        (program, delete_person),
    ],
)
async def test_a_right_that_is_withdrawn_closes_the_open_socket(
    cast: Cast, job: Job, door: Any, withdraw: Any
) -> None:
    client = await door(job, cast.viewer)
    assert (await client.receive_json())["type"] == "hello"
    await sync_to_async(withdraw)(cast)
    assert await client.receive_close() == 4403


@pytest.mark.parametrize("withdraw", [end_sign_ins, sign_out, change_password])
async def test_a_ticket_of_a_session_that_ended_meanwhile_opens_nothing(cast: Cast, job: Job, withdraw: Any) -> None:
    ticket = await sync_to_async(ticket_of_page)(cast.viewer)
    await sync_to_async(withdraw)(cast)
    client = SocketClient(application, address(job), subprotocols=[f"modelyard.ticket.{ticket}"])
    assert await client.connect()
    assert await client.receive_close() == 4408


async def test_a_right_that_cannot_be_asked_for_is_none(cast: Cast, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await browser(job, cast.viewer)
    assert (await client.receive_json())["type"] == "hello"

    def away(consumer: JobConsumer) -> bool:
        raise OperationalError("the database is away")

    monkeypatch.setattr(JobConsumer, "_may_change", away)
    assert await client.receive_close() == 1011


async def test_a_frame_nested_beyond_reading_closes_the_socket(cast: Cast, job: Job) -> None:
    client = await browser(job, cast.viewer)
    await client.receive_json()
    await client.send_text("[" * 1024)
    assert await client.receive_close() == 4400


@pytest.fixture
def two_places(settings: Any) -> None:
    settings.SOCKETS_PER_PERSON = 2


async def test_a_person_has_so_many_sockets_and_no_more(cast: Cast, job: Job, two_places: None) -> None:
    """bad-K35. A page, a program and a ticket count alike; of somebody else's none does."""
    first, second = await browser(job, cast.viewer), await program(job, cast.viewer)
    for client in (first, second):
        assert (await client.receive_json())["type"] == "hello"
    for door in (browser, program, ticketed):
        assert await (await door(job, cast.viewer)).receive_close() == 4429
    other = await browser(job, cast.editor)
    assert (await other.receive_json())["type"] == "hello"
    await first.disconnect()
    third = await browser(job, cast.viewer)
    assert (await third.receive_json())["type"] == "hello", "a socket that closes gives its place back"
    for client in (second, third, other):
        await client.disconnect()


async def test_a_key_has_places_of_its_own(cast: Cast, job: Job, two_places: None) -> None:
    secret = await sync_to_async(of_key)(cast)
    clients = [await key_program(job, cast.viewer, secret) for _number in range(2)]
    for client in clients:
        assert (await client.receive_json())["type"] == "hello"
    assert await (await key_ticket(job, cast.viewer, secret)).receive_close() == 4429
    page = await browser(job, cast.viewer)
    assert (await page.receive_json())["type"] == "hello", "a program takes none from its owner's pages"
    for client in (*clients, page):
        await client.disconnect()


async def test_many_at_once_get_as_many_places_as_there_are(cast: Cast, two_places: None) -> None:
    actor = await sync_to_async(lambda: cast.viewer.actor)()
    taken = await asyncio.gather(*(asyncio.to_thread(places.take, actor, f"socket {number}") for number in range(20)))
    assert sorted(taken) == [False] * 18 + [True] * 2


async def test_places_of_a_killed_process_are_free_after_their_lease(
    cast: Cast, job: Job, two_places: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = await sync_to_async(lambda: cast.viewer.actor)()
    monkeypatch.setattr(places, "LEASE_SECONDS", -1.0)  # they ended a second ago, and nobody gave them back
    assert [places.take(actor, f"killed {number}") for number in range(3)] == [True] * 3
    monkeypatch.undo()
    page = await browser(job, cast.viewer)
    assert (await page.receive_json())["type"] == "hello"
    await page.disconnect()


async def test_an_open_socket_renews_its_place(
    cast: Cast, job: Job, two_places: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed, loop = asyncio.Event(), asyncio.get_running_loop()
    monkeypatch.setattr(places, "RENEW_SECONDS", 0.0)
    monkeypatch.setattr(places, "renew", lambda actor, socket: loop.call_soon_threadsafe(renewed.set))
    page = await browser(job, cast.viewer)
    await page.receive_json()
    await asyncio.wait_for(renewed.wait(), 10)
    await page.disconnect()


async def test_a_renewed_place_is_kept_and_counts(
    cast: Cast, two_places: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = await sync_to_async(lambda: cast.viewer.actor)()
    monkeypatch.setattr(places, "LEASE_SECONDS", -1.0)
    assert places.take(actor, "one") and places.take(actor, "two")
    monkeypatch.undo()
    for socket in ("one", "two"):
        places.renew(actor, socket)
    assert not places.take(actor, "three")
    places.release(actor, "one")
    assert places.take(actor, "three")


def test_an_open_socket_outlives_a_broker_that_is_away(
    cast: Cast, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/2"}}
    places.renew(cast.viewer.actor, "one")
    places.release(cast.viewer.actor, "one")
    assert len([said for said in caplog.messages if "was not noted" in said]) == 2


def message(begin: int, end: int, *, at: int, events: bool = True) -> dict[str, Any]:
    found = [{"seq": seq, "data": {}} for seq in range(begin, end + 1)]
    job = {"en": {"event_seq": at}}
    return {"type": "job.hint", "from": begin, "to": end, "events": found if events else None, "job": job}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (message(1, 2, at=2), message(3, 4, at=4), (1, 4, 4, 4)),
        (message(3, 4, at=4), message(1, 2, at=2), (1, 4, 4, 4)),  # the later one overtook the earlier
        (message(1, 2, at=2), message(5, 6, at=6), (1, 6, None, 6)),  # one between them is missing
        (message(1, 2, at=2, events=False), message(3, 4, at=4), (1, 4, None, 4)),
        (message(1, 2, at=2), message(3, 2, at=2), (1, 2, 2, 2)),  # only the summary is new
        (message(3, 2, at=2), message(3, 4, at=4), (3, 4, 2, 4)),
        (message(1, 150, at=150), message(151, 250, at=250), (1, 250, None, 250)),
    ],
)
def test_hints_are_merged_without_pretending(first: Any, second: Any, expected: tuple[Any, ...]) -> None:
    found = merged(first, second)
    count = len(found["events"]) if found["events"] is not None else None
    assert (found["from"], found["to"], count, found["job"]["en"]["event_seq"]) == expected
