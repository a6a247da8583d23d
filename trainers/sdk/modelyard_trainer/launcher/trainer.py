"""The trainer's process: its environment, its start, its output, its end."""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from modelyard_trainer.launcher.folder import AttemptFolder
from modelyard_trainer.launcher.processes import ATTEMPT_VARIABLE, Process, process, send

BEGIN = Path(__file__).with_name("begin.py")
SDK = Path(__file__).resolve().parent.parent.parent
KEPT_VARIABLES = ("PATH", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "CUDA_HOME")
GPU_VARIABLES = ("NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# Libraries put sockets into TMPDIR with names of up to 31 bytes; an address of 108 bytes or more is refused.
LONGEST_TEMPORARY = 70


def trainer_environment(
    folder: AttemptFolder,
    attempt_id: str,
    trainer_folder: Path,
    variables: Mapping[str, str],
    *,
    cpus: int,
    gpus: list[str],
    temporary: Path,
) -> dict[str, str]:
    """The whole environment of a trainer's process; nothing else of the launcher's own is handed on."""
    environment = {name: os.environ[name] for name in (*KEPT_VARIABLES, *GPU_VARIABLES) if name in os.environ}
    environment |= {"PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1", **variables}
    environment |= {name: str(max(1, cpus)) for name in THREAD_VARIABLES}
    environment |= {
        ATTEMPT_VARIABLE: attempt_id,
        "PYTHONPATH": f"{SDK}{os.pathsep}{trainer_folder}",
        "HOME": str(folder.home),
        "TMPDIR": str(temporary),
        "CUDA_VISIBLE_DEVICES": ",".join(gpus),
    }
    return environment


def make_temporary(folder: AttemptFolder) -> Path:
    """The attempt's folder for temporary files, by a short name where its own is too long for sockets.

    Raises FileExistsError when somebody else has laid out something under that name.
    """
    folder.temporary.mkdir(mode=0o700, exist_ok=True)
    if len(os.fsencode(folder.temporary)) <= LONGEST_TEMPORARY:
        return folder.temporary
    short = _short_name(folder)
    if not _is_ours(short, folder):
        os.symlink(folder.temporary, short)
    return short


def remove_temporary(folder: AttemptFolder) -> None:
    """Removes the temporary files, and the short name if one was made, also by a predecessor."""
    short = _short_name(folder)
    if _is_ours(short, folder):
        short.unlink()
    shutil.rmtree(folder.temporary, ignore_errors=True)


def _short_name(folder: AttemptFolder) -> Path:
    digest = hashlib.sha256(os.fsencode(folder.temporary)).hexdigest()
    return Path("/tmp") / f"my-{digest[:16]}"  # nosec B108  # used when this user made it, else refused


def _is_ours(short: Path, folder: AttemptFolder) -> bool:
    return short.is_symlink() and short.lstat().st_uid == os.geteuid() and short.readlink() == folder.temporary


class LogCapture:
    """Copies what the trainer prints into its log, up to a cap; what is beyond is read and dropped."""

    def __init__(self, path: Path, cap: int):
        self.path = path
        self.cap = cap
        self.dropped = 0
        reader, self.writer = os.pipe()
        self._reader = os.fdopen(reader, "rb", buffering=0)
        self._thread = threading.Thread(target=self._copy, name="log", daemon=True)

    def start(self) -> None:
        """Begins to read; the parent's copy of the writing end is closed, so that the end is seen."""
        os.close(self.writer)
        self._thread.start()

    def finish(self, timeout: float) -> None:
        """Waits until every writer has gone and all is in the file."""
        self._thread.join(timeout)

    def _copy(self) -> None:
        with self._reader, open(self.path, "ab", buffering=0) as log:
            size = log.tell()
            while chunk := self._reader.read(1 << 16):
                kept = chunk[: max(0, self.cap - size)]
                try:
                    log.write(kept)
                    size += len(kept)
                    self.dropped += len(chunk) - len(kept)
                except OSError as error:
                    # A full disk must not stop the trainer at its next print.
                    print(f"log: {error}", file=sys.stderr)
                    self.dropped += len(chunk)


class Trainer:
    """A started trainer. `ended` is set by `poll` and holds exit code or signal."""

    def __init__(self, popen: "subprocess.Popen[bytes]", log: LogCapture):
        self._popen = popen
        self.log = log
        found = process(popen.pid)
        # A process that is not reaped yet is always found.
        assert found is not None
        self.process: Process = found
        self.pidfd = os.pidfd_open(popen.pid)

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._popen.poll()

    def terminate(self) -> None:
        """Asks the main process to stop by SIGTERM; its helpers are its own business."""
        send(self.process, signal.SIGTERM)

    def kill(self) -> None:
        send(self.process, signal.SIGKILL)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self.pidfd)


def start_trainer(
    folder: AttemptFolder, command: list[str], environment: Mapping[str, str], *, log_cap: int
) -> Trainer:
    """Starts the trainer in its own session, without input, its output captured.

    Called from the main thread: the kernel ties "kill the child when its parent dies" to the thread that started it.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("a trainer is started from the main thread")
    log = LogCapture(folder.log, log_cap)
    begin = [sys.executable, "-I", "-S", str(BEGIN), str(os.getpid()), str(folder.output), *command]
    popen = subprocess.Popen(
        begin,
        stdin=subprocess.DEVNULL,
        stdout=log.writer,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        start_new_session=True,
    )
    trainer = Trainer(popen, log)
    log.start()
    return trainer
