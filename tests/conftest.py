"""Fixtures that every test may use. `tests/services.py` brings database and broker, `apps/core/testing` the kit."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.cache import caches
from django.db import connection, transaction
from hypothesis import settings as hypothesis_settings
from xdist.scheduler import LoadFileScheduling

from apps.core.testing import Cast, Persona

# A machine that is busy with other tests makes single examples slow; what is found counts, not how fast.
hypothesis_settings.register_profile("modelyard", deadline=None)
hypothesis_settings.load_profile("modelyard")

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


class ByFile(LoadFileScheduling):
    """Each file's tests go to one worker, and so do all those of a folder that shares a portal."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((folder for folder in TOGETHER if file.startswith(folder)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: pytest.FixtureRequest
) -> None:
    """Tests that really commit are cleaned up by TRUNCATE, which the audit log refuses.

    In the test database only, the triggers against TRUNCATE are dropped; those against UPDATE and DELETE stay.
    """
    with django_db_blocker.unblock(), connection.cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute(
            "SELECT tgname, tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger "
            "WHERE tgname LIKE 'audit\\_%\\_no\\_truncate' ORDER BY tgname"
        )
        found = cursor.fetchall()
        for name, table, _definition in found:
            cursor.execute(f"DROP TRIGGER {name} ON {table}")
    if found:
        request.config.stash[TRUNCATE_TRIGGERS] = [definition for _name, _table, definition in found]


@pytest.fixture(autouse=True)
def own_cache() -> Iterator[None]:
    """Every test has its own keys in the shared cache: rate limits and tickets of others do not reach it."""
    options = caches.settings["default"]
    before = options.get("KEY_PREFIX", "")
    options["KEY_PREFIX"] = caches["default"].key_prefix = f"test-{uuid4().hex}"
    yield
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
