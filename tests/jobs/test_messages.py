"""Hints for workers, when the broker is away."""

import time

import pytest
from celery import Celery, current_app
from django.conf import settings

from apps.core import broker
from apps.jobs import messages

SEND = messages.send_hint


def test_a_broker_that_is_away_delays_nobody_and_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # The fixture of this folder has put a list in the place of the real sending.
    monkeypatch.setattr(messages, "send_hint", SEND)
    away = Celery("away", broker="redis+socket:///nowhere/broker.sock?virtual_host=0", set_as_current=False)
    away.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    monkeypatch.setattr(broker, "current_app", away)
    begin = time.perf_counter()
    messages.dispatch()
    messages.launch("an-id", "cpu.node")
    messages.probe("an-id", "cpu.node")
    assert time.perf_counter() - begin < 3
    assert caplog.text.count("not sent") == 3


def test_messages_carry_ids_only_and_do_not_outlive_their_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "send_hint", SEND)
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **options: sent.append((name, options)))
    messages.dispatch()
    messages.launch("an-id", "gpu.node")
    messages.probe("an-id", "cpu.node")
    assert [(name, list(options["args"]), options["queue"]) for name, options in sent] == [
        ("jobs.dispatch", [], "default"),
        ("jobs.launch", ["an-id"], "gpu.node"),
        ("jobs.probe", ["an-id"], "cpu.node"),
    ]
    assert all(0 < options["expires"] <= 60 and not options["retry"] for _name, options in sent)
