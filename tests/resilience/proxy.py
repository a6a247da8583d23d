"""A line that breaks: a proxy between a sender and the portal that cuts parts off and turns bits over.

Which parts suffer is drawn from a seed. Each suffers once, when it is first seen, so that a right sender gets through.
"""

import random
import re
import socket
import struct
import threading
from dataclasses import dataclass, field

PART = re.compile(rb"^PUT \S*/parts\?\S*\bnumber=(\d+)\b")
LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)
CONNECTION = re.compile(rb"^connection:.*\r\n", re.IGNORECASE | re.MULTILINE)
HEAD = 64 << 10
CHUNK = 64 << 10
SECONDS = 120.0


@dataclass
class Seen:
    """What went through: `received` bytes of parts in all, of which `cut_bytes` in parts that were cut."""

    received: int = 0
    cut: int = 0
    cut_bytes: int = 0
    flipped: int = 0
    flipped_bytes: int = 0
    #: Numbers of parts with a wrong byte that the portal took, and of whole ones that it refused.
    wrongly_taken: list[int] = field(default_factory=list)
    wrongly_refused: list[int] = field(default_factory=list)
    refused: int = 0


class BreakingProxy:
    """Listens at `url` until closed. Every request has a connection of its own, whatever the sender wishes."""

    def __init__(self, port: int, *, seed: int, parts: int, cuts: int, flips: int) -> None:
        self._random = random.Random(seed)
        suffering = self._random.sample(range(1, parts + 1), cuts + flips)
        self._cut, self._flip = set(suffering[:cuts]), set(suffering[cuts:])
        self._port, self._lock, self.seen = port, threading.Lock(), Seen()
        self._server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._listen)
        self._lines: list[threading.Thread] = []
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()
        for line in self._lines:
            line.join()

    def _listen(self) -> None:
        while True:
            try:
                sender, _address = self._server.accept()
            except OSError:
                return
            line = threading.Thread(target=self._serve, args=(sender,))
            self._lines.append(line)
            line.start()

    def _serve(self, sender: socket.socket) -> None:
        sender.settimeout(SECONDS)
        with sender, socket.create_connection(("127.0.0.1", self._port), timeout=SECONDS) as portal:
            try:
                self._request(sender, portal)
            except OSError:  # one of the two has gone
                return

    def _request(self, sender: socket.socket, portal: socket.socket) -> None:
        head, begun = _head(sender)
        if not head:
            return
        found = LENGTH.search(head)
        length = int(found[1]) if found else 0
        part = PART.match(head)
        number = int(part[1]) if part else -1
        cut_at, flip_at = self._fate(number, length)
        portal.sendall(CONNECTION.sub(b"", head).replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        went = 0
        while went < length:
            chunk = bytearray(begun or sender.recv(min(CHUNK, length - went)))
            begun = b""
            if not chunk:
                return
            if number >= 0:
                self._count(received=len(chunk))
            if went <= flip_at < went + len(chunk):
                chunk[flip_at - went] ^= 0x10
            if went <= cut_at < went + len(chunk):
                portal.sendall(chunk[: cut_at - went])
                self._count(cut_bytes=went + len(chunk))
                _break(sender, portal)
                return
            portal.sendall(chunk)
            went += len(chunk)
        if cut_at >= length:
            # The portal has all of it and answers; the sender does not hear it.
            while portal.recv(CHUNK):
                pass
            self._count(cut_bytes=length)
            _break(sender, portal)
            return
        self._answer(sender, portal, number, flipped=flip_at >= 0)

    def _fate(self, number: int, length: int) -> tuple[int, int]:
        """Where the body is cut, and which byte is turned; -1: not at all. A cut at its end takes the answer away."""
        with self._lock:
            if number in self._cut:
                self._cut.remove(number)
                self.seen.cut += 1
                return self._random.choice((self._random.randrange(length), length)), -1
            if number in self._flip:
                self._flip.remove(number)
                self.seen.flipped += 1
                self.seen.flipped_bytes += length
                return -1, self._random.randrange(length)
        return -1, -1

    def _answer(self, sender: socket.socket, portal: socket.socket, number: int, *, flipped: bool) -> None:
        first = True
        while chunk := portal.recv(CHUNK):
            if first and number >= 0:
                self._judge(number, chunk.startswith(b"HTTP/1.1 200"), flipped)
            first = False
            sender.sendall(chunk)

    def _judge(self, number: int, taken: bool, flipped: bool) -> None:
        with self._lock:
            self.seen.refused += int(flipped and not taken)
            if flipped and taken:
                self.seen.wrongly_taken.append(number)
            if not flipped and not taken:
                self.seen.wrongly_refused.append(number)

    def _count(self, *, received: int = 0, cut_bytes: int = 0) -> None:
        with self._lock:
            self.seen.received += received
            self.seen.cut_bytes += cut_bytes


def _head(sender: socket.socket) -> tuple[bytes, bytes]:
    """The request's head, and what came of its body with it."""
    found = b""
    while b"\r\n\r\n" not in found and len(found) < HEAD:
        chunk = sender.recv(CHUNK)
        if not chunk:
            return b"", b""
        found += chunk
    head, _end, body = found.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", body


def _break(*lines: socket.socket) -> None:
    """Resets, as a router does that has lost its power."""
    for line in lines:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.close()
