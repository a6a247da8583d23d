"""What the environment names: servers by URL, and nothing made on disk for what is named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from modelyard.settings import environment, object_stores
from redis.connection import parse_url

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("url", "reached"),
    [
        ("redis://cache:6379", {"host": "cache", "port": 6379}),
        ("redis://:word@cache:6379/0", {"host": "cache", "port": 6379, "password": "word"}),
        ("rediss://cache/?ssl_cert_reqs=none", {"host": "cache", "ssl_cert_reqs": "none"}),
        ("unix:///run/valkey.sock", {"path": "/run/valkey.sock"}),
        ("unix://:word@/run/valkey.sock?db=0", {"path": "/run/valkey.sock", "password": "word"}),
    ],
)
def test_redis_names_a_database_of_the_server(url, reached):
    found = parse_url(environment.redis(url, db=2))
    assert found.pop("db") == 2
    found.pop("connection_class", None)
    assert found == reached


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("redis://:word@cache:6379", "redis://:word@cache:6379/0"),
        ("unix:///run/valkey.sock", "redis+socket:///run/valkey.sock?virtual_host=0"),
        ("unix://:word@/run/valkey.sock", "redis+socket://:word@/run/valkey.sock?virtual_host=0"),
    ],
)
def test_the_broker_is_database_0_in_the_form_that_kombu_reads(url, broker):
    assert environment.broker(url) == broker


@pytest.mark.parametrize("url", ["redis://cache/3", "unix:///run/valkey.sock?db=1", "amqp://cache", "cache:6379"])
def test_a_database_of_the_server_or_another_kind_of_server_is_refused(url):
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL"):
        environment.redis(url, db=0)
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL"):
        environment.broker(url)


def settings_made_with(home, **named):
    """Load the settings in a process of its own; the names of what lies in the home afterwards."""
    named |= {"MODELYARD_HOME": str(home), "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}"}
    environment_of_child = {"PATH": os.environ["PATH"], "HOME": str(home), **named}
    subprocess.run([sys.executable, "-c", "import modelyard.settings.base"], env=environment_of_child, check=True)
    return [path.name for path in home.rglob("*") if path.is_file()]


def test_settings_make_a_secret_for_the_embedded_database_only_where_it_is_used(tmp_path):
    embedded, external = tmp_path / "embedded", tmp_path / "external"
    for home in (embedded, external):
        home.mkdir()
    named = {
        "SECRET_KEY": "s" * 50,
        "AUDIT_KEY": "a" * 50,
        "AUDIT_SIGNING_KEY": "i" * 50,
        "API_KEY_SECRET": "p" * 50,
        "SECRETS_KEY": "k" * 50,
        "REDIS_URL": "redis://cache",
    }
    assert settings_made_with(embedded, **named) != []
    assert settings_made_with(external, **named, DATABASE_URL="postgresql://modelyard@db/modelyard") == []


FIRST = {"local_root": Path("/srv/home/storage"), "bucket": "data", "endpoint": "https://store.example:9000"}
OF_THE_FIRST, OF_THE_SECOND = "first", "second"
NAMES = ("BUCKET", "ENDPOINT_URL", "PUBLIC_ENDPOINT_URL", "REGION", "ADDRESSING", "CHECKSUMS", "ACCESS_KEY_ID")


@pytest.fixture
def first(monkeypatch) -> dict:
    for name in (*NAMES, "SECRET_ACCESS_KEY"):
        monkeypatch.delenv(f"RESULTS_S3_{name}", raising=False)
    monkeypatch.delenv("RESULTS_FOLDER", raising=False)
    return {**object_stores.datasets(Path("/srv/home")), **FIRST, "secret_key": OF_THE_FIRST}


def test_results_lie_with_the_datasets_unless_they_are_said_to_lie_apart(first):
    assert object_stores.results(first) is None


def test_a_second_bucket_is_as_the_first_but_for_what_is_said_of_it(first, monkeypatch):
    monkeypatch.setenv("RESULTS_S3_BUCKET", "results")
    monkeypatch.setenv("RESULTS_S3_SECRET_ACCESS_KEY", OF_THE_SECOND)
    assert object_stores.results(first) == {**first, "bucket": "results", "secret_key": OF_THE_SECOND}
    monkeypatch.setenv("RESULTS_S3_BUCKET", "data")
    with pytest.raises(ImproperlyConfigured, match="names the bucket of S3_BUCKET"):
        object_stores.results(first)
    monkeypatch.setenv("RESULTS_S3_ENDPOINT_URL", "https://other.example")
    assert object_stores.results(first)["endpoint"] == "https://other.example"


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("results", "absolute path"),
        ("/srv/home/storage", "must lie apart"),
        ("/srv/home/storage/results", "must lie apart"),
        ("/srv/home", "must lie apart"),
    ],
)
def test_a_folder_for_results_that_is_not_apart_is_refused(first, monkeypatch, folder, message):
    monkeypatch.setenv("RESULTS_FOLDER", folder)
    with pytest.raises(ImproperlyConfigured, match=message):
        object_stores.results(first)


def test_results_go_to_a_folder_or_a_bucket_and_not_to_both(first, monkeypatch):
    monkeypatch.setenv("RESULTS_FOLDER", "/srv/results")
    found = object_stores.results(first)
    assert (found["bucket"], found["local_root"]) == ("", Path("/srv/results"))
    monkeypatch.setenv("RESULTS_S3_BUCKET", "results")
    with pytest.raises(ImproperlyConfigured, match="not both"):
        object_stores.results(first)
