"""An upload over a line that cuts parts off and turns bits over: the set arrives as it was, and little is sent twice.

`make resilience` sends 1 GB with 50 cuts and 100 wrong bytes, `make test` less of everything.
"""

import hashlib
import io
import os
import random
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from tests.resilience.conftest import ROUNDS
from tests.resilience.proxy import BreakingProxy
from tests.resilience.report import Report
from tests.resilience.support import ROOT, Portal
from tests.stores import KEYS, signed_server

pytestmark = pytest.mark.resilience

PART = 4 << 20
#: Bytes of the archive, cuts, wrong bytes.
SHORT, FULL = (64_000_000, 4, 5), (1_000_000_000, 50, 100)
SIDE = 600
BUCKET = "objects"
MANY_SECONDS = 1500


def archive(target: Path, size: int) -> dict[str, str]:
    """A YOLO set of noise, nearly so many bytes in a ZIP; the digests of its files."""
    noise, digests = random.Random(7), {}
    with zipfile.ZipFile(target, "w") as packed:
        number = 0
        while target.stat().st_size < size - SIDE * SIDE * 3:
            picture = io.BytesIO()
            Image.frombytes("RGB", (SIDE, SIDE), noise.randbytes(SIDE * SIDE * 3)).save(
                picture, "PNG", compress_level=0
            )
            files = {
                f"images/train/{number:05d}.png": picture.getvalue(),
                f"labels/train/{number:05d}.txt": b"0 0.5 0.5 0.25 0.25\n",
            }
            for path, content in files.items():
                packed.writestr(path, content)
                digests[path] = hashlib.sha256(content).hexdigest()
            number += 1
            assert packed.fp is not None
            packed.fp.flush()
        names = b"names: [thing]\n"
        packed.writestr("data.yaml", names)
        digests["data.yaml"] = hashlib.sha256(names).hexdigest()
    return digests


def sender(portal: Portal, url: str, dataset: str, source: Path) -> "subprocess.CompletedProcess[str]":
    """The uploader that people run, with no other packages than those of Python."""
    return subprocess.run(
        [sys.executable, "-I", str(ROOT / "scripts" / "modelyard_upload.py"), url, dataset, str(source)],
        env={"PATH": os.environ["PATH"], "MODELYARD_KEY": portal.token},
        capture_output=True,
        text=True,
        check=False,
        timeout=MANY_SECONDS,
    )


def manage(portal: Portal, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *words],
        env=portal.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def manifest(portal: Portal, dataset: str) -> dict[str, str]:
    answer = portal.http.get(
        f"{portal.url}/api/v1/datasets/{dataset}/download?manifest",
        headers={"Authorization": f"Bearer {portal.token}"},
    )
    return {path: sha256 for sha256, path in (line.split("  ", 1) for line in answer.text.splitlines())}


class BucketPortal(Portal):
    """A portal whose objects lie in a bucket."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.store = {
            "S3_BUCKET": BUCKET,
            "S3_ENDPOINT_URL": address,
            "S3_ACCESS_KEY_ID": KEYS["access_key"],
            "S3_SECRET_ACCESS_KEY": KEYS["secret_key"],
        }

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, **self.store}


def test_a_set_arrives_whole_over_a_line_that_breaks(portal: Portal, report: Report, tmp_path: Path) -> None:
    arrives(portal, report, tmp_path, "the local store")


@pytest.mark.skipif(ROUNDS not in os.environ, reason="a second portal: `make resilience`")
def test_a_set_arrives_whole_in_a_bucket_of_a_server_that_checks_signatures(report: Report, tmp_path: Path) -> None:
    with signed_server(tmp_path, BUCKET) as address:
        portal = BucketPortal(address)
        try:
            portal.start()
            portal.wait_until_well()
            arrives(portal, report, tmp_path, "a bucket of rclone's S3 server")
        finally:
            portal.close()


def arrives(portal: Portal, report: Report, tmp_path: Path, store: str) -> None:
    size, cuts, flips = SHORT if report.rounds == 1 else FULL
    source = tmp_path / "set.zip"
    digests = archive(source, size)
    # A process that was killed before, with bytes in its hands, had no time to put them away.
    manage(portal, "storage_fsck", "--repair", "--grace-hours", "0")
    size = source.stat().st_size
    dataset = portal.rest("POST", "/datasets", {"project_id": portal.project_id, "name": f"Sent {time.time()}"})["id"]
    proxy = BreakingProxy(portal.port, seed=report.seed, parts=-(-size // PART), cuts=cuts, flips=flips)
    try:
        begin = time.time()
        done = sender(portal, proxy.url, dataset, source)
        seconds = time.time() - begin
    finally:
        proxy.close()
    seen = proxy.seen
    assert done.returncode == 0, f"{done.stdout}{done.stderr}{seen}"
    # All suffered what they should, and every wrong byte was found.
    assert (seen.cut, seen.flipped, seen.refused) == (cuts, flips, flips)
    assert seen.wrongly_taken == seen.wrongly_refused == []
    # Bytes for bytes.
    assert manifest(portal, dataset) == digests
    # Beside the parts that were cut or refused, hardly anything went twice.
    again = seen.received - size - seen.cut_bytes - seen.flipped_bytes
    assert 0 <= again <= 0.05 * size, seen
    check_nothing_is_left(portal, dataset, len(set(digests.values())))
    report.tell(
        f"{size / 1e6:,.0f} MB sent in parts to {store} through a proxy that cut {cuts} of them and turned a byte over in {flips}: "
        f"{seen.refused} of {flips} bad parts refused, every digest as it was, {again / size:.1%} sent again beside "
        f"the parts that were cut or refused, {seconds:.0f} s with analysis and publication."
    )


def check_nothing_is_left(portal: Portal, dataset: str, contents: int) -> None:
    """No folder of the upload, and in the store exactly the files of the set."""
    manage(portal, "shell", "-c", "from apps.datasets.services import sweep; sweep()")
    uploads = portal.rest("GET", f"/datasets/{dataset}/uploads")["results"]
    assert [upload["state"] for upload in uploads] == ["published"]
    assert not (portal.home / "uploads" / uploads[0]["id"]).exists()
    sql = "SELECT count(DISTINCT blob_id) FROM datasets_entry WHERE dataset_id = %s"
    assert portal.rows(sql, dataset) == [(contents,)]
    found = manage(portal, "storage_fsck", "--grace-hours", "0").splitlines()
    assert found[-1].startswith("0 missing, 0 damaged, 0 orphan"), found


def test_a_folder_is_sent_once_and_only_what_is_new_afterwards(portal: Portal, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    for number in range(20):
        for path, content in (
            (f"images/train/{number}.png", noise(number)),
            (f"labels/train/{number}.txt", b"0 0.5 0.5 0.25 0.25\n"),
        ):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
    (folder / "data.yaml").write_text("names: [thing]\n")
    (folder / "large.md").write_bytes(b"x" * (PART + 1))
    dataset = portal.rest("POST", "/datasets", {"project_id": portal.project_id, "name": f"Kept {time.time()}"})["id"]
    first = sender(portal, portal.url, dataset, folder)
    assert first.returncode == 0 and "Every digest is the same" in first.stdout, first.stdout + first.stderr
    again = sender(portal, portal.url, dataset, folder)
    assert again.returncode == 0 and "nothing was sent" in again.stdout, again.stdout + again.stderr
    (folder / "images/train/new.png").write_bytes(noise(99))
    (folder / "labels/train/0.txt").write_bytes(b"0 0.25 0.5 0.25 0.25\n")
    more = sender(portal, portal.url, dataset, folder)
    assert more.returncode == 0, more.stdout + more.stderr
    assert "41 are there already, 2 are sent" in more.stdout, more.stdout
    here = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert manifest(portal, dataset) == here


def noise(seed: int) -> bytes:
    picture = io.BytesIO()
    Image.frombytes("RGB", (32, 32), random.Random(seed).randbytes(32 * 32 * 3)).save(picture, "PNG")
    return picture.getvalue()
