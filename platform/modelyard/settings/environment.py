"""Typed readers of the environment that fail loudly, and readers of the URLs of servers.

A secret `X` may be given as `X`, or as `X_FILE` naming a file that holds it.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}


def text(name: str, default: str | None = None) -> str:
    """The variable's value, or what the file named by `<name>_FILE` holds. Raises when neither is there."""
    if name in os.environ:
        return os.environ[name]
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE names {path!r}, which cannot be read: {error}") from error
    if default is None:
        raise ImproperlyConfigured(f"{name} (or {name}_FILE) must be set.")
    return default


def boolean(name: str, default: bool) -> bool:
    value = text(name, str(default)).strip().lower()
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be one of {sorted(TRUE | FALSE)}, not {value!r}.")


def one_of(name: str, default: str, choices: tuple[str, ...]) -> str:
    value = text(name, default).strip().lower()
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    return value


def integer(name: str, default: int, minimum: int | None = None) -> int:
    value = text(name, str(default))
    try:
        number = int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from error
    if minimum is not None and number < minimum:
        raise ImproperlyConfigured(f"{name} must be at least {minimum}, not {number}.")
    return number


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list; empty parts are dropped."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def origins(name: str) -> frozenset[tuple[str, str, int]]:
    """A comma-separated list of addresses such as `https://sign-in.internal:8443`, as scheme, host and port."""
    found = set()
    for entry in words(name):
        parts = urlsplit(entry)
        try:
            usual = {"http": 80, "https": 443}[parts.scheme]
            port = parts.port or usual
        except (KeyError, ValueError) as error:
            raise ImproperlyConfigured(
                f"{name} must hold addresses such as https://host:8443, not {entry!r}."
            ) from error
        if not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
            raise ImproperlyConfigured(f"{name} must hold addresses without a path, not {entry!r}.")
        found.add((parts.scheme, parts.hostname.lower(), port))
    return frozenset(found)


def database(url: str) -> dict[str, Any]:
    """Django's database settings for `postgresql://user:password@host:port/name?host=/socket/folder`."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(f"DATABASE_URL must begin with postgresql://, not {parts.scheme!r}.")
    options = dict(parse_qsl(parts.query))
    host = options.pop("host", None) or parts.hostname or ""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
    }


def redis(url: str, db: int) -> str:
    """The URL of one database of the server at `redis://`, `rediss://` or `unix://`, for redis-py and channels-redis."""
    parts, options = _redis_parts(url)
    if parts.scheme == "unix":
        return f"unix://{parts.netloc}{parts.path}?{urlencode({**options, 'db': db})}"
    return parts._replace(path=f"/{db}", query=urlencode(options)).geturl()


def broker(url: str) -> str:
    """The URL of database 0 of that server in the form that kombu, and so Celery, takes."""
    parts, options = _redis_parts(url)
    if parts.scheme == "unix":
        return f"redis+socket://{parts.netloc}{parts.path}?{urlencode({**options, 'virtual_host': 0})}"
    return redis(url, db=0)


def _redis_parts(url: str) -> tuple[SplitResult, dict[str, str]]:
    """The URL and its options without a database: Modelyard uses 0 to 2, so it takes a server, not a database."""
    parts = urlsplit(url)
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise ImproperlyConfigured(f"REDIS_URL must begin with redis://, rediss:// or unix://, not {parts.scheme!r}.")
    options = dict(parse_qsl(parts.query))
    named = {options.pop("db", "0"), "0" if parts.scheme == "unix" else parts.path.strip("/") or "0"}
    if named != {"0"}:
        raise ImproperlyConfigured("REDIS_URL must name no database: Modelyard uses the databases 0, 1 and 2.")
    return parts, options
