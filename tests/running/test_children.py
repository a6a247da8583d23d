"""Supervised processes one by one: pauses between restarts, how ends are told, where the portal listens."""

import os
import signal
import socket
import sys
import time

import pytest
from modelyard.embedded import process
from modelyard.embedded.process import Launch
from modelyard.supervisor import address
from modelyard.supervisor.children import LONGEST_PAUSE, Child, Program


@pytest.fixture
def child(tmp_path):
    """A child that waits for its end; ended after the test whatever happened."""
    script = "import time; print('up', flush=True); time.sleep(600)"
    program = Program("sleeper", launch=lambda: Launch([sys.executable, "-c", script], tmp_path))
    child = Child(program, tmp_path / "sleeper.log")
    yield child
    child.signal_group(signal.SIGKILL)
    child.wait(10)


def test_output_is_appended_to_the_log_and_the_end_is_told_once(child):
    child.start()
    deadline = time.monotonic() + 30
    while not child.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert child.log.read_text() == "up\n"
    child.ask_to_stop()
    assert child.wait(10)
    assert child.describe_end() == "was killed by SIGTERM"
    assert not child.alive
    assert child.poll() is False


def test_pauses_double_up_to_a_limit_and_begin_anew_after_a_settled_life(child):
    child.started_at = time.monotonic()
    assert [child.plan_restart() for _ in range(9)] == [
        0.5,
        1,
        2,
        4,
        8,
        16,
        LONGEST_PAUSE,
        LONGEST_PAUSE,
        LONGEST_PAUSE,
    ]
    child.started_at = time.monotonic() - 61
    assert child.plan_restart() == 0.5


def test_helpers_of_a_child_end_with_it(tmp_path):
    helper_file = tmp_path / "helper"
    script = (
        "import subprocess, sys, time; helper = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        f"open({str(helper_file)!r}, 'w').write(f'{{helper.pid}}\\n'); time.sleep(600)"
    )
    child = Child(Program("parent", launch=lambda: Launch([sys.executable, "-c", script], tmp_path)), tmp_path / "log")
    child.start()
    deadline = time.monotonic() + 30
    while not (helper_file.exists() and helper_file.read_text().endswith("\n")) and time.monotonic() < deadline:
        time.sleep(0.02)
    watched = os.pidfd_open(int(helper_file.read_text()))
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait(10)
    assert process.has_ended(watched, 10)


def test_the_last_port_is_taken_again_while_it_is_free(tmp_path):
    url_file = tmp_path / "portal.url"
    with address.listen("127.0.0.1", 0, url_file) as first:
        url = address.url_of(first)
        address.write_url(url_file, url)
        with address.listen("127.0.0.1", 0, url_file) as other:
            assert address.url_of(other) != url
    with address.listen("127.0.0.1", 0, url_file) as again:
        assert address.url_of(again) == url


@pytest.mark.parametrize("content", ["", "nonsense", "http://127.0.0.1:99999"])
def test_an_unusable_note_of_the_last_port_is_ignored(tmp_path, content):
    url_file = tmp_path / "portal.url"
    url_file.write_text(content)
    with address.listen("127.0.0.1", 0, url_file) as listener:
        assert listener.getsockname()[1] > 0


def test_a_given_port_that_is_taken_is_an_error(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(address.AddressInUseError, match="already in use"):
            address.listen("127.0.0.1", other.getsockname()[1], tmp_path / "portal.url")


def test_the_url_names_an_address_that_programs_here_can_reach():
    with address._bind("0.0.0.0", 0) as everywhere:
        assert address.url_of(everywhere) == f"http://127.0.0.1:{everywhere.getsockname()[1]}"
