"""What the reader's process cannot do, tried in one that is shut in as the reader is: files, network, processes, memory.

Nothing of datumaro is needed for it: the same program runs, with other work in the place of the reading.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.datasets.defects import BadInput
from apps.datasets.foreign import reader
from apps.datasets.foreign.conversion import laid_out
from apps.datasets.foreign.reader import Job, Limits, read
from tests.datasets.factories.sets import stage

TRIES = """
import ctypes, json, os, resource, signal, socket, subprocess, sys, threading, urllib.request
def run(jobs, formats):
    source, target = jobs[0]["source"], os.path.dirname(jobs[0]["report"])
    outside = os.path.dirname(source)
    tries = {
        "read the set": lambda: open(source + "/a.txt").read(),
        "thread": lambda: threading.Thread(target=int).start(),
        "read a file outside": lambda: open(outside + "/secret").read(),
        "list a folder outside": lambda: os.listdir(outside),
        "read passwords": lambda: open("/etc/passwd").read(),
        "read the portal's environment": lambda: open(f"/proc/{os.getppid()}/environ").read(),
        "change the set": lambda: open(source + "/a.txt", "w"),
        "add to the set": lambda: open(source + "/b.txt", "w"),
        "remove from the set": lambda: os.unlink(source + "/a.txt"),
        "another file": lambda: open(target + "/more", "w"),
        "a link": lambda: os.link(source + "/a.txt", target + "/link"),
        "temporary files": lambda: open("/tmp/foreign-try", "w"),
        "tcp": lambda: socket.socket().connect(("127.0.0.1", PORT)),
        "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        "unix socket": lambda: socket.socket(socket.AF_UNIX),
        "names": lambda: urllib.request.urlopen("http://localhost:PORT/"),
        "fork": lambda: os.fork() or os._exit(0),
        "program": lambda: subprocess.run(["/bin/true"]),
        "replace itself": lambda: os.execv("/bin/true", ["true"]),
        "signal the portal": lambda: os.kill(os.getppid(), 0),
        "thread signal": lambda: check(ctypes.CDLL(None, use_errno=True).tgkill(os.getppid(), os.getppid(), 0)),
        "limits of the portal": lambda: resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE),
        "trace the portal": lambda: check(ctypes.CDLL(None, use_errno=True).ptrace(16, os.getppid(), 0, 0)),
        "more memory": lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40)) or over(),
        "a long file": lambda: fill(jobs[0]["document"]),
    }
    done = {}
    for name, attempt in tries.items():
        try:
            attempt()
            done[name] = "done"
        except BaseException as error:
            done[name] = type(error).__name__
    done["variables"] = sorted(os.environ)
    with open(jobs[0]["report"], "w") as file:
        json.dump(done, file)
def check(found):
    if found: raise OSError(ctypes.get_errno(), "refused")
def over():
    if os.geteuid(): raise OSError("raised")
    bytearray(1 << 33)
def fill(path):
    with open(path, "wb", buffering=0) as file:
        for _ in range(40): file.write(bytes(1 << 20))
"""
ALLOWED = {"read the set", "thread"}


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """Gives the reader's program other work to do."""
    folder = tmp_path / "program"
    shutil.copytree(reader.FOLDER / "modelyard_datumaro", folder / "modelyard_datumaro")
    monkeypatch.setattr(reader, "FOLDER", folder)
    return lambda text: (folder / "modelyard_datumaro" / "jobs.py").write_text(text)


def job_of(tmp_path: Path) -> Job:
    source = tmp_path / "set"
    source.mkdir()
    (source / "a.txt").write_text("mine")
    (tmp_path / "secret").write_text("theirs")
    return Job(source, tmp_path / "out", "detect", "cvat")


def test_what_reads_reaches_nothing_but_its_set(
    stand_in: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "of the portal")
    with socket.create_server(("127.0.0.1", 0)) as server:
        stand_in(TRIES.replace("PORT", str(server.getsockname()[1])))
        job = job_of(tmp_path)
        read(Path(sys.executable), [job], Limits(memory_bytes=1 << 30, file_bytes=32 << 20))

    found = json.loads(job.report.read_text())
    variables = set(found.pop("variables"))
    assert {name for name, how in found.items() if how == "done"} == ALLOWED
    assert len(found) == TRIES.count('": lambda')
    assert not variables & {"SECRET_KEY", "HOME", "PATH", "DATABASE_URL"}
    assert sorted(path.name for path in job.target.iterdir()) == ["annotations.json", "report.json"]
    assert (job.source / "a.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("work", "code"),
    [
        ("import os\ndef run(jobs, formats): os.abort()", "crashed"),
        ("import ctypes\ndef run(jobs, formats): ctypes.string_at(0)", "crashed"),
        ("def run(jobs, formats): raise SystemExit(3)", "crashed"),
        ("def run(jobs, formats): pass", "crashed"),
        ("def run(jobs, formats):\n    while True: pass", "too_slow"),
        ("import threading\ndef run(jobs, formats): threading.Event().wait()", "too_slow"),
        ("def run(jobs, formats): bytearray(1 << 32)", "crashed"),
        ('def run(jobs, formats): open(jobs[0]["report"], "w").write("[" * 1000000)', "crashed"),
        ('def run(jobs, formats): open(jobs[0]["report"], "w").write("[]")', "crashed"),
        (
            'def run(jobs, formats): open(jobs[0]["report"], "w").write(\'{"format": "cvat", "images": [1]}\')',
            "crashed",
        ),
        (
            'import os\ndef run(jobs, formats):\n    os.truncate(os.open(jobs[0]["report"], os.O_WRONLY), 100 << 20)',
            "crashed",
        ),
    ],
)
def test_a_reader_that_fails_is_ended_and_told(stand_in: Any, tmp_path: Path, work: str, code: str) -> None:
    stand_in(work)
    job = job_of(tmp_path)
    began = time.monotonic()
    (report,) = read(Path(sys.executable), [job], Limits(memory_bytes=1 << 30, seconds=2))
    assert report.failure is not None
    assert report.failure[0] == code
    assert time.monotonic() - began < 30


def test_images_that_are_not_of_the_set_are_not_taken(stand_in: Any, tmp_path: Path) -> None:
    """A child that has been taken over names files of others; nothing is linked that is no picture of the set."""
    answer = {"format": "cvat", "losses": [], "problems": [], "problem_count": 0, "is_inside": True}
    answer["images"] = ["../secret", "/etc/passwd", "images/../../secret", "a.txt", "images/a.jpg"]
    stand_in(
        "import json\ndef run(jobs, formats):\n"
        f"    with open(jobs[0]['report'], 'w') as file: json.dump({answer!r}, file)\n"
    )
    staged = stage({"images/a.jpg": b"picture", "a.txt": b"text"}, tmp_path)
    (tmp_path / "secret").write_text("theirs")
    job = Job(staged.root, tmp_path / "out", "detect", "cvat")
    (report,) = read(Path(sys.executable), [job])

    found = laid_out(staged, job, report)

    assert [member.path for member in found.staged.members] == ["annotations.json", "images/a.jpg"]
    assert sorted(path.name for path in job.target.rglob("*")) == ["a.jpg", "annotations.json", "images"]


def test_it_is_told_where_nothing_was_read(tmp_path: Path) -> None:
    """An environment that is broken: the interpreter of another one, without the library."""
    staged = stage({"images/a.jpg": b"picture"}, tmp_path)
    job = Job(staged.root, tmp_path / "out", "detect", "cvat")
    (report,) = read(Path(sys.executable), [job])
    with pytest.raises(BadInput) as refused:
        laid_out(staged, job, report)
    assert (refused.value.code, refused.value.defect.params["format"]) == ("datumaro.crashed", "CVAT for images (XML)")


def test_it_does_not_outlive_the_portal(stand_in: Any, tmp_path: Path) -> None:
    """The worker that reads is killed: so is the child."""
    stand_in(
        "import os, threading\ndef run(jobs, formats):\n"
        "    with open(jobs[0]['report'], 'w') as file: file.write(str(os.getpid()))\n"
        "    threading.Event().wait()\n"
    )
    job = job_of(tmp_path)
    program = (
        "import sys, pathlib\nfrom apps.datasets.foreign import reader\n"
        "reader.FOLDER, source, target = map(pathlib.Path, sys.argv[1:])\n"
        "reader.read(pathlib.Path(sys.executable), [reader.Job(source, target, 'detect', 'cvat')])"
    )
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    words = [str(reader.FOLDER), str(job.source), str(job.target)]
    with subprocess.Popen([sys.executable, "-c", program, *words], env=environment) as worker:
        number = wait_for(lambda: job.report.is_file() and job.report.read_text())
        assert Path(f"/proc/{number}").is_dir()
        worker.kill()
    wait_for(lambda: not alive(int(number)))


def alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for(answer: Any, seconds: float = 30) -> Any:
    end = time.monotonic() + seconds
    while not (found := answer()):
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)
    return found
