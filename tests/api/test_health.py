"""`/healthz`, `/readyz` and `/metrics`."""

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from modelyard import health
from redis import ConnectionError as BrokerAway


@pytest.mark.django_db
def test_ready_when_every_part_answers(client: Client) -> None:
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (
        200,
        {"ready": True, "parts": {"database": True, "broker": True, "storage": True}},
    )


@pytest.mark.django_db
@pytest.mark.parametrize("part", ["database", "broker", "storage"])
def test_not_ready_names_the_part_that_is_away(client: Client, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    def away(*arguments: Any, **options: Any) -> Any:
        raise {"database": OperationalError, "broker": BrokerAway, "storage": OSError}[part]("away")

    target = {
        "database": (health.connection, "cursor"),
        "broker": (health.cache, "set"),
        "storage": (health, "stores"),
    }
    monkeypatch.setattr(*target[part], away)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["parts"] == {name: name != part for name in ("database", "broker", "storage")}
    assert client.get("/healthz").status_code == 200


def test_metrics_are_open_on_loopback_and_need_the_token_elsewhere(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = "metrics-token"
    assert b"python_info" in client.get("/metrics").content
    for headers, status in (
        ({}, 403),
        ({"Authorization": "Bearer wrong"}, 403),
        ({"Authorization": "Bearer metrics-tok\u00e9n"}, 403),
        ({"Authorization": "Bearer metrics-token"}, 200),
    ):
        assert client.get("/metrics", headers=headers, REMOTE_ADDR="192.0.2.7").status_code == status
    proxied = client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.7"})
    assert proxied.status_code == 403, "behind a proxy everybody seems to be on loopback"


def test_without_a_token_in_the_settings_an_empty_bearer_opens_nothing(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"Authorization": "Bearer "}, REMOTE_ADDR="192.0.2.7").status_code == 403
