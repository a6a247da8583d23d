"""Answers that are made while they are sent."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

from apps.core.connections import release_connection

# Made at once, in one turn of the request's thread: lines are small, chunks of files are not.
TURN_BYTES = 256 * 1024


class StreamedResponse(StreamingHttpResponse):
    """Sends what an ordinary iterator yields, turn by turn. Django itself would exhaust it before the first byte is
    sent: a checkpoint of gigabytes would lie in memory once for everybody who fetches it."""

    #: What is made between two turns reads on with a cursor of the server, which ends with its connection.
    keeps_connection = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces: Iterator[bytes] = iter(self.streaming_content)  # type: ignore[arg-type]
        # In the request's own thread, to which the connection of a database cursor belongs.
        while turn := await sync_to_async(_turn)(pieces, self.keeps_connection):
            yield turn


def _turn(pieces: Iterator[bytes], keeps_connection: bool) -> bytes:
    gathered, size = [], 0
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= TURN_BYTES:
            break
    if not keeps_connection:
        release_connection()
    return b"".join(gathered)
