"""Builds a trainer's environment from its hashed lock file, once per lock, Python and platform.

`python -m modelyard_trainer.environments <trainer folder> --cache DIR` builds it ahead of the first job.
"""

import argparse
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import platform
import re
import selectors
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

Progress = Callable[[float, str], None]
COMPLETE = ".complete"
QUIET_SECONDS = 5.0
REQUIREMENT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*(\[[^\]]*\])?\s*(==|@)", re.MULTILINE)
# A line that names one package counts towards the fraction; the rest is only shown.
STEP = re.compile(r"^\s*(Collecting|Downloading|Downloaded|Building|Built|Using cached|\+)\s")


class BuildError(Exception):
    """The environment cannot be built; `output` is the tail of what the installer said."""

    def __init__(self, message: str, output: str = ""):
        super().__init__(message)
        self.output = output


class Cancelled(Exception):
    """The caller gave the build up; the next one begins anew."""


@dataclass(frozen=True)
class Environment:
    """A Python that can run a trainer. `folder` and `key` are None for the interpreter that runs now."""

    python: Path
    folder: Path | None = None
    key: str | None = None
    built: bool = False


def environment_key(lock: bytes) -> str:
    """The cache key: the lock file's bytes, the Python version and the platform."""
    digest = hashlib.sha256()
    for part in (lock, platform.python_version().encode(), sysconfig.get_platform().encode()):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:32]


def ensure(
    trainer_folder: str | os.PathLike[str],
    cache: str | os.PathLike[str],
    *,
    progress: Progress = lambda fraction, message: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Environment:
    """The environment of the trainer in `trainer_folder`, built in `<cache>/trainers/<key>` when it is not there.

    `progress(fraction 0…1, message)` is called as it goes, `cancelled()` often; the variables of the caller steer the
    installer (indexes, find-links, caches). Two callers build once: the second waits. Raises BuildError, and
    Cancelled when `cancelled` said so.
    """
    lock_path, python = _wanted(Path(trainer_folder))
    if not version_allowed(python, platform.python_version()):
        raise BuildError(f"the trainer needs Python {python}, this is {platform.python_version()}")
    if lock_path is None:
        return Environment(Path(sys.executable))
    return ensure_lock(lock_path, cache, progress=progress, cancelled=cancelled)


def ensure_lock(
    lock_path: Path,
    cache: str | os.PathLike[str],
    *,
    progress: Progress = lambda fraction, message: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Environment:
    """The environment that a hashed lock file names; as `ensure` builds it."""
    try:
        environment = locked_environment(lock_path, cache)
        lock = lock_path.read_bytes()
    except OSError as error:
        raise BuildError(f"{lock_path} cannot be read: {error}") from error
    folder = environment.folder
    assert folder is not None
    if is_complete(environment):
        return environment
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(f"{folder.name}.lock"), progress, cancelled) as held:
        if is_complete(environment):
            return environment
        # A venv knows its own place, so it is built there; without the marker it is the rest of a broken build.
        shutil.rmtree(folder, ignore_errors=True)
        packages = len(REQUIREMENT.findall(lock.decode(errors="replace")))
        _Installer(held, progress, cancelled).build(folder, lock_path, packages)
        (folder / COMPLETE).write_text(f"{lock_path}\n", encoding="utf-8")
    return replace(environment, built=True)


def locked_environment(lock_path: Path, cache: str | os.PathLike[str]) -> Environment:
    """Where the environment of a lock file is, or will be. Raises OSError when the file cannot be read."""
    key = environment_key(lock_path.read_bytes())
    folder = Path(cache).resolve() / "trainers" / key
    return Environment(folder / "bin" / "python", folder, key)


def is_complete(environment: Environment) -> bool:
    """Whether it is built to its end."""
    return environment.folder is None or (environment.folder / COMPLETE).is_file()


def version_allowed(wanted: str, version: str) -> bool:
    """Whether a version lies in a range such as `>=3.11,<3.14`."""
    have = _numbers(version)
    for clause in wanted.split(","):
        match = re.fullmatch(r"(==|>=|<=|<|>|~=)([\d.]+)", clause.strip())
        if match is None:
            raise BuildError(f"{wanted!r} is no version range")
        bound = _numbers(match[2])
        cut = have[: len(bound)]
        holds = {
            "==": cut == bound,
            ">=": have >= bound,
            "<=": cut <= bound,
            "<": have < bound,
            ">": cut > bound,
            "~=": have >= bound and have[: len(bound) - 1] == bound[:-1],
        }
        if not holds[match[1]]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _wanted(folder: Path) -> tuple[Path | None, str]:
    try:
        data = tomllib.loads((folder / "trainer.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BuildError(f"{folder / 'trainer.toml'} cannot be read: {error}") from error
    wanted = data.get("environment", {})
    requirements = wanted.get("requirements")
    return folder / requirements if requirements else None, wanted.get("python", ">=3.11")


@contextlib.contextmanager
def _locked(path: Path, progress: Progress, cancelled: Callable[[], bool]) -> Iterator[int]:
    with open(path, "a", encoding="ascii") as file:
        said = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not said:
                    progress(0.0, "another job is building this environment")
                    said = True
                if cancelled():
                    raise Cancelled from None
                time.sleep(0.2)
        yield file.fileno()


class _Installer:
    """Runs the commands of one build. They hold the lock too: if this process dies, nobody wipes what they write."""

    def __init__(self, held: int, progress: Progress, cancelled: Callable[[], bool]):
        self.held = held
        self.progress = progress
        self.cancelled = cancelled
        self.fraction = 0.0

    def build(self, folder: Path, lock_path: Path, packages: int) -> None:
        uv = importlib.util.find_spec("uv") is not None
        self._say(0.0, f"building the environment of {packages} packages; this happens once per lock file")
        self._run([sys.executable, "-m", "venv", *(["--without-pip"] if uv else []), str(folder)], 0)
        self._say(0.05, "the empty environment is there, installing packages")
        python = str(folder / "bin" / "python")
        if uv:
            install = [sys.executable, "-m", "uv", "pip", "sync", "--python", python]
        else:
            install = [python, "-m", "pip", "install", "--no-deps", "--disable-pip-version-check"]
            install += ["--progress-bar", "off"]
        # The lock names everything: a package that it replaces by another (a headless build) is not to come back.
        requirements = [str(lock_path)] if uv else ["-r", str(lock_path)]
        self._run([*install, "--require-hashes", *requirements], packages)
        self._say(1.0, "the environment is ready")

    def _say(self, fraction: float, message: str) -> None:
        self.fraction = max(self.fraction, fraction)
        self.progress(self.fraction, message)

    def _run(self, command: list[str], packages: int) -> None:
        """Runs one command and passes its lines on; kills its whole group when cancelled."""
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(self.held,),
        )
        try:
            tail = self._follow(child, packages)
            code = child.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise
        finally:
            if child.stdout:
                child.stdout.close()
        if code != 0:
            raise BuildError(f"{' '.join(command[1:4])} ended with {code}", "\n".join(tail))

    def _follow(self, child: "subprocess.Popen[bytes]", packages: int) -> list[str]:
        """Reports a command's lines until it ends; returns the last of them."""
        tail: list[str] = []
        steps = 0
        began = spoke = time.monotonic()
        for line in _lines(child, self.cancelled):
            now = time.monotonic()
            if line:
                tail = [*tail[-40:], line]
                steps += bool(STEP.match(line))
                # A package is fetched and then installed: two steps each.
                self._say(0.05 + 0.9 * min(1.0, steps / (2 * packages)) if packages else 0.0, line)
                spoke = now
            elif now - spoke >= QUIET_SECONDS:
                self._say(0.0, f"still installing after {now - began:.0f} seconds; large packages take a while")
                spoke = now
        return tail


def _lines(child: "subprocess.Popen[bytes]", cancelled: Callable[[], bool]) -> Iterator[str]:
    """Lines as they come, and an empty one now and then while there are none."""
    assert child.stdout is not None
    descriptor = child.stdout.fileno()
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            if cancelled():
                raise Cancelled
            if not selector.select(0.2):
                yield ""
                continue
            chunk = os.read(descriptor, 1 << 16)
            if not chunk:
                break
            *lines, rest = (rest + chunk.replace(b"\r", b"\n")).split(b"\n")
            yield from (line.decode(errors="replace").rstrip() for line in lines if line.strip())
    if rest.strip():
        yield rest.decode(errors="replace").rstrip()


def main() -> int:
    parser = argparse.ArgumentParser(description="Builds the environment of a trainer ahead of its first job.")
    parser.add_argument("trainer", type=Path, help="the trainer's folder, which holds trainer.toml")
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps environments")
    options = parser.parse_args()
    try:
        environment = ensure(
            options.trainer,
            options.cache,
            progress=lambda fraction, message: print(f"{100 * fraction:3.0f} % {message}", flush=True),
        )
    except BuildError as error:
        print(f"{error}\n{error.output}".rstrip(), file=sys.stderr)
        return 1
    print(environment.python)
    return 0


if __name__ == "__main__":
    sys.exit(main())
