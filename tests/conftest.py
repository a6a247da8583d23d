"""Fixtures that every test may use. `tests/services.py` brings database and broker, `apps/core/testing` the kit."""

import contextlib
import fcntl
import gc
import importlib
import os
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.cache import caches
from django.db import connection, transaction
from django.test import TransactionTestCase
from hypothesis import settings as hypothesis_settings
from xdist.scheduler import LoadFileScheduling

from apps.core.testing import Cast, Persona

# A machine that is busy with other tests makes single examples slow; what is found counts, not how fast.
hypothesis_settings.register_profile("modelyard", deadline=None)
hypothesis_settings.load_profile("modelyard")

#: Tables that a test leaves as they are.
FILLED_BY_MIGRATING = {"django_content_type", "auth_permission", "django_site"}
#: Tables whose rows cannot be deleted.
APPEND_ONLY = {"audit_auditevent", "audit_auditseal", "audit_audithead"}
#: The definitions of the audit log's TRUNCATE triggers, for the test that puts them back.
TRUNCATE_TRIGGERS = pytest.StashKey[list[str]]()


#: What takes minutes a file: begun first, so that no worker is left alone with one of them at the end.
SLOW = ("e2e/", "resilience/", "running/", "trainers/", "experiments/", "evaluation/", "security/test_l")
#: Files in these folders share one portal, which takes half a minute to start: one worker runs them all.
TOGETHER = ("tests/e2e/", "tests/resilience/")
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def is_quick(item: pytest.Item) -> bool:
        return not (item.path.is_relative_to(HERE) and item.path.relative_to(HERE).as_posix().startswith(SLOW))

    items.sort(key=is_quick)


def pytest_collection(session: pytest.Session) -> None:
    """In a fresh clone each worker compiles its share of the tests; all of them would compile all at the same time."""
    worker = getattr(session.config, "workerinput", None)
    if worker is None:
        return
    share = sorted(HERE.rglob("test_*.py"))[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]
    for file in (file for file in share if not _is_compiled(file)):
        # What cannot be imported, or says that it is left out, does so again when it is collected.
        with contextlib.suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(file.relative_to(HERE.parent).with_suffix("").parts))


def pytest_collection_finish() -> None:
    """What stands by now stands to the end: to look it through for garbage again and again took a fifth of all CPU time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


def _is_compiled(file: Path) -> bool:
    """Whether pytest has kept the file with its assertions rewritten."""
    return any((file.parent / "__pycache__").glob(f"{file.stem}.*-pytest-*.pyc"))


class ByFile(LoadFileScheduling):
    """Each file's tests go to one worker, and so do all those of a folder that shares a portal."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((folder for folder in TOGETHER if file.startswith(folder)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def django_db_setup(request: pytest.FixtureRequest, django_test_environment: None, django_db_blocker: Any) -> None:
    """A database for each process of the run, copied from one that the first of them migrates.

    Tests that really commit are cleaned up by TRUNCATE, which the audit log refuses: in the test database only, the
    triggers against TRUNCATE are dropped; those against UPDATE and DELETE stay. The servers go away with the run.
    """
    process = getattr(request.config, "workerinput", {"workerid": "main"})["workerid"]
    home = Path(os.environ["MODELYARD_HOME"])
    with django_db_blocker.unblock(), open(home / "test-database.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (home / "test-database").exists():
            connection.settings_dict["NAME"] = (home / "test-database").read_text()
        else:
            (home / "test-database").write_text(_migrated())
        connection.creation.clone_test_db(process, verbosity=0)
        connection.settings_dict.update(connection.creation.get_test_db_clone_settings(process))
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT tgname, tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger "
                "WHERE tgname LIKE 'audit\\_%\\_no\\_truncate' ORDER BY tgname"
            )
            found = cursor.fetchall()
            for name, table, _definition in found:
                cursor.execute(f"DROP TRIGGER {name} ON {table}")
    request.config.stash[TRUNCATE_TRIGGERS] = [definition for _name, _table, definition in found]


def _migrated() -> str:
    """Makes a database with the schema and what migrating fills; returns its name."""
    return str(connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False))


@pytest.fixture(scope="session", autouse=True)
def quick_cleaning() -> None:
    """A test that commits leaves a few rows in a few of 150 tables: only those are emptied after it.

    Django truncates every table, each with its indexes, and fills the content types and permissions anew.
    """
    TransactionTestCase._fixture_teardown = _empty_what_is_filled  # type: ignore[attr-defined]


def _empty_what_is_filled(test_case: TransactionTestCase) -> None:
    tables = sorted(set(connection.introspection.django_table_names()) - FILLED_BY_MIGRATING)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})" for table in tables))
        filled = {table for (table,) in cursor.fetchall()}
        if filled & APPEND_ONLY:
            cursor.execute(f"TRUNCATE {', '.join(sorted(APPEND_ONLY))} CASCADE")
        # Foreign keys are looked at when the transaction ends, so that the order does not matter.
        for table in sorted(filled - APPEND_ONLY):
            cursor.execute(f"DELETE FROM {table}")


@pytest.fixture(autouse=True)
def own_cache() -> Iterator[Callable[[], None]]:
    """Every test has its own keys in the shared cache: rate limits and tickets of others do not reach it.

    The function given forgets the test's own; `cache.clear()` would empty the cache under the tests beside it.
    """
    options = caches.settings["default"]
    before = options.get("KEY_PREFIX", "")

    def forget() -> None:
        options["KEY_PREFIX"] = caches["default"].key_prefix = f"test-{uuid4().hex}"

    forget()
    yield forget
    options["KEY_PREFIX"] = caches["default"].key_prefix = before


@pytest.fixture(scope="session")
def sample_factories() -> None:
    """Loads the modules of `tests.factories` named after installed apps; their `@sample` functions register."""
    package = importlib.import_module("tests.factories")
    for module in pkgutil.iter_modules(package.__path__):
        if f"apps.{module.name}" in settings.INSTALLED_APPS:
            importlib.import_module(f"{package.__name__}.{module.name}")


@pytest.fixture(scope="module", autouse=True)
def world(request: pytest.FixtureRequest) -> Iterator[Cast | None]:
    """The people and samples that a module's marker `world` names, made once for all of its tests; None without one.

    They lie in a transaction around those of the tests, which is rolled back at the end. A test that commits cannot
    stand in such a module.
    """
    marker = request.node.get_closest_marker("world")
    if marker is None:
        yield None
        return
    committing = [item.name for item in request.session.items if item.path == request.path and _commits(item)]
    assert not committing, f"{committing} commit: they need a module of their own"
    for name in ("django_db_setup", "sample_factories"):
        request.getfixturevalue(name)
    from tests.factories.cast import build  # import here: models load after Django's set-up

    found, blocker = Cast(build), request.getfixturevalue("django_db_blocker")
    around = transaction.atomic()
    # Like Django's own around a test case: what must be outermost in the product may be inside of it.
    around._from_testcase = True  # type: ignore[attr-defined]
    with blocker.unblock():
        around.__enter__()
        for name in marker.args:
            found.person(name) if name in set(Persona) else found.sample(name)
    yield found
    with blocker.unblock():
        transaction.set_rollback(True)
        around.__exit__(None, None, None)


def _commits(item: pytest.Item) -> bool:
    marks = item.iter_markers("django_db")
    return "transactional_db" in getattr(item, "fixturenames", ()) or any(
        mark.kwargs.get("transaction") for mark in marks
    )


@pytest.fixture
def cast(db: None, sample_factories: None, world: Cast | None) -> Cast:
    """The personas and samples of two organizations, made when first used, or taken from the module's `world`."""
    from tests.factories.cast import build  # import here: models load after Django's set-up

    return Cast(build) if world is None else world.again()
