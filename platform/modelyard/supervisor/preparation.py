"""What must be true before the portal answers: schema migrated, messages compiled, static files collected.

Each step looks first whether there is anything to do, because looking takes milliseconds and doing takes seconds.
"""

import fcntl
import gc
import hashlib
import importlib
from pathlib import Path

import polib
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

#: Any number will do as long as every portal on a database uses the same.
MIGRATION_LOCK = 7_310_588_214
#: Imported before forking, so that web and workers share the memory and start at once.
PRELOADED = (
    "modelyard.asgi",
    "modelyard.celery",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
    "celery.bin.worker",
    "celery.bin.beat",
    "celery.apps.worker",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.concurrency.thread",
    "kombu.transport.redis",
    "django_celery_beat.schedulers",
)


def migrate() -> int:
    """Apply migrations that are missing, one portal at a time; how many were applied.

    The advisory lock makes a second portal on the same database wait, then find nothing to do.
    """
    connection = connections["default"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        try:
            executor = MigrationExecutor(connection)
            executor.loader.check_consistent_history(connection)
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
            if plan:
                call_command("migrate", interactive=False, verbosity=0)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])
    return len(plan)


def compile_messages() -> int:
    """Compile catalogues that are newer than their compiled form; how many. Needs no gettext program."""
    compiled = 0
    for folder in settings.LOCALE_PATHS:
        for source in sorted(Path(folder).glob("*/LC_MESSAGES/*.po")):
            target = source.with_suffix(".mo")
            if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
                fresh = target.with_suffix(".mo.new")
                polib.pofile(str(source)).save_as_mofile(str(fresh))
                fresh.replace(target)
                compiled += 1
    return compiled


def collect_static() -> bool:
    """Collect static files unless the collected ones stem from exactly the present sources; True when collected.

    One portal at a time: a second one with the same folder waits, then finds nothing to do.
    """
    root = Path(settings.STATIC_ROOT)
    root.mkdir(parents=True, exist_ok=True)
    with open(root.with_name(f"{root.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp, fingerprint = root / ".sources", _static_fingerprint(str(settings.STORAGES["staticfiles"]))
        if stamp.exists() and stamp.read_text() == fingerprint:
            return False
        stamp.unlink(missing_ok=True)
        call_command("collectstatic", interactive=False, verbosity=0, clear=True)
        stamp.write_text(fingerprint)
    return True


def _static_fingerprint(storage: str) -> str:
    digest = hashlib.sha256(storage.encode())
    for finder in get_finders():
        for path, source in finder.list([]):
            status = Path(source.path(path)).stat()
            digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def preload() -> None:
    """Import what every child needs, and move it out of the garbage collector's way, so that its pages stay shared."""
    for module in (settings.ROOT_URLCONF, *PRELOADED):
        importlib.import_module(module)
    gc.collect()
    gc.freeze()


def release_database() -> None:
    """Close connections and end the pool's threads: neither survives a fork."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()
