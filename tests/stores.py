"""Portals with other stores than the folder in the home."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from modelyard.embedded import process
from moto import mock_aws

from apps.core.storage import registry

ACCESS, SIGNING = "test-access", "test-secret-key"
KEYS = {"access_key": ACCESS, "secret_key": SIGNING}


@contextmanager
def configured(settings: Any, datasets: dict[str, Any], results: dict[str, Any] | None = None) -> Iterator[None]:
    """The portal with these options for its stores."""
    before = settings.STORAGE, settings.RESULTS_STORAGE
    first = {**settings.STORAGE, **datasets}
    settings.STORAGE = first
    settings.RESULTS_STORAGE = None if results is None else {**first, **results}
    registry.forget()
    try:
        yield
    finally:
        settings.STORAGE, settings.RESULTS_STORAGE = before
        registry.forget()


@contextmanager
def one_bucket(settings: Any) -> Iterator[None]:
    """All objects in one bucket, in this process's memory."""
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="objects")
        with configured(settings, {**KEYS, "bucket": "objects"}):
            yield


@contextmanager
def apart(kind: str, settings: Any, folder: Path) -> Iterator[None]:
    """Datasets and results in two `folders` below the given one, or in two `buckets`."""
    if kind == "folders":
        with configured(settings, {"local_root": folder / "datasets"}, {"local_root": folder / "results"}):
            yield
        return
    with mock_aws():
        for bucket in ("datasets", "results"):
            boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=bucket)
        with configured(settings, {**KEYS, "bucket": "datasets"}, {"bucket": "results"}):
            yield


@contextmanager
def signed_server(folder: Path, bucket: str) -> Iterator[str]:
    """An S3 server with a bucket that verifies signatures; its address, with `127.0.0.1`."""
    (folder / bucket).mkdir()
    keys = ",".join(KEYS.values())
    with _served(
        folder, lambda port: ["rclone", "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", keys, str(folder)]
    ) as url:
        yield url


@contextmanager
def moto_server(folder: Path, bucket: str) -> Iterator[str]:
    """An S3 server with a bucket that knows more of S3 than the other, CORS too, and verifies nothing."""
    with _served(folder, lambda port: ["moto_server", "-H", "127.0.0.1", "-p", str(port)]) as url:
        keys = {"aws_access_key_id": KEYS["access_key"], "aws_secret_access_key": KEYS["secret_key"]}
        boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys).create_bucket(Bucket=bucket)
        yield url


@contextmanager
def _served(folder: Path, command: Callable[[int], list[str]]) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program, *arguments = command(port)
    environment = {**os.environ, "RCLONE_CONFIG": str(folder / "none.conf")}
    line = [str(Path(sys.executable).with_name(program)), *arguments]
    with subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            process.wait_until(lambda: _answers(port), child, 30, program)
            yield f"http://127.0.0.1:{port}"
        finally:
            child.send_signal(signal.SIGKILL)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
