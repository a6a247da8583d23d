"""Small copies of large pictures, in a child process whose memory and time are bounded, one at a time.

`python -m apps.datasets.images.thumbnail_process <size>` reads a picture from its input and writes the WebP copy; what
is wrong with the picture it writes as JSON to its error output, with exit code 3.
"""

import io
import json
import subprocess
import sys
import threading
import warnings
from pathlib import Path

from PIL import Image

from apps.datasets.defects import BadInput
from apps.datasets.images.decoding import DECODING_ERRORS, FORMATS, guard_process, thumbnail

COMMAND = ("-m", "apps.datasets.images.thumbnail_process")
MEMORY_BYTES = 2 << 30
CPU_SECONDS = 30
WAIT_SECONDS = 60.0
#: Until it is a picture's turn.
TURN_SECONDS = 10.0
REFUSED = 3
#: Up to here a copy costs no more than a request may: 64 MiB of pixels, and as much for their conversion.
INLINE_PIXELS = 16_000_000

_one_at_a_time = threading.Lock()


class TurnMissed(Exception):
    """Other large pictures were being read for too long."""


def bounded_thumbnail(source: bytes | Path, size: int) -> bytes:
    """As `thumbnail`; a large picture takes nothing of this process but the copy. Raises
    BadInput, and TurnMissed."""
    if _pixels(source) <= INLINE_PIXELS:
        return thumbnail(source, size)
    content = source if isinstance(source, bytes) else source.read_bytes()
    if not _one_at_a_time.acquire(timeout=TURN_SECONDS):
        raise TurnMissed
    try:
        try:
            done = subprocess.run(
                [sys.executable, *COMMAND, str(size)],
                cwd=Path(__file__).resolve().parents[3],
                input=content,
                capture_output=True,
                timeout=WAIT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BadInput("image.undecodable", detail="it takes too long") from None
    finally:
        _one_at_a_time.release()
    if done.returncode == 0:
        return done.stdout
    if done.returncode == REFUSED:
        found = json.loads(done.stderr)
        raise BadInput(found["code"], **found["params"])
    raise BadInput("image.undecodable", detail="it takes too much memory or time")


def _pixels(source: bytes | Path) -> int:
    """By the header alone; 0 for what is no picture, which `thumbnail` then says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
                return image.width * image.height
        except DECODING_ERRORS:
            return 0


def main() -> None:
    guard_process(MEMORY_BYTES, CPU_SECONDS)
    try:
        copy = thumbnail(sys.stdin.buffer.read(), int(sys.argv[1]))
    except BadInput as refused:
        sys.stderr.write(json.dumps({"code": refused.defect.code, "params": refused.defect.params}))
        sys.exit(REFUSED)
    sys.stdout.buffer.write(copy)


if __name__ == "__main__":
    main()
