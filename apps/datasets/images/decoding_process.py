"""`python -m apps.datasets.images.decoding_process`: decodes pictures from its input, one after the other, guarded.

Each picture comes as 8 bytes of length and its bytes; the answer is a line, `sound` or `broken`. What the guard stops
ends the process.
"""

import os
import sys

from apps.datasets.images.decoding import decode_check, guard_process

COMMAND = ("-m", "apps.datasets.images.decoding_process")
MEMORY_BYTES = 2 << 30
CPU_SECONDS = 900
#: Nobody waits for these pictures; pages on the same cores go first.
NICENESS = 10


def main() -> None:
    guard_process(MEMORY_BYTES, CPU_SECONDS)
    os.nice(NICENESS)
    while size := sys.stdin.buffer.read(8):
        content = sys.stdin.buffer.read(int.from_bytes(size, "big"))
        sys.stdout.write("broken\n" if decode_check(content) else "sound\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
