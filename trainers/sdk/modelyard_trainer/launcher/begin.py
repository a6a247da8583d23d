"""Becomes the trainer: sets what must be set in the child itself, then replaces this program by the trainer's.

Run as a plain file with `python -I -S`, in place of code between fork and exec, which is not safe in a process with
threads. The process number stays the same. Arguments: the launcher's process number, the working folder, the program,
its arguments.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
# The kernel shall choose the trainer before the launcher or the portal when memory runs out.
OOM_SCORE = b"500"


def main() -> None:
    launcher, folder, *command = sys.argv[1:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != int(launcher):
        # The launcher died before the signal was asked for, and it will never come.
        sys.exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    try:
        with open("/proc/self/oom_score_adj", "wb") as file:
            file.write(OOM_SCORE)
    except OSError as error:
        print(f"the kernel keeps its own order of whom to end first: {error}", file=sys.stderr)
    os.chdir(folder)
    os.execv(command[0], command)


main()
