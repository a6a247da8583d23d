"""Lines of the log, without the keys that mailed links and signed addresses carry: who reads a log shall not open what
was sent to others."""

import logging
import re

LINKS = re.compile(
    r"((?:/invite|/confirm-email|/password/reset/key)/)[^/\s\"'?]+|(/invitations/)[\w-]{43}\b"
    r"|(X-Amz-(?:Signature|Security-Token)=)[^&\s\"'<>]+"
)


class LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return LINKS.sub(lambda found: f"{found[1] or found[2] or found[3]}…", super().format(record))
