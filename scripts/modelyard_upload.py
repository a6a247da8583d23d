#!/usr/bin/env python3
"""Sends a folder or an archive into a dataset of a Modelyard portal. Needs Python 3.9 or later, nothing else.

    export MODELYARD_KEY=…      # an API key that may view and change datasets
    python modelyard_upload.py https://portal.example.com <dataset id> ./photos

Digests go first: of a folder only the files are sent that the dataset does not have, and where nothing differs no upload
is opened at all. Files above 4 MiB go in parts, each with its digest; what a broken line cuts, or changes on its way, is
sent again, and nothing else is. A sender that was interrupted goes on with `--upload` and the id that it printed.

The set that is analysed is always the whole folder, so `--replace` makes the dataset what the folder is. Afterwards the
digests of the new revision are compared with those of the files here.

Exit status: 0 published, or nothing to send; 1 the line, or a right is missing; 2 the set has errors, which are listed.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

KEY = "MODELYARD_KEY"
CHUNK = 1 << 20
AT_ONCE = 6
#: How often a request is repeated that got no answer, with longer pauses each time: about two minutes in all.
TIMES = 10
LONGEST_PAUSE = 30.0
SECONDS = 120
PART_BYTES = 4 << 20
#: Files whose digests one thread takes at a time.
GROUP = 256
ASKED_AT_ONCE = 1000
LEFT_BEHIND = frozenset({"__macosx", ".ds_store", "thumbs.db", "desktop.ini", ".git", ".hg", ".svn", "__pycache__"})
BUSY = ("analysing", "publishing", "fetching")


class Refused(Exception):
    """The portal said no: the status, and its answer."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(" ".join(filter(None, (problem.get("detail", f"HTTP {status}"), problem.get("hint", "")))))
        self.status = status
        self.code = problem.get("code", "")
        self.params = problem.get("params", {})


class LocalFile(NamedTuple):
    path: str
    place: str
    size: int
    sha256: str


class Portal:
    """One portal, over connections that are kept: one for each thread. `sent` counts bytes of files."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url.rstrip("/"))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SystemExit(f"{url} is no address of a portal.")
        self.host, self.port, self.base = parts.hostname, parts.port, f"{parts.path}/api/v1"
        self.secure, self.key = parts.scheme == "https", key
        self.sent = self.repeated = 0
        self._here = threading.local()
        self._lock = threading.Lock()

    def json(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        return json.loads(self.ask(method, path, lambda: content, "application/json") or b"null")

    def send(self, method: str, path: str, read: Callable[[], bytes]) -> Any:
        """Sends bytes of a file, which are read anew each time; a body that arrived with a wrong byte is repeated."""
        return json.loads(self.ask(method, path, read, "application/octet-stream"))

    def ask(self, method: str, path: str, read: Callable[[], bytes | None], kind: str) -> bytes:
        """The answer's body. Repeats what got no answer; raises `Refused`, or `OSError` when the line stays broken."""
        for number in range(TIMES):
            content = read()
            try:
                status, headers, answer = self._once(method, path, content, kind)
            except (OSError, http.client.HTTPException) as error:
                self._forget()
                if number == TIMES - 1:
                    raise OSError(f"no answer from {self.host}: {error}") from error
                pause = min(LONGEST_PAUSE, 0.1 * 2**number)
            else:
                if 200 <= status < 300:
                    return answer
                refused = Refused(status, _problem(answer))
                if refused.code in ("digest_mismatch", "incomplete") and kind != "application/json":
                    pause = 0.0
                elif status in (429, 502, 503, 504) and refused.code != "disk_full":
                    pause = min(LONGEST_PAUSE * 2, float(headers.get("Retry-After") or 2**number))
                else:
                    raise refused
                if number == TIMES - 1:
                    raise refused
            with self._lock:
                self.repeated += 1
            time.sleep(pause)
        raise AssertionError

    def _once(self, method: str, path: str, content: bytes | None, kind: str) -> tuple[int, Any, bytes]:
        line = self._line()
        if content is not None and kind != "application/json":
            with self._lock:
                self.sent += len(content)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": kind, "Accept": "*/*"}
        line.request(method, f"{self.base}/{path}", content, headers)
        answer = line.getresponse()
        body = answer.read()
        if answer.getheader("Connection", "").lower() == "close":
            self._forget()
        return answer.status, answer.headers, body

    def _line(self) -> http.client.HTTPConnection:
        line: http.client.HTTPConnection | None = getattr(self._here, "line", None)
        if line is None:
            if self.secure:
                context = ssl.create_default_context()
                line = http.client.HTTPSConnection(self.host, self.port, timeout=SECONDS, context=context)
            else:
                line = http.client.HTTPConnection(self.host, self.port, timeout=SECONDS)
            self._here.line = line
        return line

    def _forget(self) -> None:
        line = getattr(self._here, "line", None)
        self._here.line = None
        if line is not None:
            line.close()


def _problem(answer: bytes) -> dict[str, Any]:
    try:
        found = json.loads(answer)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


# --- Files here


def local_files(source: Path) -> list[LocalFile]:
    """The files of a folder, or the one file, with their digests."""
    if source.is_file():
        return _measured([(source.name, str(source))])
    found = sorted(_walked(str(source)))
    # Small files side by side only by the hundred: to hand one to a thread takes longer than to read it.
    groups = [found[start : start + GROUP] for start in range(0, len(found), GROUP)]
    with ThreadPoolExecutor(AT_ONCE) as workers:
        return [file for group in workers.map(_measured, groups) for file in group]


def _walked(folder: str, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Path in the folder, with "/" between its parts, and place of each file."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.lower() in LEFT_BEHIND:
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walked(entry.path, f"{prefix}{entry.name}/")
            elif not entry.is_dir():
                yield prefix + entry.name, entry.path


def _measured(files: list[tuple[str, str]]) -> list[LocalFile]:
    found = []
    room = memoryview(bytearray(CHUNK))
    for path, place in files:
        digest = hashlib.sha256()
        size = 0
        with open(place, "rb", buffering=0) as stream:
            while count := stream.readinto(room):
                size += count
                digest.update(room[:count])
        found.append(LocalFile(path, place, size, digest.hexdigest()))
    return found


def _read(place: str, start: int, size: int) -> bytes:
    with open(place, "rb") as stream:
        stream.seek(start)
        return stream.read(size)


# --- The upload


class Upload:
    """An open upload; its parts and files go side by side."""

    def __init__(self, portal: Portal, dataset: str, upload_id: str) -> None:
        self.portal, self.id = portal, upload_id
        self.base = f"datasets/{dataset}/uploads/{upload_id}"

    def state(self) -> Any:
        return self.portal.json("GET", self.base)

    def take_known(self, files: list[LocalFile]) -> set[str]:
        """Paths that the portal took from what the dataset has."""
        taken: set[str] = set()
        for start in range(0, len(files), ASKED_AT_ONCE):
            asked = [{"path": file.path, "sha256": file.sha256} for file in files[start : start + ASKED_AT_ONCE]]
            taken.update(self.portal.json("POST", f"{self.base}/known", {"files": asked})["taken"])
        return taken

    def send_all(self, files: Iterable[LocalFile]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as workers:
            small = []
            for file in files:
                if file.size > PART_BYTES:
                    self.send_in_parts(file, workers)
                else:
                    small.append(workers.submit(self.send, file))
            for one in small:
                one.result()

    def send(self, file: LocalFile) -> None:
        query = urlencode({"path": file.path, "sha256": file.sha256}, quote_via=quote)
        self.portal.send("PUT", f"{self.base}/files?{query}", lambda: _read(file.place, 0, file.size + 1))

    def send_in_parts(self, file: LocalFile, workers: ThreadPoolExecutor) -> None:
        """Only parts that have not arrived. They are asked for again when it turns out that some are missing."""
        for _time in range(3):
            arrived = self.portal.json("GET", f"{self.base}/parts?{urlencode({'path': file.path}, quote_via=quote)}")
            have = {part["number"]: part["sha256"] for part in arrived["parts"]}
            size = arrived["part_bytes"]
            sending = [
                workers.submit(self._send_part, file, number, size, have.get(number, ""))
                for number in range(1, -(-file.size // size) + 1)
            ]
            for one in sending:
                one.result()
            try:
                body = {"path": file.path, "size": file.size, "sha256": file.sha256}
                self.portal.json("POST", f"{self.base}/parts/join", body)
                return
            except Refused as refused:
                if refused.code == "parts_missing" and self._has_arrived(file):
                    return
                if refused.code not in ("parts_missing", "digest_mismatch"):
                    raise
        raise OSError(f"{file.path} changes while it is sent.")

    def _send_part(self, file: LocalFile, number: int, size: int, have: str) -> None:
        content = _read(file.place, (number - 1) * size, size)
        digest = hashlib.sha256(content).hexdigest()
        if digest != have:
            query = urlencode({"path": file.path, "number": number, "sha256": digest}, quote_via=quote)
            self.portal.send("PUT", f"{self.base}/parts?{query}", lambda: content)

    def _has_arrived(self, file: LocalFile) -> bool:
        """Whether it was joined, and only the answer was lost."""
        return {"path": file.path, "size": file.size} in self.state()["files"]

    def step(self, act: str, body: dict[str, Any]) -> Any:
        """Asks a worker for something and waits; the upload afterwards."""
        self.portal.json("POST", f"{self.base}/{act}", body)
        pause = 0.1
        while (found := self.state())["state"] in BUSY:
            time.sleep(pause)
            pause = min(2.0, pause * 1.3)
        return found


def manifest(portal: Portal, dataset: str) -> dict[str, str]:
    """Path → digest of the dataset's newest revision; {} before the first."""
    try:
        text = portal.ask("GET", f"datasets/{dataset}/download?manifest", lambda: None, "text/plain").decode()
    except Refused as refused:
        if refused.status == 400 and not portal.json("GET", f"datasets/{dataset}/versions")["results"]:
            return {}
        raise
    return dict(_entry(line) for line in text.splitlines())


def _entry(line: str) -> tuple[str, str]:
    """A line of `sha256sum`: one that begins with a backslash has its path escaped."""
    sha256, path = line.lstrip("\\").split("  ", 1)
    if line.startswith("\\"):
        path = path.replace("\\n", "\n").replace("\\r", "\r").replace("\\\\", "\\")
    return path, sha256


def run(asked: argparse.Namespace, portal: Portal, say: Callable[[str], None]) -> int:
    source = Path(asked.source)
    files = local_files(source)
    say(f"{len(files):,} files, {sum(file.size for file in files) / 1e6:,.1f} MB")
    here = {file.path: file.sha256 for file in files}
    if source.is_dir() and not asked.upload:
        there = manifest(portal, asked.dataset)
        same = here == there if asked.replace else here.items() <= there.items()
        if same:
            say("The dataset has all of it: nothing was sent.")
            return 0
    upload = _opened(portal, asked, say)
    arrived = {(file["path"], file["size"]) for file in upload.state()["files"]} if asked.upload else set()
    left = [file for file in files if (file.path, file.size) not in arrived]
    taken = upload.take_known(left) if source.is_dir() else set()
    sending = [file for file in left if file.path not in taken]
    say(f"{len(taken):,} are there already, {len(sending):,} are sent")
    upload.send_all(sending)
    say(f"{portal.sent / 1e6:,.1f} MB sent, {portal.repeated:,} requests repeated")
    if asked.only_send:
        return 0
    found = upload.step("analyze", {"lenient": asked.lenient})
    if found["state"] != "ready":
        _tell(found, say)
        return 2
    _tell_findings(found, say)
    found = upload.step("publish", {})
    if found["state"] != "published":
        _tell(found, say)
        return 1
    say(f"Published as revision {found['revision']}.")
    return _compared(manifest(portal, asked.dataset), here, say) if source.is_dir() else 0


def _opened(portal: Portal, asked: argparse.Namespace, say: Callable[[str], None]) -> Upload:
    if asked.upload:
        return Upload(portal, asked.dataset, asked.upload)
    body = {"mode": "replace" if asked.replace else "add", "note": asked.note}
    upload = Upload(portal, asked.dataset, portal.json("POST", f"datasets/{asked.dataset}/uploads", body)["id"])
    say(f"upload {upload.id}")
    return upload


def _tell(found: Any, say: Callable[[str], None]) -> None:
    say(f"The upload is {found['state']}.")
    if found.get("failure"):
        say(f"{found['failure']['message']} {found['failure']['hint']}")
    _tell_findings(found, say)


def _tell_findings(found: Any, say: Callable[[str], None]) -> None:
    for defect in found["analysis"]["defects"]:
        where = ":".join(str(part) for part in (defect.get("path"), defect.get("line")) if part)
        say(f"{defect['severity']} {where} {defect['detail']} {defect['hint']}")


def _compared(there: dict[str, str], here: dict[str, str], say: Callable[[str], None]) -> int:
    """What was published has the bytes that lie here; files that are no part of a set were left out."""
    differing = sorted(path for path, sha256 in here.items() if there.get(path, sha256) != sha256)
    left_out = sum(path not in there for path in here)
    if left_out:
        say(f"{left_out:,} files are no part of a set and were left out.")
    if differing:
        say(
            f"{len(differing):,} files differ from those here, {differing[0]} first: they changed while they were sent."
        )
        return 1
    say("Every digest is the same there and here.")
    return 0


def options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portal", help="https://…")
    parser.add_argument("dataset", help="its id")
    parser.add_argument("source", help="a folder, or an archive (ZIP, TAR, TAR.GZ)")
    parser.add_argument("--replace", action="store_true", help="the dataset becomes what is sent")
    parser.add_argument("--lenient", action="store_true", help="leave rows with errors out")
    parser.add_argument("--note", default="", help="of the revision")
    parser.add_argument("--upload", default="", help="id of an upload to go on with")
    parser.add_argument("--only-send", action="store_true", help="do not analyse and publish")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    asked = options(words)
    key = os.environ.get(KEY, "")
    if not key:
        print(f"{KEY} is not set: put an API key there.", file=sys.stderr)
        return 1
    if not Path(asked.source).exists():
        print(f"{asked.source} does not exist.", file=sys.stderr)
        return 1
    try:
        return run(asked, Portal(asked.portal, key), lambda text: print(text, flush=True))
    except (Refused, OSError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
