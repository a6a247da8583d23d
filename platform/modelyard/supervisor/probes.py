"""Questions that `manage.py doctor` asks each part of the portal, and what to do about the answers."""

import os
import shutil
import smtplib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pynvml
import redis
from celery import current_app
from django.conf import settings
from django.core.mail import get_connection
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from kombu.exceptions import OperationalError
from modelyard_trainer import environments
from modelyard_trainer.descriptor import DescriptorError, read_descriptor

from apps.core.storage import DATASETS, RESULTS, Storage, stores
from apps.core.storage.probing import examine as examine_store
from apps.core.storage.s3 import S3Storage
from apps.datasets import foreign
from modelyard.supervisor import direct_probe

OK, WARNING, FAILURE = "ok", "warning", "failure"
MINIMUM_POSTGRESQL = 15
TIMEOUT = 5.0
LOW_DISK_BYTES = 5 * 1024**3
FULL_DISK_BYTES = 512 * 1024**2
CLOCK_TOLERANCE_SECONDS = 2.0


@dataclass(frozen=True)
class Finding:
    """What one probe found: `state` is ok, warning or failure; `advice` says what to do unless it is ok."""

    part: str
    state: str
    text: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def examine() -> Iterator[Finding]:
    """Run every probe, one after the other; none raises, and each takes a few seconds at most."""
    for probe in PROBES:
        try:
            yield from probe()
        except Exception as error:  # noqa: BLE001 - a probe that breaks is a finding, and the others still count
            name = probe.__name__.removeprefix("probe_").replace("_", " ")
            yield Finding(name, FAILURE, f"{type(error).__name__}: {error}", "This is unexpected: look at the text.")


def probe_python() -> Iterator[Finding]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if not sys.platform.startswith("linux"):
        yield Finding("python", WARNING, f"{version} on {sys.platform}", "Use Linux, or the container image.")
    else:
        yield Finding("python", OK, version)


def probe_database() -> Iterator[Finding]:
    try:
        with _connect() as direct:
            version = direct.info.parameter_status("server_version") or "unknown"
        executor = MigrationExecutor(connection)
        waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except (DatabaseError, psycopg.Error) as error:
        yield Finding("database", FAILURE, _first_line(error), _advice_for_server("DATABASE_URL"))
        return
    if int(version.split(".")[0]) < MINIMUM_POSTGRESQL:
        yield Finding(
            "database", FAILURE, f"PostgreSQL {version}", f"Upgrade the server to {MINIMUM_POSTGRESQL} or later."
        )
    elif waiting:
        yield Finding(
            "database",
            WARNING,
            f"{waiting} migrations are missing",
            "Run `python manage.py migrate`, or restart `up`.",
        )
    else:
        yield Finding("database", OK, f"PostgreSQL {version}, schema up to date")


def probe_clock() -> Iterator[Finding]:
    """Leases live by the database's clock, schedules by this machine's: they must agree."""
    try:
        with _connect() as direct:
            before = time.time()
            (there,) = direct.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone() or (0.0,)
    except psycopg.Error:
        return  # The database's own finding says it.
    drift = there - (before + time.time()) / 2
    if abs(drift) > CLOCK_TOLERANCE_SECONDS:
        yield Finding(
            "clock",
            WARNING,
            f"the database's clock differs by {drift:+.1f} s",
            "Let both machines follow a time server (NTP).",
        )
    else:
        yield Finding("clock", OK, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {drift:+.3f} s from the database")


def probe_broker() -> Iterator[Finding]:
    url = settings.CACHES["default"]["LOCATION"]
    try:
        with redis.Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT) as client:
            facts = client.info("server")
            policy = client.config_get("maxmemory-policy").get("maxmemory-policy")
    except redis.ResponseError:
        yield Finding("broker", OK, "answers; its configuration is not readable")
        return
    except (redis.RedisError, OSError) as error:
        yield Finding("broker", FAILURE, _first_line(error), _advice_for_server("REDIS_URL"))
        return
    version = f"{facts.get('server_name', 'redis')} {facts.get('valkey_version', facts.get('redis_version'))}"
    if policy != "noeviction":
        yield Finding(
            "broker", WARNING, f"{version}, maxmemory-policy {policy}", "Set it to noeviction, or messages get lost."
        )
    else:
        yield Finding("broker", OK, version)


def probe_workers() -> Iterator[Finding]:
    try:
        with current_app.connection_for_write() as channel:
            channel.ensure_connection(max_retries=1, interval_start=0)
            answers = current_app.control.ping(timeout=1.0, connection=channel)
    except (OperationalError, redis.RedisError, OSError):
        return  # The broker's own finding says it.
    names = sorted(name for answer in answers for name in answer)
    if not names:
        yield Finding("workers", FAILURE, "none answers", "Start the portal: `python manage.py up`.")
    elif not any(name.startswith("node@") for name in names):
        yield Finding("workers", WARNING, ", ".join(names), "No node can run trainings: start `up` on one.")
    else:
        yield Finding("workers", OK, ", ".join(names))


def probe_web() -> Iterator[Finding]:
    try:
        url = Path(str(settings.JOBS["portal_file"])).read_text().strip()
    except OSError:
        yield Finding("web", WARNING, "has not run here yet", "Start the portal: `python manage.py up`.")
        return
    try:
        answer = httpx.get(f"{url}/readyz", timeout=TIMEOUT, trust_env=False)
    except httpx.HTTPError as error:
        yield Finding(
            "web",
            FAILURE,
            f"{url}: {type(error).__name__}",
            "Start it with `up`; its log is logs/web.log in the home.",
        )
        return
    if answer.status_code == 200:
        yield Finding("web", OK, url)
    else:
        yield Finding("web", FAILURE, f"{url}/readyz: {answer.text[:200].strip()}", "See the parts that it names.")


def probe_storage() -> Iterator[Finding]:
    found = stores()
    for name, store in found.items():
        tried = _tried("storage" if len(found) == 1 else f"storage of {name}", store)
        # The second store has variables of its own.
        yield replace(tried, advice=tried.advice.replace("S3_", "RESULTS_S3_")) if name == RESULTS else tried


def _tried(part: str, store: Storage) -> Finding:
    if isinstance(store, S3Storage):
        place = f"bucket {store.bucket} at {store.provider.name}"
    else:
        place = str(store.local_path(""))
    done = []
    for step in examine_store(store):
        if step.error is not None:
            return Finding(part, FAILURE, f"{place}, {step.name}: {_first_line(step.error)}", step.hint)
        done.append(step.name)
    return Finding(part, OK, f"{place}: {', '.join(done)}")


def probe_direct_uploads() -> Iterator[Finding]:
    """Nothing to say where files go through the portal alone."""
    store, part = stores()[DATASETS], "direct uploads"
    if store.direct is None or settings.DIRECT_UPLOADS == "off":
        return
    page = settings.PUBLIC_URL.rstrip("/") if settings.DIRECT_UPLOADS == "browsers" else ""
    if settings.DIRECT_UPLOADS == "browsers" and not page:
        yield Finding(part, WARNING, "pages may send, and their address is not known", "Set PUBLIC_URL.")
    try:
        done = list(direct_probe.examine(store, store.direct, page))
    except direct_probe.Unfit as error:
        yield Finding(part, WARNING, error.text, error.advice)
    except Exception as error:  # noqa: BLE001 - each client has errors of its own
        rights = "s3:PutObject, s3:AbortMultipartUpload and s3:ListMultipartUploadParts"
        yield Finding(part, WARNING, _first_line(error), f"Give the key {rights} on the bucket.")
    else:
        yield Finding(part, OK, f"{store.direct.origin}: {', '.join(done)}")


def probe_disk() -> Iterator[Finding]:
    folders = {"home": Path(settings.HOME), "cache": Path(settings.CACHE_DIR)}
    if settings.RESULTS_STORAGE is not None and not settings.RESULTS_STORAGE["bucket"]:
        folders["results"] = Path(settings.RESULTS_STORAGE["local_root"])
    seen: set[int] = set()
    for name, folder in folders.items():
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        device = existing.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(existing).free
        state = FAILURE if free < FULL_DISK_BYTES else WARNING if free < LOW_DISK_BYTES else OK
        yield Finding(
            "disk",
            state,
            f"{free / 1024**3:.1f} GiB free for {name} ({folder})",
            "" if state == OK else "Make room: old attempts, checkpoints and trainer environments are the largest.",
        )
    if not os.access(settings.HOME, os.W_OK):
        yield Finding(
            "disk", FAILURE, f"{settings.HOME} is not writable", "Give it to the account that runs the portal."
        )


def probe_mlflow() -> Iterator[Finding]:
    url = str(settings.MLFLOW["url"])
    if not url:
        try:
            url = Path(str(settings.MLFLOW["url_file"])).read_text().strip()
        except OSError:
            yield Finding("mlflow", WARNING, "has not run here yet", "Start the portal without --no-mlflow.")
            return
    try:
        answer = httpx.get(f"{url}/health", timeout=TIMEOUT, trust_env=False)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        yield Finding(
            "mlflow",
            WARNING,
            f"{url}: {type(error).__name__}",
            "The portal works on and catches up. Its log is logs/mlflow.log in the home; it takes a while to start.",
        )
    else:
        yield Finding("mlflow", OK, url)


def probe_trainers() -> Iterator[Finding]:
    found = sorted(Path(settings.TRAINERS_DIR).glob("**/trainer.toml"))
    if not found:
        yield Finding("trainers", FAILURE, f"none in {settings.TRAINERS_DIR}", "Set MODELYARD_TRAINERS.")
    for file in found:
        part = f"trainer {file.parent.name}"
        try:
            descriptor = read_descriptor(file.parent)
        except DescriptorError as error:
            yield Finding(part, FAILURE, _first_line(error), f"Mend {file}.")
            continue
        part = f"trainer {descriptor.name}"
        lock = descriptor.requirements_path
        if lock is None:
            yield Finding(part, OK, "needs no environment of its own")
            continue
        try:
            key = environments.environment_key(lock.read_bytes())
        except OSError as error:
            yield Finding(part, FAILURE, _first_line(error), f"Restore {lock}.")
            continue
        folder = Path(settings.CACHE_DIR) / "trainers" / key
        if (folder / environments.COMPLETE).exists():
            yield Finding(part, OK, f"environment ready in {folder}")
        else:
            yield Finding(part, OK, "environment not built yet: the first training builds it")


def probe_datumaro() -> Iterator[Finding]:
    """Formats of datasets that another library reads: an extra, which nobody has to switch on."""
    part = "datumaro"
    if not settings.DATASET_DATUMARO:
        yield Finding(part, OK, "off: DATASET_DATUMARO=true lets further formats of datasets be read")
    elif (lack := foreign.lack()) is not None:
        yield Finding(part, WARNING, f"on, but its reader cannot be shut in: {lack}", "Nothing is read until it can.")
    elif not foreign.is_built():
        yield Finding(
            part,
            OK,
            "environment not built yet: the first set in such a format builds it, or `python manage.py datumaro_build`",
        )
    else:
        yield Finding(part, OK, "environment ready, the reader can be shut in")


def probe_gpu() -> Iterator[Finding]:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        if Path("/proc/driver/nvidia").exists():
            yield Finding("gpu", WARNING, f"{error}", "The driver is there but does not answer: try `nvidia-smi`.")
        else:
            yield Finding("gpu", OK, "none: trainings run on the processor")
        return
    try:
        for index in range(pynvml.nvmlDeviceGetCount()):
            device = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = pynvml.nvmlDeviceGetMemoryInfo(device)
            yield Finding(
                f"gpu {index}",
                OK,
                f"{pynvml.nvmlDeviceGetName(device)}, {memory.free / 1024**3:.1f} of {memory.total / 1024**3:.1f} GiB free",
            )
    finally:
        pynvml.nvmlShutdown()


def probe_mail() -> Iterator[Finding]:
    if not settings.EMAIL_HOST:
        yield Finding("mail", WARNING, f"kept in {settings.EMAIL_FILE_PATH}", "Set EMAIL_HOST to send it.")
        return
    place = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    try:
        mail = get_connection(fail_silently=False, timeout=TIMEOUT)
        mail.open()
        mail.close()
    except (OSError, smtplib.SMTPException) as error:
        yield Finding(
            "mail", FAILURE, f"{place}: {_first_line(error)}", "Check EMAIL_HOST, EMAIL_PORT and the sign-in."
        )
    else:
        yield Finding("mail", OK, f"{place} accepts the sign-in")


def _connect() -> "psycopg.Connection[tuple[Any, ...]]":
    """A connection beside the pool, which would wait and retry instead of saying what is wrong."""
    parameters = {key: value for key, value in connection.get_connection_params().items() if key != "pool"}
    return psycopg.connect(**{**parameters, "connect_timeout": int(TIMEOUT)})


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _advice_for_server(variable: str) -> str:
    if os.environ.get(variable) or os.environ.get(f"{variable}_FILE"):
        return f"Check {variable} and whether that server runs."
    return f"Start the portal with `python manage.py up`, or set {variable}."


PROBES: tuple[Callable[[], Iterator[Finding]], ...] = (
    probe_python,
    probe_database,
    probe_clock,
    probe_broker,
    probe_workers,
    probe_web,
    probe_storage,
    probe_direct_uploads,
    probe_disk,
    probe_mlflow,
    probe_trainers,
    probe_datumaro,
    probe_gpu,
    probe_mail,
)
