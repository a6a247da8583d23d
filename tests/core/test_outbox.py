"""Messages that leave with the transaction that wrote them."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone

from apps.core import broker, outbox
from apps.core.outbox import services
from apps.core.outbox.models import OutboxMessage
from apps.core.testing import committed

Log = list[Any]


@pytest.fixture
def handle(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[dict[str, Any]], None]], None]]:
    """Registers the handler of the topic `test`."""
    monkeypatch.setattr(services, "_handlers", {})
    yield lambda function: outbox.handler("test")(function) and None  # type: ignore[func-returns-value]


@pytest.fixture
def delivered(handle: Any) -> Log:
    log: Log = []
    handle(lambda payload: log.append(payload["n"]))
    return log


def make_due() -> None:
    OutboxMessage.objects.update(available_at=timezone.now())


@pytest.mark.django_db
def test_a_message_leaves_only_when_its_transaction_commits(delivered: Log) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        outbox.put("test", {"n": 1})
        raise ZeroDivisionError
    outbox.put("test", {"n": 2})
    assert services.deliver_waiting() == 1
    assert delivered == [2]


@pytest.mark.django_db
def test_a_message_is_delivered_once_and_stays_as_a_record(delivered: Log) -> None:
    outbox.put("test", {"n": 1})
    assert services.deliver_waiting() == 1
    assert services.deliver_waiting() == 0
    assert delivered == [1]
    assert OutboxMessage.objects.get().delivered_at is not None


@pytest.mark.django_db
def test_a_failing_message_comes_again_after_a_growing_pause_with_its_reason(handle: Any) -> None:
    failures = [OSError("no route"), KeyError("later"), None]

    def fail_twice(payload: dict[str, Any]) -> None:
        error = failures.pop(0)
        if error:
            raise error

    handle(fail_twice)
    outbox.put("test", {})
    pauses = []
    for expected in ("OSError: no route", "KeyError: 'later'"):
        started = timezone.now()
        assert services.deliver_waiting() == 0
        message = OutboxMessage.objects.get()
        assert message.last_error == expected
        assert message.delivered_at is None
        pauses.append(message.available_at - started)
        assert services.deliver_waiting() == 0, "not before its time"
        make_due()
    assert timedelta(seconds=1) < pauses[0] < pauses[1] < timedelta(seconds=60)
    assert services.deliver_waiting() == 1
    message = OutboxMessage.objects.get()
    assert (message.attempts, message.last_error) == (3, "")


@pytest.mark.django_db
def test_the_pause_never_exceeds_its_limit(handle: Any, settings: Any) -> None:
    settings.OUTBOX_LONGEST_PAUSE_SECONDS = 7

    def fail(payload: dict[str, Any]) -> None:
        raise OSError

    handle(fail)
    outbox.put("test", {})
    OutboxMessage.objects.update(attempts=500)
    services.deliver_waiting()
    assert OutboxMessage.objects.get().available_at <= timezone.now() + timedelta(seconds=7)


@pytest.mark.django_db
def test_a_group_keeps_its_order_behind_a_failing_message_while_others_go_on(handle: Any) -> None:
    log: Log = []
    broken = {"group message 1"}

    def deliver(payload: dict[str, Any]) -> None:
        if payload["n"] in broken:
            raise OSError
        log.append(payload["n"])

    handle(deliver)
    for number in (1, 2, 3):
        outbox.put("test", {"n": f"group message {number}"}, group="g")
    outbox.put("test", {"n": "other group"}, group="h")
    outbox.put("test", {"n": "no group"})
    assert services.deliver_waiting() == 2
    assert sorted(log) == ["no group", "other group"]
    broken.clear()
    make_due()
    assert services.deliver_waiting() == 3
    assert log[2:] == [f"group message {number}" for number in (1, 2, 3)]


@pytest.mark.django_db
def test_messages_of_a_topic_that_nobody_handles_wait(delivered: Log) -> None:
    outbox.put("unknown", {"n": 1})
    outbox.put("test", {"n": 2})
    assert services.deliver_waiting() == 1
    assert OutboxMessage.objects.get(topic="unknown").attempts == 0


@pytest.mark.django_db
def test_a_worker_is_hinted_after_the_commit(delivered: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: Log = []
    monkeypatch.setattr(broker.current_app, "send_task", lambda name, **options: sent.append(name))
    with committed():
        outbox.put("test", {"n": 1})
        assert sent == []
    assert sent == ["core.outbox_deliver"]


@pytest.mark.django_db
def test_a_broker_that_is_away_does_not_undo_the_write(delivered: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, **options: Any) -> None:
        raise ConnectionRefusedError("broker away")

    monkeypatch.setattr(broker.current_app, "send_task", refuse)
    with committed():
        outbox.put("test", {"n": 1})
    assert services.deliver_waiting() == 1


@pytest.mark.django_db
def test_old_delivered_messages_are_swept_and_waiting_ones_kept(delivered: Log) -> None:
    outbox.put("test", {"n": 1})
    services.deliver_waiting()
    outbox.put("test", {"n": 2})
    long_ago = timezone.now() - timedelta(days=30)
    OutboxMessage.objects.filter(delivered_at__isnull=False).update(delivered_at=long_ago)
    OutboxMessage.objects.update(created_at=long_ago)
    assert services.sweep() == 1
    assert OutboxMessage.objects.get().payload == {"n": 2}


@pytest.mark.django_db
def test_one_topic_has_one_handler(delivered: Log) -> None:
    with pytest.raises(ValueError, match="has a handler already"):
        outbox.handler("test")(lambda payload: None)


@pytest.mark.django_db(transaction=True)
def test_workers_in_parallel_deliver_each_message_once_and_each_group_in_order(handle: Any) -> None:
    log: Log = []
    handle(lambda payload: log.append((payload["group"], payload["n"])))
    groups = ("a", "b", "")
    for number in range(30):
        for group in groups:
            OutboxMessage.objects.create(topic="test", group=group, payload={"group": group, "n": number})

    def work() -> None:
        try:
            services.deliver_waiting()
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    # A worker that met only locked rows may have left early; what then waits is delivered by the next pass.
    services.deliver_waiting()
    assert len(log) == len(set(log)) == 90
    for group in ("a", "b"):
        assert [number for name, number in log if name == group] == list(range(30))


@pytest.mark.django_db(transaction=True)
def test_a_message_of_a_worker_that_died_comes_back_after_its_claim(handle: Any) -> None:
    log: Log = []

    def die_once(payload: dict[str, Any]) -> None:
        log.append(1)
        if len(log) == 1:
            raise SystemExit  # as a killed worker: nothing after the handler runs

    handle(die_once)
    outbox.put("test", {})
    with pytest.raises(SystemExit):
        services.deliver_waiting()
    assert services.deliver_waiting() == 0, "still claimed"
    OutboxMessage.objects.update(available_at=timezone.now())
    assert services.deliver_waiting() == 1
    assert len(log) == 2
