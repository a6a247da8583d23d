"""A `requests` session that goes nowhere else than it was sent, and takes no more than it was asked to."""

import http.client
import socket
import threading
import time
from contextvars import ContextVar
from typing import Any

import requests
import urllib3
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from apps.core.outbound.errors import OutboundError, Stopped
from apps.core.outbound.origins import Origin, is_public, origin_of

MOST_BYTES = 1024 * 1024
#: For a whole request, and for a single wait within it.
SECONDS = 10.0
STALL_SECONDS = 5.0
PIECE = 65536


def session(*, seconds: float | None = None, most_bytes: int = MOST_BYTES) -> "OutboundSession":
    """A session for one use; whatever goes wrong is an `OutboundError`."""
    return OutboundSession(SECONDS if seconds is None else seconds, most_bytes)


class Watch:
    """Shuts the request's sockets down when its time is over: a byte a second, in head or body, keeps nobody."""

    def __init__(self, origin: Origin, seconds: float) -> None:
        self.origin = origin
        self.ends_at = time.monotonic() + seconds
        self.sockets: list[socket.socket] = []
        self.timer = threading.Timer(seconds, self.end)
        self.timer.daemon = True
        self.timer.start()

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.ends_at

    def add(self, sock: socket.socket) -> None:
        """A copy: TLS takes the socket itself away."""
        self.sockets.append(sock.dup())

    def close(self) -> None:
        self.timer.cancel()
        self.timer.join()
        for sock in self.sockets:
            sock.close()

    def end(self) -> None:
        for sock in self.sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:  # it has ended by itself
                continue


_watch: ContextVar[Watch] = ContextVar("outbound_watch")


class _Pinned(HTTPConnection):
    """Resolves once and connects to an address that was checked. Names and certificates stay those of the host."""

    def _new_conn(self) -> socket.socket:
        watch = _watch.get()
        try:
            found = socket.getaddrinfo(watch.origin.host, watch.origin.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Stopped("host_unknown") from error
        if not watch.origin.is_private and not all(is_public(str(info[4][0])) for info in found):
            raise Stopped("address_private")
        for family, kind, protocol, _name, address in found:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(STALL_SECONDS)
                sock.connect(address)
            except OSError:
                sock.close()
                if watch.is_over:
                    break
                continue
            watch.add(sock)
            return sock
        raise Stopped("too_slow" if watch.is_over else "unreachable")


class _PinnedTls(_Pinned, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Pinned


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _PinnedTls


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


class OutboundSession(requests.Session):
    """Use it as a context manager. Its answers are read already, whatever `stream` says."""

    def __init__(self, seconds: float, most_bytes: int) -> None:
        super().__init__()
        self.seconds, self.most_bytes = seconds, most_bytes
        # Neither proxies nor passwords of this machine's environment.
        self.trust_env = False
        self.verify = settings.OUTBOUND_CA_FILE or True
        self.headers.update({"Accept-Encoding": "identity", "User-Agent": "Modelyard", "Connection": "close"})
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: no redirect is followed, nor read."""
        return None

    def watch(self, origin: Origin) -> "Watch":
        """What bounds one request in time."""
        return Watch(origin, self.seconds)

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Raises `OutboundError` for a URL that may not be called, before a library reads it in its own way."""
        origin_of(str(request.url or ""))
        return super().prepare_request(request)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Raises `OutboundError`."""
        watch = self.watch(origin_of(request.url or ""))
        before = _watch.set(watch)
        options |= {"stream": True, "allow_redirects": False, "timeout": STALL_SECONDS, "proxies": {}}
        try:
            return self.taken(super().send(request, **options), watch)
        except Stopped as stopped:
            raise OutboundError(stopped.code) from stopped
        except OutboundError:
            raise
        except (OSError, urllib3.exceptions.HTTPError, http.client.HTTPException, ValueError) as error:
            raise OutboundError(_reason(error, watch)) from error
        finally:
            _watch.reset(before)
            watch.close()

    def taken(self, response: requests.Response, watch: Watch) -> requests.Response:
        """The response with its whole body, which is short enough and not packed."""
        with response:
            if 300 <= response.status_code < 400:
                raise OutboundError("redirected")
            if response.headers.get("Content-Encoding", "identity").lower() not in {"identity", ""}:
                raise OutboundError("answer_unreadable")
            body = b""
            while piece := response.raw.read1(PIECE, decode_content=False):
                body += piece
                if len(body) > self.most_bytes:
                    raise OutboundError("too_large")
            if watch.is_over:  # what has come may be only a part
                raise OutboundError("too_slow")
        response._content, response._content_consumed = body, True
        return response


def _reason(error: Exception, watch: Watch) -> str:
    if watch.is_over or isinstance(error, requests.Timeout | TimeoutError | urllib3.exceptions.TimeoutError):
        return "too_slow"
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return "tls_failed"
    return "unreachable"
