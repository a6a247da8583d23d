"""Answers that are made while they are sent."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

# Made at once, in one turn of the request's thread: lines are small, chunks of files are not.
TURN_BYTES = 256 * 1024


class StreamedResponse(StreamingHttpResponse):
    """Sends what an ordinary iterator yields, turn by turn. Django itself would exhaust it before the first byte is
    sent: a checkpoint of gigabytes would lie in memory once for everybody who fetches it."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces: Iterator[bytes] = iter(self.streaming_content)  # type: ignore[arg-type]
        # In the request's own thread, to which the connection of a database cursor belongs.
        while turn := await sync_to_async(_turn)(pieces):
            yield turn


def _turn(pieces: Iterator[bytes]) -> bytes:
    gathered, size = [], 0
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= TURN_BYTES:
            break
    return b"".join(gathered)
