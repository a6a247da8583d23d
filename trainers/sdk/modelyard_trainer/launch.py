"""The launcher's entry: becomes a daemon, takes the attempt's lock, runs the attempt.

`python -m modelyard_trainer.launch --attempt ID --folder DIR --portal-file FILE --trainers DIR --cache DIR`
"""

import argparse
import ctypes
import os
import sys
from pathlib import Path

from modelyard_trainer.launcher.folder import AttemptFolder
from modelyard_trainer.launcher.portal import Portal
from modelyard_trainer.launcher.session import Session

PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if not (options.folder / "token").is_file():
        parser.error(f"{options.folder} is no attempt's folder: it holds no token")
    # Names given relative to the caller's folder must outlive the change to another.
    folder = AttemptFolder(options.folder)
    portal_file, trainers, cache = (path.resolve() for path in (options.portal_file, options.trainers, options.cache))
    os.umask(0o077)
    if not options.foreground:
        _daemonize(folder.path / "launcher.log")
    if not folder.lock():
        print("another launcher lives: leaving", file=sys.stderr)
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")
    # The trainer often runs under the same user: it shall not read the launcher's memory or environment.
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    token = folder.token.read_text(encoding="ascii").strip()
    portal = Portal(options.attempt, token, portal_file, timeout=options.timeout_seconds)
    return Session(folder, portal, trainers=trainers, cache=cache, recover=options.recover).run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Runs one attempt of a job: started by an executor, not by hand.")
    parser.add_argument("--attempt", required=True, help="the attempt's id")
    parser.add_argument("--folder", required=True, type=Path, help="the attempt's folder, which holds the token")
    parser.add_argument("--portal-file", required=True, type=Path, help="file that holds the portal's address")
    parser.add_argument("--trainers", required=True, type=Path, help="folder of the trainers")
    parser.add_argument("--cache", required=True, type=Path, help="folder that keeps environments")
    parser.add_argument("--recover", action="store_true", help="the first launcher died: tidy up and report")
    parser.add_argument("--foreground", action="store_true", help="do not become a daemon")
    parser.add_argument("--timeout-seconds", type=float, default=30.0, help="patience with one silent connection")
    return parser


def _daemonize(log: Path) -> None:
    """Leaves the caller's session, terminal and files; the caller's process ends with 0 at once."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


if __name__ == "__main__":
    sys.exit(main())
