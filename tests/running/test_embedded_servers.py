"""The embedded database and broker, as real servers in a home of their own."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest
import redis
from kombu import Connection
from modelyard.embedded import (
    EmbeddedError,
    broker_url,
    database_url,
    mlflow_database_url,
    paths,
    postgres,
    process,
    redis_url,
)
from modelyard.embedded.postgres import Postgres
from modelyard.embedded.valkey import Valkey

PLATFORM = Path(paths.__file__).resolve().parents[2]


@pytest.fixture
def home():
    """A home that the database's account can reach (pytest's own temporary folders are private)."""
    folder = Path(tempfile.mkdtemp(prefix="modelyard-embedded-", dir="/tmp"))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def running(home):
    """Starts servers of `home` and ends them all at the end of the test."""
    children = []

    def start(server):
        server.prepare()
        with open(home / "server.log", "ab") as log:
            child = process.start(server.launch(), log)
        children.append((child, server.launch().stop_signal))
        process.wait_until(server.ready, child, 30, type(server).__name__)
        return child

    yield start
    for child, stop_signal in reversed(children):
        process.stop(child, stop_signal)


def fast(home, **options):
    return Postgres(home, settings={"fsync": "off"}, **options)


def test_database_keeps_its_data_and_each_role_to_its_own_database(home, running):
    server = fast(home)
    first = running(server)
    server.ensure_databases()
    with psycopg.connect(database_url(home)) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('학습')")
        facts = connection.execute(
            "SELECT current_user, current_setting('server_encoding'), current_setting('listen_addresses'),"
            " rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert facts == ("modelyard", "UTF8", "", False, False)
    foreign = mlflow_database_url(home).replace("+psycopg", "").replace("/mlflow?", "/modelyard?")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(foreign)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(database_url(home), password="wrong")
    process.stop(first, signal.SIGINT)
    assert first.returncode == 0

    again = fast(home)
    running(again)
    again.ensure_databases()
    with psycopg.connect(database_url(home)) as connection:
        assert connection.execute("SELECT word FROM kept").fetchone() == ("학습",)


def test_database_starts_again_after_a_kill_and_follows_a_changed_password(home, running, monkeypatch):
    server = fast(home)
    killed = running(server)
    server.ensure_databases()
    old = database_url(home)
    process.stop(killed, signal.SIGKILL)
    assert (server.data / "postmaster.pid").exists()

    monkeypatch.setenv("DATABASE_PASSWORD", "it's/new @")
    again = fast(home, create_databases=True)
    running(again)
    again.ensure_databases()
    with psycopg.connect(database_url(home)) as connection:
        assert connection.execute("SELECT rolcreatedb FROM pg_roles WHERE rolname = 'modelyard'").fetchone() == (True,)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(old)


def test_a_lock_file_whose_process_id_is_in_use_by_something_else_is_no_obstacle(home, running):
    server = fast(home)
    process.stop(running(server), signal.SIGKILL)
    lines = (server.data / "postmaster.pid").read_text().splitlines()
    lines[0] = str(os.getpid())
    (server.data / "postmaster.pid").write_text("\n".join(lines) + "\n")
    (server.sockets / ".s.PGSQL.5432.lock").write_text("\n".join(lines) + "\n")
    assert running(fast(home)).poll() is None


def test_a_server_that_outlived_its_supervisor_is_stopped_first(home, running):
    survivor = running(fast(home))
    sentences = []
    fast(home).prepare(sentences.append)
    assert survivor.wait(10) == 0
    assert str(survivor.pid) in sentences[0]


def test_data_of_another_major_version_is_refused_with_a_way_out(home):
    server = fast(home)
    server.prepare()
    (server.data / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedError, match="PostgreSQL 16.*brings PostgreSQL 18") as caught:
        fast(home).prepare()
    assert "pg_upgrade" in caught.value.hint


def test_a_folder_that_is_no_database_is_refused(home):
    (home / "postgres").mkdir()
    if server_account := paths.database_account():
        os.chown(home / "postgres", server_account.uid, server_account.gid)
    with pytest.raises(EmbeddedError, match="is not a database"):
        fast(home).prepare()
    assert list((home / "postgres").iterdir()) == []


def test_a_first_start_that_was_broken_off_is_begun_anew(home, running):
    unfinished = home / "postgres.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    assert running(fast(home)).poll() is None
    assert not unfinished.exists()


def test_a_home_that_the_account_cannot_enter_moves_the_database_and_says_so(home, running, monkeypatch, tmp_path):
    home.chmod(0o700)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        monkeypatch.setattr(postgres, "FALLBACK_ROOT", Path(folder) / "lib")
        server = fast(home)
        sentences = []
        server.prepare(sentences.append)
        child = running(server)
        server.ensure_databases()
        with psycopg.connect(database_url(home)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        process.stop(child, signal.SIGINT)
        if paths.database_account() is None:  # our own account can enter its own folder
            assert (server.data, sentences) == (home / "postgres", [])
        else:
            assert server.data == Path(folder) / "lib" / paths.home_hash(home) / "postgres"
            assert [str(home) in line and str(server.data) in line for line in sentences] == [True]
            shutil.rmtree(server.sockets.parent)


def test_broker_answers_on_its_socket_in_both_forms_of_url(home, running):
    running(Valkey(home))
    client = redis.Redis.from_url(redis_url(home, db=3))
    client.set("word", "yard")
    assert client.get("word") == b"yard"
    assert redis.Redis.from_url(redis_url(home, db=0)).get("word") is None
    assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    assert client.config_get("save")["save"] == ""
    with Connection(broker_url(home)) as connection:
        assert connection.ensure_connection(max_retries=1).connected


def test_broker_starts_again_after_a_kill(home, running):
    process.stop(running(Valkey(home)), signal.SIGKILL)
    assert Valkey(home).socket.exists()
    assert running(Valkey(home)).poll() is None


def test_servers_end_when_the_process_that_started_them_is_killed(home):
    program = f"""
import sys, time
from pathlib import Path
from modelyard.embedded import process, postgres, valkey
home = Path({str(home)!r})
for server in (postgres.Postgres(home, settings={{"fsync": "off"}}), valkey.Valkey(home)):
    server.prepare()
    child = process.start(server.launch(), open(home / "server.log", "ab"))
    process.wait_until(server.ready, child, 30, "server")
    print(child.pid, flush=True)
sys.stdin.read()
"""
    starter = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PLATFORM)},
        text=True,
    )
    watched = [os.pidfd_open(int(starter.stdout.readline())) for _ in range(2)]
    starter.kill()
    starter.communicate()
    assert [process.has_ended(descriptor, 15) for descriptor in watched] == [True, True]
