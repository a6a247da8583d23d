"""Where objects lie, read from the environment: one store, or a second one for what jobs write."""

from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from modelyard.settings import environment as env

ADDRESSING = ("auto", "path", "virtual")
CHECKSUMS = ("auto", "when_supported", "when_required")


def datasets(home: Path) -> dict[str, Any]:
    """The first store: a folder of the home, or the bucket that `S3_BUCKET` names."""
    return {
        "local_root": home / "storage",
        "bucket": env.text("S3_BUCKET", ""),
        "endpoint": env.text("S3_ENDPOINT_URL", ""),
        "public_endpoint": env.text("S3_PUBLIC_ENDPOINT_URL", ""),
        "region": env.text("S3_REGION", ""),
        "addressing": env.one_of("S3_ADDRESSING", "auto", ADDRESSING),
        "checksums": env.one_of("S3_CHECKSUMS", "auto", CHECKSUMS),
        "access_key": env.text("S3_ACCESS_KEY_ID", ""),
        "secret_key": env.text("S3_SECRET_ACCESS_KEY", ""),
    }


def direct_uploads() -> str:
    """Who may be given addresses of the store to send large files to: nobody (`off`), `programs`, or `browsers` too."""
    return env.one_of("S3_DIRECT_UPLOADS", "programs", ("off", "programs", "browsers"))


def results(first: dict[str, Any]) -> dict[str, Any] | None:
    """The store for results, by `RESULTS_S3_BUCKET` or `RESULTS_FOLDER`; None when they lie in the first one.

    What is not said of the second bucket is as for the first. Raises where both are one place.
    """
    bucket, folder = env.text("RESULTS_S3_BUCKET", ""), env.text("RESULTS_FOLDER", "")
    if bucket and folder:
        raise ImproperlyConfigured("Set RESULTS_S3_BUCKET or RESULTS_FOLDER, not both.")
    if folder:
        return {**first, "bucket": "", "local_root": _apart(Path(folder), first["local_root"])}
    if not bucket:
        return None
    found = {
        "local_root": first["local_root"],
        "bucket": bucket,
        "endpoint": env.text("RESULTS_S3_ENDPOINT_URL", first["endpoint"]),
        "public_endpoint": env.text("RESULTS_S3_PUBLIC_ENDPOINT_URL", first["public_endpoint"]),
        "region": env.text("RESULTS_S3_REGION", first["region"]),
        "addressing": env.one_of("RESULTS_S3_ADDRESSING", first["addressing"], ADDRESSING),
        "checksums": env.one_of("RESULTS_S3_CHECKSUMS", first["checksums"], CHECKSUMS),
        "access_key": env.text("RESULTS_S3_ACCESS_KEY_ID", first["access_key"]),
        "secret_key": env.text("RESULTS_S3_SECRET_ACCESS_KEY", first["secret_key"]),
    }
    if (found["bucket"], found["endpoint"]) == (first["bucket"], first["endpoint"]):
        raise ImproperlyConfigured("RESULTS_S3_BUCKET names the bucket of S3_BUCKET: leave it out, or name another.")
    return found


def _apart(folder: Path, first: Path) -> Path:
    if not folder.is_absolute():
        raise ImproperlyConfigured(f"RESULTS_FOLDER must be an absolute path, not {str(folder)!r}.")
    folder, first = folder.resolve(), first.resolve()
    if folder.is_relative_to(first) or first.is_relative_to(folder):
        raise ImproperlyConfigured(f"RESULTS_FOLDER and {first} must lie apart, neither within the other.")
    return folder
