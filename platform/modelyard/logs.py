"""Lines of the log, without the keys that mailed links carry: who reads a log shall not open what was sent to others."""

import logging
import re

LINKS = re.compile(r"((?:/invite|/confirm-email|/password/reset/key)/)[^/\s\"'?]+|(/invitations/)[\w-]{43}\b")


class LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return LINKS.sub(lambda found: f"{found[1] or found[2]}…", super().format(record))
