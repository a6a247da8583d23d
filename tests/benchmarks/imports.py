"""Bringing many small images in, and bringing them again: an archive, beside `dvc add`, and the uploader with digests.

    python -m tests.benchmarks.imports                  # 100,000 images in an archive, local store
    python -m tests.benchmarks.imports --dvc <program>  # `dvc` of an environment of its own, on the same files

The same is reported, without a bar, of a store that speaks S3: rclone's server on this machine, which checks signatures.

From the opened upload to the published revision, with sending, unpacking, digests and every check of the images. `dvc add`
digests the same files, already unpacked, and links or copies them into its cache. It begins when the portal has also
decoded and compared the pictures of the import before it, in the background. Each round is a new dataset of other
images, so that nothing is known already, and nothing is deleted between rounds: where as many files were deleted just
before, a file took the ext4 of the machine that was measured up to three times as long to make. Bars: 2,000 files/s and
faster than dvc, by the median of the rounds' ratios; the uploader on the unchanged folder 10 s without opening an upload.
"""

import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from modelyard.supervisor.address import free_port
from PIL import Image

from tests.benchmarks.figures import Figures, arguments, median
from tests.benchmarks.stand import ROOT, BenchmarkPortal, portal, timed, until

SIZE = 32
CHUNK = 1 << 20
#: How long a client waits before it asks again how far an upload is; what it waits too long counts as well.
ASK_SECONDS = 0.25


def pictures(folder: Path, count: int, seed: int) -> None:
    """So many different small JPEG files below `images/`, a thousand in each of its folders."""
    noise = random.Random(seed)
    data = BytesIO()
    Image.effect_noise((SIZE, SIZE), 80).convert("RGB").save(data, "JPEG", quality=80)
    head, rest = data.getvalue()[:2], data.getvalue()[2:]
    for number in range(count):
        place = folder / "images" / f"{number // 1000:04d}" / f"{number:07d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        # A comment makes each file another one, and costs nothing to make.
        comment = noise.randbytes(64)
        place.write_bytes(head + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + rest)


def packed(folder: Path, target: Path) -> int:
    """The folder as a ZIP; how many files it has."""
    count = 0
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(folder.rglob("*.jpg")):
            archive.write(file, file.relative_to(folder).as_posix())
            count += 1
    return count


class Importer:
    def __init__(self, beside: BenchmarkPortal) -> None:
        self.beside = beside
        self.headers = {"Authorization": f"Bearer {beside.token}"}

    def dataset(self, name: str) -> str:
        made = self.beside.rest("POST", "/datasets", {"project_id": self.beside.project_id, "name": name})
        return str(made["id"])

    def archive(self, dataset: str, archive: Path) -> dict[str, float]:
        """Seconds of each step, from the opened upload to the published revision."""
        base = f"/datasets/{dataset}/uploads"
        upload = f"{base}/{self.beside.rest('POST', base, {})['id']}"
        address = f"{self.beside.url}/api/v1{upload}/files?path=set.zip"

        def send() -> None:
            with archive.open("rb") as stream:
                chunks = iter(lambda: stream.read(CHUNK), b"")
                answer = self.beside.http.put(address, content=chunks, headers=self.headers, timeout=600)
            answer.raise_for_status()

        found = {"sent_s": timed(send)[0]}
        for act, state in (("analyze", "ready"), ("publish", "published")):
            self.beside.rest("POST", f"{upload}/{act}", {})
            found[f"{act}_s"] = timed(lambda state=state: self.wait(upload, state))[0]  # type: ignore[misc]
        return found

    def wait(self, upload: str, state: str) -> None:
        def done() -> bool:
            found = self.beside.rest("GET", upload)
            if found["state"] in {"refused", "failed", "cancelled"} - {state}:
                raise RuntimeError(f"{found['state']}: {found['failure']} {found['analysis'].get('defects')}")
            return bool(found["state"] == state)

        until(done, state, 1800, pause=ASK_SECONDS)

    def settle(self, dataset: str) -> None:
        """Waits until the pictures are decoded and compared, which nobody waits for, but which takes processors."""

        def compared() -> bool:
            return not self.beside.rows(
                "SELECT 1 FROM datasets_revision WHERE dataset_id = %s AND alike IS NULL", dataset
            )

        until(compared, "the pictures to be compared", 1800)

    def uploads(self, dataset: str) -> int:
        return len(self.beside.rest("GET", f"/datasets/{dataset}/uploads")["results"])

    def again(self, dataset: str, folder: Path) -> float:
        """Seconds of the uploader on a folder that the dataset has already."""
        command = [sys.executable, "-I", str(ROOT / "scripts" / "modelyard_upload.py")]
        began = time.perf_counter()
        done = subprocess.run(
            [*command, self.beside.url, dataset, str(folder)],
            env={"PATH": os.environ["PATH"], "MODELYARD_KEY": self.beside.token},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 or "nothing was sent" not in done.stdout:
            raise RuntimeError(done.stdout + done.stderr)
        return time.perf_counter() - began


def dvc_add(program: str, folder: Path) -> float:
    """Seconds of `dvc add` in a repository of its own, which stays beside the folder, on a copy of the files."""
    name = tempfile.mkdtemp(prefix="modelyard-dvc-", dir=folder.parent)
    environment = {"PATH": os.environ["PATH"], "HOME": name, "DVC_NO_ANALYTICS": "1"}

    def run(*words: str) -> None:
        subprocess.run([program, *words], cwd=name, env=environment, check=True, capture_output=True)

    run("init", "--no-scm", "--quiet")
    shutil.copytree(folder / "images", Path(name, "images"))
    os.sync()
    return timed(lambda: run("add", "--quiet", "images"))[0]


@contextmanager
def s3_store(folder: Path) -> Iterator[dict[str, str]]:
    """The settings of a portal whose store is rclone's S3 server."""
    port, key, secret = free_port(), secrets.token_hex(8), secrets.token_hex(16)
    (folder / "bucket").mkdir(parents=True)
    command = [str(Path(sys.executable).with_name("rclone")), "serve", "s3", "--addr", f"127.0.0.1:{port}"]
    with subprocess.Popen(
        [*command, "--auth-key", f"{key},{secret}", str(folder)],
        env={"PATH": os.environ["PATH"], "RCLONE_CONFIG": str(folder / "none.conf")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:

        def answers() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        try:
            until(answers, "rclone's server", 30)
            yield {
                "S3_BUCKET": "bucket",
                "S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "S3_ACCESS_KEY_ID": key,
                "S3_SECRET_ACCESS_KEY": secret,
            }
        finally:
            server.kill()


def into_s3(figures: Figures, images: int) -> None:
    with tempfile.TemporaryDirectory(prefix="modelyard-imports-") as name:
        folder, archive = Path(name, "set"), Path(name, "set.zip")
        pictures(folder, images, 0)
        count = packed(folder, archive)
        with s3_store(Path(name, "s3")) as settings, portal(**settings) as beside:
            importer = Importer(beside)
            dataset = importer.dataset("Import into S3")
            steps = importer.archive(dataset, archive)
            seconds = sum(steps.values())
            again = importer.again(dataset, folder)
            objects = sum(len(names) for _folder, _folders, names in os.walk(Path(name, "s3", "bucket", "blobs")))
    cells = {step: round(found, 2) for step, found in steps.items()}
    rate = round(count / seconds)
    figures.row(store="S3", files=count, **cells, files_per_s=rate, unchanged_again_s=round(again, 2))
    figures.bar(f"objects in the S3 store that {images:,} images lack", count - objects, high=0)


def options() -> tuple[int, int, int, str]:
    program = os.environ.get("MODELYARD_DVC", "")
    if "--dvc" in sys.argv:
        place = sys.argv.index("--dvc")
        program = sys.argv[place + 1]
        del sys.argv[place : place + 2]
    asked = arguments(__doc__, images=100_000, rounds=3, s3_images=10_000)
    return asked.images, asked.rounds, asked.s3_images, program


def main() -> int:
    images, rounds, s3_images, program = options()
    figures = Figures("imports")
    rates, theirs, again, opened = [], [], [], 0
    with portal() as beside, tempfile.TemporaryDirectory(prefix="modelyard-imports-") as name:
        importer = Importer(beside)
        for number in range(rounds):
            folder, archive = Path(name, f"set-{number}"), Path(name, "set.zip")
            pictures(folder, images, number)
            count = packed(folder, archive)
            os.sync()
            dataset = importer.dataset(f"Import {number}")
            steps = importer.archive(dataset, archive)
            seconds = sum(steps.values())
            rates.append(count / seconds)
            importer.settle(dataset)
            again.append(importer.again(dataset, folder))
            opened += importer.uploads(dataset) - 1
            cells = {step: round(found, 2) for step, found in steps.items()}
            figures.row(
                store="local",
                files=count,
                **cells,
                files_per_s=round(count / seconds),
                unchanged_again_s=round(again[-1], 2),
            )
            if program:
                theirs.append(count / dvc_add(program, folder))
                figures.row(files=count, dvc_add_files_per_s=round(theirs[-1]))
    if s3_images:
        into_s3(figures, s3_images)
    figures.bar(f"files/s, {images:,} images from an archive", median(rates), low=2000)
    figures.bar(f"s to find that {images:,} images are unchanged", median(again), high=10)
    figures.bar("uploads opened for what was unchanged", opened, high=0)
    if theirs:
        figures.ratio(
            "files/s against dvc add", median([our / their for our, their in zip(rates, theirs, strict=True)])
        )
        figures.bar("times as fast as dvc add", figures.ratios["files/s against dvc add"], low=1)
    return figures.finish()


if __name__ == "__main__":
    sys.exit(main())
