"""What the log leaves out."""

import logging

import pytest
from django.conf import settings
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


def test_what_makes_a_signed_address_work_is_left_out():
    url = "https://store.example/b/k?partNumber=1&X-Amz-Signature=0123abcd&X-Amz-Security-Token=FwoG%2Bx&x=1"
    record = logging.LogRecord("httpcore", logging.ERROR, "", 0, "PUT %s failed", (url,), None)
    line = LineFormatter("{message}", style="{").format(record)
    assert line == "PUT https://store.example/b/k?partNumber=1&X-Amz-Signature=…&X-Amz-Security-Token=…&x=1 failed"


def test_the_client_of_the_store_does_not_tell_signatures_at_any_level():
    assert settings.LOGGING["loggers"]["botocore"]["level"] == "INFO"


def test_other_addresses_stand_in_the_log_as_they_are():
    path = "/api/v1/invitations/01900000-0000-7000-8000-000000000000/resend"
    record = logging.LogRecord("django.request", logging.WARNING, "", 0, "Not Found: %s", (path,), None)
    assert path in LineFormatter("{message}", style="{").format(record)
