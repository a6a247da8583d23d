"""A WebSocket client without a server (channels' own needs daphne)."""

import json
from typing import Any
from urllib.parse import urlsplit

from asgiref.testing import ApplicationCommunicator


class SocketClient(ApplicationCommunicator):
    """Opens a WebSocket on an ASGI application. `await connect()` first; close codes are in `closed`."""

    def __init__(
        self,
        application: Any,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        subprotocols: list[str] | None = None,
    ) -> None:
        parts = urlsplit(path)
        scope = {
            "type": "websocket",
            "path": parts.path,
            "query_string": parts.query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
            "subprotocols": subprotocols or [],
            "client": ("127.0.0.1", 50_000),
        }
        super().__init__(application, scope)
        self.closed: int | None = None
        self.subprotocol: str | None = None

    async def connect(self, timeout: float = 10) -> bool:
        """Whether the socket was accepted; refused ones have their code in `closed`."""
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output(timeout)
        if answer["type"] == "websocket.close":
            self.closed = answer.get("code", 1000)
            return False
        self.subprotocol = answer.get("subprotocol")
        return True

    async def send_json(self, message: Any) -> None:
        await self.send_input({"type": "websocket.receive", "text": json.dumps(message)})

    async def send_text(self, text: str) -> None:
        await self.send_input({"type": "websocket.receive", "text": text})

    async def send_bytes(self, content: bytes) -> None:
        await self.send_input({"type": "websocket.receive", "bytes": content})

    async def receive_json(self, timeout: float = 10) -> Any:
        """The next frame. Raises `ConnectionError` when the server closed instead."""
        answer = await self.receive_output(timeout)
        if answer["type"] == "websocket.close":
            self.closed = answer.get("code", 1000)
            raise ConnectionError(f"closed with {self.closed}")
        return json.loads(answer["text"])

    async def receive_close(self, timeout: float = 10) -> int:
        """The code with which the server closes; frames before it are passed over."""
        while self.closed is None:
            try:
                await self.receive_json(timeout)
            except ConnectionError:
                break
        assert self.closed is not None
        return self.closed

    async def disconnect(self, code: int = 1000, timeout: float = 10) -> None:
        if self.closed is None:
            await self.send_input({"type": "websocket.disconnect", "code": code})
        await self.wait(timeout)
