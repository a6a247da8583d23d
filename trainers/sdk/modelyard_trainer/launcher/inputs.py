"""Prepares what the trainer reads: spec, dataset and files, every digest verified, no path leading out."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from modelyard_trainer.files import write_json
from modelyard_trainer.launcher.folder import AttemptFolder
from modelyard_trainer.launcher.portal import Channel, Refused
from modelyard_trainer.paths import UnsafePath, inside

CHUNK = 1 << 20
DIGEST_TRIES = 3
PROGRESS_SECONDS = 0.5
SPLITS = ("train", "val", "test")
Progress = Callable[[int, int, str, str], None]


class InputError(Exception):
    """The inputs cannot be prepared; `reason` is the code by which the attempt ends."""

    def __init__(self, reason: str, message: str, **params: Any):
        super().__init__(message)
        self.reason = reason
        self.params = {"message": message, **params}


class Inputs:
    """Fills one attempt's folder. `check` is called often and raises when the work shall be given up."""

    def __init__(
        self,
        folder: AttemptFolder,
        channel: Channel,
        *,
        blob_root: str | None,
        progress: Progress,
        check: Callable[[], None],
    ):
        self.folder = folder
        self.channel = channel
        self.blob_root = Path(blob_root) if blob_root else None
        self.progress = progress
        self.check = check
        self._last_progress = 0.0

    def prepare(self, spec: dict[str, Any], dataset: Any, files: list[dict[str, Any]]) -> dict[str, Any]:
        """Makes folders, files, dataset and spec.json; returns the spec with absolute paths. Raises InputError."""
        for path in (self.folder.inputs, self.folder.output, self.folder.home):
            path.mkdir(mode=0o700, exist_ok=True)
        try:
            spec = absolute_spec(spec, self.folder)
            for entry in files:
                self.check()
                self._place(entry["sha256"], int(entry["size"]), inside(self.folder.path, entry["target"]))
            if dataset:
                self._dataset()
        except UnsafePath as error:
            raise InputError("input_invalid", str(error)) from error
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                "input_invalid", f"the portal's description of the inputs is broken: {error!r}"
            ) from error
        except Refused as error:
            raise InputError("input_missing", f"the portal refuses an input: {error}") from error
        write_json(self.folder.spec, spec)
        return spec

    def _dataset(self) -> None:
        """Fetches manifest and items, then every file of the dataset."""
        root = self.folder.inputs / "dataset"
        shutil.rmtree(root, ignore_errors=True)
        (root / "files").mkdir(parents=True)
        items_path = root / "items.jsonl"
        manifest = self._fetch_items(root, items_path)
        total = sum(manifest["counts"].get(split, 0) for split in SPLITS)
        splits = {split: open(root / f"{split}.txt", "w", encoding="utf-8") for split in SPLITS}  # noqa: SIM115
        try:
            for number, item in enumerate(_lines(items_path), 1):
                self.check()
                target = inside(root / "files", item["path"])
                self._place(item["sha256"], int(item["size"]), target)
                splits[item["split"]].write(f"{target}\n")
                self._say(number, total)
        finally:
            for file in splits.values():
                file.close()
        # Who reads the lists alone finds beside them how they were made.
        write_json(root / "split_metadata.json", {**manifest.pop("split", {}), "counts": manifest["counts"]})
        manifest["root"] = str(root)
        write_json(root / "manifest.json", manifest)

    def _fetch_items(self, root: Path, items_path: Path) -> dict[str, Any]:
        """Streams manifest and items into one file, splits it, and checks that all items came."""
        raw = root / ".items.partial"
        with open(raw, "wb") as file:
            self.channel.get_to("dataset", file.write, lambda: _empty(file))
        with open(raw, "rb") as file, open(items_path, "wb") as items:
            manifest = json.loads(file.readline())
            shutil.copyfileobj(file, items, CHUNK)
        raw.unlink()
        counts = dict.fromkeys(SPLITS, 0)
        for item in _lines(items_path):
            counts[item["split"]] += 1
        expected = {split: manifest["counts"].get(split, 0) for split in SPLITS}
        if counts != expected:
            raise InputError("input_invalid", f"the dataset has {counts} items, its manifest says {expected}")
        return dict(manifest)

    def _place(self, sha256: str, size: int, target: Path) -> None:
        """Puts a blob at `target`: from the node's own store if it is there and whole, else from the portal."""
        if len(sha256) != 64 or not sha256.isalnum():
            raise InputError("input_invalid", f"{sha256!r} is no SHA-256")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if self.blob_root and self._copy(self.blob_root / sha256[:2] / sha256, sha256, size, target):
                return
            with open(target, "wb") as file:
                for _ in range(DIGEST_TRIES):
                    if self._fetch(sha256, size, file):
                        return
        except OSError as error:
            raise InputError("input_invalid", f"{target.name} cannot be written: {error}") from error
        raise InputError("input_damaged", f"{target.name} does not have the digest that it should have", sha256=sha256)

    def _copy(self, source: Path, sha256: str, size: int, target: Path) -> bool:
        digest = hashlib.sha256()
        copied = 0
        try:
            blob = source.open("rb")
        except OSError:
            return False
        with blob, open(target, "wb") as file:
            while chunk := blob.read(CHUNK):
                digest.update(chunk)
                file.write(chunk)
                copied += len(chunk)
                self.check()
        return copied == size and digest.hexdigest() == sha256

    def _fetch(self, sha256: str, size: int, file: IO[bytes]) -> bool:
        digest = hashlib.sha256()

        def begin() -> None:
            nonlocal digest
            digest = hashlib.sha256()
            _empty(file)

        def write(chunk: bytes) -> None:
            digest.update(chunk)
            file.write(chunk)
            self.check()

        self.channel.get_to(f"blobs/{sha256}", write, begin)
        file.flush()
        return file.tell() == size and digest.hexdigest() == sha256

    def _say(self, current: int, total: int) -> None:
        now = time.monotonic()
        if current == total or now - self._last_progress >= PROGRESS_SECONDS:
            self._last_progress = now
            self.progress(current, total, "image", "dataset")


def _empty(file: IO[bytes]) -> None:
    file.seek(0)
    file.truncate()


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with open(path, "rb") as file:
        for line in file:
            yield json.loads(line)


def absolute_spec(spec: dict[str, Any], folder: AttemptFolder) -> dict[str, Any]:
    """The spec as the trainer shall read it: paths, sent relative to the attempt's folder, made absolute."""

    def absolute(path: str) -> str:
        return str(inside(folder.path, path.removeprefix(f"{folder.path}{os.sep}")))

    spec = dict(spec)
    spec["output_dir"] = str(folder.output)
    spec["journal"] = str(folder.journal)
    if spec.get("dataset"):
        spec["dataset"] = {**spec["dataset"], "manifest": str(folder.inputs / "dataset" / "manifest.json")}
    for key in ("resume_from", "start_from"):
        if spec.get(key):
            spec[key] = {**spec[key], "path": absolute(spec[key]["path"])}
    spec["inputs"] = [{**entry, "path": absolute(entry["path"])} for entry in spec.get("inputs") or []]
    return spec
