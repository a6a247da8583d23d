"""Logs in pieces, read back by tail and search; files that are kept only when every byte is right."""

import hashlib
import io
import threading
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, connection
from django.test import override_settings

from apps.core.storage import storage
from apps.core.storage.keys import blob_key
from apps.jobs.models import AttemptFile, Job, LogChunk
from apps.jobs.selectors import log_search, log_slice
from apps.jobs.services import ingest
from apps.jobs.services.attempts import attempt_lost
from apps.jobs.services.dispatch import dispatch
from apps.jobs.services.ingest import MAX_LOG_PIECE
from apps.jobs.states import JobState
from tests.jobs.support import Launcher, assert_nothing_left_incoming, make_job, running

pytestmark = pytest.mark.django_db
TEXT = "안녕하세요 world 😀\n"


def job_of(launcher: Launcher) -> Job:
    return Job.objects.get(pk=launcher.attempt.job_id)


def read_all(job: Job, limit: int) -> str:
    text, offset = "", 0
    while True:
        piece = log_slice(job, offset, limit)
        text += piece["text"]
        if piece["next_offset"] == offset or piece["complete"]:
            return text
        offset = piece["next_offset"]


def test_pieces_are_appended_and_what_is_there_already_is_answered_only() -> None:
    launcher = running()
    assert launcher.log(0, b"one ") == (200, {"offset": 4, "commands": []})
    assert launcher.log(0, b"one ")[1]["offset"] == 4
    assert launcher.log(9, b"far")[1]["offset"] == 4
    assert launcher.log(4, b"two")[1]["offset"] == 7
    assert log_slice(job_of(launcher), 0, 100)["text"] == "one two"
    assert LogChunk.objects.count() == 2


def test_a_piece_that_is_too_large_is_refused() -> None:
    launcher = running()
    assert launcher.log(0, b"x" * (MAX_LOG_PIECE + 1))[0] == 413
    assert launcher.log(0, b"x" * MAX_LOG_PIECE)[0] == 200
    assert launcher.call("POST", "logs?offset=-1", raw=b"x")[0] == 422
    assert launcher.call("POST", "logs", raw=b"x")[0] == 422


@pytest.mark.django_db(transaction=True)
def test_of_two_pieces_for_one_place_one_is_kept_and_its_bytes_are_there() -> None:
    launcher = running()
    contents, barrier = [b"a" * 50, b"b" * 60], threading.Barrier(2)

    def send(content: bytes) -> None:
        try:
            speaker = Launcher.__new__(Launcher)
            speaker.__dict__ = {**launcher.__dict__, "client": type(launcher.client)()}
            barrier.wait(10)
            speaker.log(0, content)
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert log_slice(job_of(launcher), 0, 1000)["text"].encode() in contents
    assert LogChunk.objects.count() == 1


def test_the_logs_of_two_attempts_follow_one_another() -> None:
    first = running()
    first.log(0, b"first attempt\n")
    attempt_lost(attempt=first.attempt, reason="node_lost")
    dispatch()
    second = Launcher(job_of(first).attempts.get(no=2), token="second")
    second.hello("nonce-of-the-second")
    assert second.log(0, b"second attempt\n")[1]["offset"] == 15
    assert log_slice(job_of(first), 0, 1000)["text"] == "first attempt\nsecond attempt\n"


@pytest.mark.parametrize("limit", [1, 4, 5, 7, 64, 1000])
@pytest.mark.parametrize("cut", [1, 2, 3, 5, 17, 20, 22])
def test_characters_stay_whole_however_the_log_was_cut(cut: int, limit: int) -> None:
    launcher = running()
    content = (TEXT * 3).encode()
    launcher.log(0, content[:cut])
    # Read while the rest of a character may be on its way.
    begin = read_all(job_of(launcher), limit)
    assert (TEXT * 3).startswith(begin)
    launcher.log(cut, content[cut:])
    assert read_all(job_of(launcher), limit) == TEXT * 3


def test_the_tail_begins_with_a_whole_line_and_an_ended_log_says_so() -> None:
    launcher = running()
    launcher.log(0, (TEXT * 5).encode() + b"last \xff")
    tail = log_slice(job_of(launcher), -40, 1000)
    # The last byte could be the beginning of a character.
    assert tail["text"] == TEXT + "last "
    assert (tail["complete"], tail["size"]) == (False, len(TEXT.encode()) * 5 + 6)
    launcher.end(exit_code=3)
    ended = log_slice(job_of(launcher), tail["next_offset"], 1000)
    assert (ended["text"], ended["complete"]) == ("\ufffd", True)
    assert log_slice(job_of(launcher), 10_000, 10)["text"] == ""


def test_a_job_without_a_log_has_an_empty_one() -> None:
    job = make_job(JobState.DRAFT)
    assert log_slice(job, -100, 100)["text"] == ""
    assert log_search(job, "x") == {"matches": [], "more": False}


def test_a_cut_log_says_so() -> None:
    launcher = running()
    launcher.log(0, b"x" * 100)
    assert log_slice(job_of(launcher), 0, 10)["truncated"] is False
    with override_settings(JOBS={**override_jobs(), "log_cap_bytes": 100}):
        assert log_slice(job_of(launcher), 0, 10)["truncated"] is True


def override_jobs() -> dict[str, Any]:
    from django.conf import settings  # import here: only this test looks at the settings

    return dict(settings.JOBS)


def test_search_finds_lines_in_any_case_across_pieces_and_at_the_end() -> None:
    launcher = running()
    launcher.log(0, b"first\nEpo")
    launcher.log(9, "ch 1 손실\nnothing\nlast EPOCH".encode())
    found = log_search(job_of(launcher), "epoch")
    assert found == {
        "matches": [
            {"offset": 6, "line": 2, "text": "Epoch 1 손실"},
            {"offset": 29, "line": 4, "text": "last EPOCH"},
        ],
        "more": False,
    }


def test_search_stops_at_two_hundred() -> None:
    launcher = running()
    launcher.log(0, b"again\n" * 201)
    found = log_search(job_of(launcher), "again")
    assert (len(found["matches"]), found["more"]) == (200, True)


def test_a_piece_that_is_gone_from_storage_is_said_and_moves_nothing() -> None:
    launcher = running()
    for number in range(3):
        launcher.log(number * 60, b"%d" % number * 59 + b"\n")
    storage().delete(LogChunk.objects.get(offset=60).key)
    text = log_slice(job_of(launcher), 0, 1000)["text"]
    assert len(text) == 180
    assert "missing in storage" in text
    assert text.startswith("0" * 59)
    assert text.endswith("2" * 59 + "\n")


def test_a_file_is_a_blob_of_the_organization() -> None:
    launcher = running()
    assert launcher.upload("weights.pt", b"weights") == (200, {"stored": True})
    assert launcher.upload("weights.pt", b"weights") == (200, {"stored": True})
    file = AttemptFile.objects.get()
    assert (file.kind, file.name, file.size) == ("checkpoint", "weights.pt", 7)
    key = blob_key(job_of(launcher).organization_id, file.sha256)
    assert storage().read(key) == b"weights"


def test_bytes_that_are_not_those_announced_leave_nothing() -> None:
    launcher = running()
    status, answer = launcher.upload("weights.pt", b"weights", sha256="a" * 64)
    assert (status, answer["code"]) == (422, "digest_differs")
    digest = "9e5d7d3b7e3c6f5c1d2b0a4f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b"
    assert launcher.call("PUT", f"files?name=x&sha256={digest}&size=9&kind=checkpoint", raw=b"weights")[0] == 422
    assert not AttemptFile.objects.exists()
    assert_nothing_left_incoming()
    assert storage().size(blob_key(job_of(launcher).organization_id, "a" * 64)) is None


def test_a_database_that_goes_before_the_row_is_written_leaves_no_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    launcher = running()

    def gone(organization_id: UUID) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(ingest, "blobs_shared", gone)
    with pytest.raises(OperationalError):
        ingest.file_store(
            attempt=launcher.attempt,
            kind="checkpoint",
            name="weights.pt",
            sha256=hashlib.sha256(b"weights").hexdigest(),
            size=7,
            stream=io.BytesIO(b"weights"),
        )
    assert_nothing_left_incoming()


@pytest.mark.parametrize(
    "query",
    [
        f"name=x&sha256={'a' * 64}&size=1&kind=other",
        f"name=&sha256={'a' * 64}&size=1&kind=artifact",
        f"name={'x' * 301}&sha256={'a' * 64}&size=1&kind=artifact",
        f"name=a%00b&sha256={'a' * 64}&size=1&kind=artifact",
        f"name=x&sha256=..%2F{'a' * 61}&size=1&kind=artifact",
        f"name=x&sha256={'A' * 64}&size=1&kind=artifact",
        f"name=x&sha256={'a' * 64}&kind=artifact",
        f"name=x&sha256={'a' * 64}&size=-1&kind=artifact",
        f"name=x&sha256={'a' * 64}&size=9999999999999999999&kind=artifact",
    ],
)
def test_a_file_that_is_not_described_is_malformed(query: str) -> None:
    status, answer = running().call("PUT", f"files?{query}", raw=b"x")
    assert (status, answer["code"]) == (422, "malformed")
