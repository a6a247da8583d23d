"""How a trainer's process says how it ended."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the trainer contract; anything else counts as a crash."""

    DONE = 0
    CRASHED = 1
    BAD_CONFIG = 2
    BAD_DATA = 3
    OUT_OF_MEMORY = 4
    MODE_NOT_HONOURED = 5
    DIVERGED = 6
    STOPPED = 10


# The failure codes that have an exit code of their own; every other failure ends with `CRASHED`.
FAILURE_EXITS = {
    "bad_config": ExitCode.BAD_CONFIG,
    "bad_data": ExitCode.BAD_DATA,
    "out_of_memory": ExitCode.OUT_OF_MEMORY,
    "mode_not_honoured": ExitCode.MODE_NOT_HONOURED,
    "diverged": ExitCode.DIVERGED,
}
