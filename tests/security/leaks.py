"""Where a secret could have got to: everything that a running portal keeps, prints and sends, as bytes."""

import base64
import json
import os
import re
import socket
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlsplit

import psycopg
import redis
from modelyard import embedded

#: What people open their mailbox for, what the keys are for, and what is read as a dump instead.
OUT_OF_SIGHT = ("mail", "secrets", "postgres", "staticfiles")
#: The launcher's key to its attempt, a file of its own that it alone may read.
TOKEN_FILE = "token"


def forms(secret: str) -> set[bytes]:
    """A secret as itself, as hex, as base64 wherever it begins, and as URLs and JSON write it."""
    raw = secret.encode()
    found = {raw, raw.hex().encode(), raw.hex().upper().encode(), quote(secret, safe="").encode()}
    found.add(json.dumps(secret)[1:-1].encode())
    for offset in range(3):
        # What is before and behind it decides the first and the last letter.
        begin, end = -(-offset * 8 // 6), (offset + len(raw)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(b"\0" * offset + raw)[begin:end])
    return found


def database(home: Path) -> Iterator[tuple[str, bytes]]:
    """Every row of every table, as a dump holds it; sessions opened as well."""
    for name, url in (("modelyard", embedded.database_url(home)), ("mlflow", embedded.mlflow_database_url(home))):
        with psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as connection:
            tables = connection.execute("SELECT schemaname, tablename FROM pg_tables WHERE tableowner = current_user")
            for schema, table in tables.fetchall():
                with connection.cursor().copy(f'COPY "{schema}"."{table}" TO STDOUT') as rows:
                    yield f"table {name}.{table}", b"".join(rows)
            if name == "modelyard":
                for (data,) in connection.execute("SELECT session_data FROM django_session").fetchall():
                    yield "contents of sessions", _session(data)


def _session(data: str) -> bytes:
    packed, content = data.startswith("."), data.lstrip(".").split(":")[0]
    opened = base64.urlsafe_b64decode(content + "=" * (-len(content) % 4))
    return zlib.decompress(opened) if packed else opened


def broker(home: Path) -> Iterator[tuple[str, bytes]]:
    """Every key and value that is left in the broker."""
    for number in range(16):
        with redis.Redis.from_url(embedded.redis_url(home, db=number)) as client:
            readers = {
                b"string": client.get,
                b"list": lambda key: client.lrange(key, 0, -1),
                b"set": client.smembers,
                b"hash": client.hgetall,
                b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
            }
            for key in client.scan_iter():
                kind = client.type(key)
                # One that has expired meanwhile is not left any more.
                value = b"" if kind == b"none" else repr(readers[kind](key)).encode()
                yield f"broker, {number}", key + b" " + value


class Overheard:
    """All that goes through the broker while the block runs, also what is gone afterwards."""

    def __init__(self, home: Path) -> None:
        self.path = urlsplit(embedded.redis_url(home, db=0)).path
        self.content = bytearray()
        self.socket = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> Self:
        self.socket.connect(self.path)
        self.socket.sendall(b"MONITOR\r\n")
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()
        return self

    def _listen(self) -> None:
        while piece := self.socket.recv(1 << 16):
            self.content += piece

    def __exit__(self, *exception: object) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.socket.close()


def files(*folders: Path) -> Iterator[tuple[str, bytes]]:
    """Logs, journals, objects, artifacts of MLflow: every file but those that are there to hold secrets."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            parts = path.relative_to(folder).parts
            if path.is_file() and parts[0] not in OUT_OF_SIGHT and path.name != TOKEN_FILE:
                yield f"file {'/'.join(parts)}", path.read_bytes()


def command_lines() -> Iterator[tuple[str, bytes]]:
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            yield "process list", Path(f"/proc/{number}/cmdline").read_bytes()
        except OSError:  # ended meanwhile
            continue


def hits(secrets: dict[str, str], places: Iterator[tuple[str, bytes]]) -> tuple[list[str], int]:
    """`secret in place` for each that was found, and how many bytes were looked through."""
    patterns = {name: re.compile(b"|".join(map(re.escape, sorted(forms(text))))) for name, text in secrets.items()}
    found, size = set(), 0
    for place, content in places:
        size += len(content)
        found |= {f"{name} in {place}" for name, pattern in patterns.items() if pattern.search(content)}
    return sorted(found), size
