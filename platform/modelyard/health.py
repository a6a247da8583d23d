"""`/healthz` (the process answers), `/readyz` (it can do its work), `/metrics` (Prometheus)."""

import secrets

from django.conf import settings
from django.core.cache import cache
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis import RedisError

from apps.core.storage import stores

_migrated = False


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """200 when database (with every migration), broker and storage answer; 503 naming what does not.

    MLflow is not asked: the portal works without it and catches up.
    """
    parts = {"database": _database(), "broker": _broker(), "storage": _storage()}
    return JsonResponse({"ready": all(parts.values()), "parts": parts}, status=200 if all(parts.values()) else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Open on loopback; elsewhere only with the token of `METRICS_TOKEN` as bearer."""
    token = settings.METRICS_TOKEN
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    local = request.META.get("REMOTE_ADDR") in {"127.0.0.1", "::1"} and "X-Forwarded-For" not in request.headers
    # As bytes: texts that are not ASCII cannot be compared so.
    if not local and not (token and secrets.compare_digest(given.encode(), token.encode())):
        return HttpResponse("metrics need a token\n", status=403, content_type="text/plain")
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _database() -> bool:
    global _migrated
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if not _migrated:
            executor = MigrationExecutor(connection)
            _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error:
        return False
    return _migrated


def _broker() -> bool:
    try:
        cache.set("readyz", "1", timeout=10)
        return bool(cache.get("readyz"))
    except (RedisError, OSError):
        return False


def _storage() -> bool:
    try:
        for store in stores().values():
            store.size("probe/readyz")
    except Exception:  # noqa: BLE001 - every client has its own errors; the answer is the same
        return False
    return True
