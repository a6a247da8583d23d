"""What the log leaves out."""

import logging

import pytest
from modelyard.logs import LineFormatter

LINK = "Ab-_" * 10 + "xyz"


@pytest.mark.parametrize(
    "path",
    [
        f"/invite/{LINK}/sign-up/",
        f"/api/v1/invitations/{LINK}/accept",
        "/account/confirm-email/MQ:1abc:Xyz-_/",
        "/account/password/reset/key/5-abc-def/",
    ],
)
def test_keys_of_mailed_links_are_left_out_of_a_line_and_of_its_traceback(path):
    record = logging.LogRecord("django.request", logging.ERROR, "", 0, "Internal Server Error: %s", (path,), None)
    record.exc_text = f"raised at {path}"
    line = LineFormatter("{levelname} {message}", style="{").format(record)
    key = next(part for part in path.split("/") if part == LINK or ":" in part or part.startswith("5-"))
    assert key not in line
    assert line.count("/…") == 2


def test_other_addresses_stand_in_the_log_as_they_are():
    path = "/api/v1/invitations/01900000-0000-7000-8000-000000000000/resend"
    record = logging.LogRecord("django.request", logging.WARNING, "", 0, "Not Found: %s", (path,), None)
    assert path in LineFormatter("{message}", style="{").format(record)
