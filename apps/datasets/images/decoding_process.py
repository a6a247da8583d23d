"""`python -m apps.datasets.images.decoding_process`: decodes pictures from its input, one after the other, guarded.

Each picture comes as 8 bytes of length, a byte that says how many of `COPIES` are wanted, and its bytes. The answer is a
line, `broken`, or `sound` and the picture's look as hexadecimal digits; behind the latter comes a line with the length of
each copy, and the copies. What the guard stops ends the process: before the first line it is the picture that cannot be
decoded, behind it the copy that cannot be made.
"""

import contextlib
import os
import sys
from collections.abc import Iterator

from apps.datasets.defects import BadInput
from apps.datasets.images.decoding import DECODING_ERRORS, decoded, guard_process, look_at, small_copies

COMMAND = ("-m", "apps.datasets.images.decoding_process")
SOUND, BROKEN = b"sound %s\n", b"broken\n"
#: Sides of the copies: what pages of images show, and what stands for a dataset in lists.
COPIES = (256, 128)
MEMORY_BYTES = 2 << 30
CPU_SECONDS = 900
#: Nobody waits for these pictures; pages on the same cores go first.
NICENESS = 10


def main() -> None:
    guard_process(MEMORY_BYTES, CPU_SECONDS)
    os.nice(NICENESS)
    while head := sys.stdin.buffer.read(9):
        for part in answers(sys.stdin.buffer.read(int.from_bytes(head[:8], "big")), COPIES[: head[8]]):
            sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()


def answers(content: bytes, sizes: tuple[int, ...]) -> Iterator[bytes]:
    """What is written about one picture, in the pieces in which it is known."""
    try:
        image = decoded(content)
        look = look_at(image)
    except BadInput:
        yield BROKEN
        return
    yield SOUND % look.hex().encode()
    copies: list[bytes] = []
    # Of a smaller picture a copy is made as fast as one is read.
    if sizes and max(image.size) > sizes[0]:
        with contextlib.suppress(*DECODING_ERRORS):
            copies = small_copies(image, sizes)
    yield b" ".join(b"%d" % len(copy) for copy in copies) + b"\n" + b"".join(copies)


if __name__ == "__main__":
    main()
