"""`python -m apps.datasets.images.decoding_process`: decodes pictures from its input, one after the other, guarded.

Each picture comes as 8 bytes of length and its bytes; the answer is a line, `broken` or `sound` and the picture's look
as hexadecimal digits. What the guard stops ends the process.
"""

import os
import sys

from apps.datasets.images.decoding import examine, guard_process

COMMAND = ("-m", "apps.datasets.images.decoding_process")
MEMORY_BYTES = 2 << 30
CPU_SECONDS = 900
#: Nobody waits for these pictures; pages on the same cores go first.
NICENESS = 10


def main() -> None:
    guard_process(MEMORY_BYTES, CPU_SECONDS)
    os.nice(NICENESS)
    while size := sys.stdin.buffer.read(8):
        look = examine(sys.stdin.buffer.read(int.from_bytes(size, "big")))
        sys.stdout.write("broken\n" if look is None else f"sound {look.hex()}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
