"""Where the portal listens: a socket that the supervisor holds open across restarts of the web process."""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

USUAL_PORT = 8000
BACKLOG = 2048


class AddressInUseError(Exception):
    """The port that was asked for cannot be bound."""


def listen(host: str, port: int, last_url_file: Path) -> socket.socket:
    """A listening TCP socket.

    With `port` 0 the port of the last run is taken when it is free, so that bookmarks and running trainers stay
    valid, else 8000, else any free port. A given port that is taken raises AddressInUseError.
    """
    if port:
        try:
            return _bind(host, port)
        except OSError as error:
            raise AddressInUseError(f"Cannot listen on {host} port {port}: {error.strerror}.") from error
    for candidate in (_last_port(last_url_file), USUAL_PORT):
        if candidate:
            try:
                return _bind(host, candidate)
            except OSError:
                continue
    return _bind(host, 0)


def free_port() -> int:
    """A loopback port that is free now, for a program that must be told its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def url_of(listener: socket.socket) -> str:
    """The URL under which programs on this machine reach the socket."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # nosec B104  # translated, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def write_url(file: Path, url: str) -> None:
    """Put `url` into `file` at once: a reader sees the old or the new one, never half."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    fresh.write_text(f"{url}\n")
    fresh.replace(file)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _last_port(file: Path) -> int:
    try:
        return urlsplit(file.read_text().strip()).port or 0
    except (OSError, ValueError):
        return 0
