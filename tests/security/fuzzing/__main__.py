"""`python -m tests.security.fuzzing <target> <folder> <seconds> <seed>`: lets atheris make inputs for one target.

Runs under the interpreter that has atheris. Into the folder it writes `found/` (the input that failed, named by
libFuzzer), `slow/` (inputs that took long here, where counting coverage slows everything) and `slowest.json`.
"""

import hashlib
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import atheris
from django.conf import settings

#: An input that takes so long hangs; libFuzzer ends the process and keeps it.
HANGS_SECONDS = 30
MEMORY_MEBIBYTES = 2048
SLOW_SECONDS = 1.0
MOST_SLOW = 10


class Watched:
    """Lets one input through, and keeps those that take long."""

    def __init__(self, target: Any, folder: Path) -> None:
        self.target = target
        self.folder = folder
        self.staging = folder / "staging"
        self.slowest = 0.0
        self.slow = 0
        self.staging.mkdir()
        (folder / "slow").mkdir()

    def __call__(self, data: bytes) -> None:
        begun = time.process_time()
        self.target.take(data, self.staging)
        spent = time.process_time() - begun
        if spent > self.slowest:
            self.slowest = spent
            (self.folder / "slowest.json").write_text(json.dumps({"seconds": spent, "bytes": len(data)}))
            (self.folder / "slowest").write_bytes(data)
        if spent > SLOW_SECONDS and self.slow < MOST_SLOW:
            self.slow += 1
            (self.folder / "slow" / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def write_corpus(target: Any, folder: Path) -> Path:
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(target.seeds()):
        (corpus / f"{number:03d}").write_bytes(seed)
    words = ['"' + "".join(f"\\x{byte:02x}" for byte in word) + '"' for word in target.words]
    (folder / "words").write_text("\n".join([*words, ""]))
    return corpus


def main() -> None:
    name, home, seconds, seed = sys.argv[1:]
    folder = Path(home)
    settings.configure(USE_I18N=False)
    with atheris.instrument_imports(include=["apps", "yaml"]):
        targets = importlib.import_module("tests.security.fuzzing.targets")
    target = targets.TARGETS[name]
    (folder / "found").mkdir()
    options = {
        "max_total_time": seconds,
        "seed": seed,
        "timeout": HANGS_SECONDS,
        "rss_limit_mb": MEMORY_MEBIBYTES,
        "max_len": target.longest,
        "dict": folder / "words",
        "artifact_prefix": f"{folder / 'found'}{os.sep}",
        "print_final_stats": 1,
    }
    corpus = write_corpus(target, folder)
    atheris.Setup(
        [sys.argv[0], *(f"-{option}={value}" for option, value in options.items()), str(corpus)],
        Watched(target, folder),
    )
    atheris.Fuzz()


main()
