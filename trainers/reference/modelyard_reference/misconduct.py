"""What goes wrong on purpose, so that everybody who deals with trainers can be tested against it."""

import os
import signal
import subprocess
import sys

from modelyard_trainer import Context, Failure

# Outlives its parent, hears no polite signal, and has left the session.
STRAY = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(3600)\n"


def misbehave_at_start(context: Context) -> object:
    """Ignores SIGTERM, leaves a stray process or holds memory, as configured; the caller keeps what is returned."""
    config = context.config
    if config["ignore_sigterm"]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if config["fork_setsid"]:
        subprocess.Popen([sys.executable, "-c", STRAY], start_new_session=True)
    # Written to, so that the pages are really there.
    return b"x" * (config["memory_mb"] << 20)


def misbehave_at_step(context: Context, step: int) -> None:
    """Prints and fails as configured."""
    config = context.config
    if config["print_bytes"]:
        line = f"step {step} " + "." * 80
        print("\n".join([line[:80]] * (config["print_bytes"] // 81 + 1))[: config["print_bytes"] - 1])
    if step != config["fail_at"]:
        return
    code = config["fail_code"]
    if code == "exit":
        os._exit(0)
    if code == "crash":
        raise RuntimeError(f"crashed at step {step} as configured")
    if code == "out_of_memory":
        raise MemoryError(f"no memory at step {step} as configured")
    raise Failure(code, f"failed at step {step} as configured", hint="Set fail_at to 0.", params={"step": step})
