"""Why a request was not made, or its answer not taken."""

import requests

#: Every code that an `OutboundError` can have.
CODES = (
    "url_refused",
    "host_unknown",
    "address_private",
    "unreachable",
    "tls_failed",
    "too_slow",
    "too_large",
    "redirected",
    "answer_unreadable",
)

#: What a download (`apps.core.outbound.download`) can be refused for besides.
DOWNLOAD_CODES = (
    "answer_refused",
    "answer_page",
)


class OutboundError(requests.RequestException):
    """`code` is stable and for programs; the text is nobody's but the log's."""

    def __init__(self, code: str, status: int | None = None) -> None:
        assert code in CODES or code in DOWNLOAD_CODES
        super().__init__(code)
        self.code = code
        # What the server answered, for `answer_refused`.
        self.status = status


class Stopped(Exception):
    """The same, thrown through libraries that would wrap an `OSError`, which an `OutboundError` is."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
