"""Every actor of the own organization at every page, and at every list, form and action of the admin.

The expectations are in `roles_pages.py`. Pages are not drawn here: who gets one is settled before. `make security` tries
every actor; `make test`, of those next to each other in the table who get the same, the first and the last.
"""

from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any
from unittest import mock

import pytest
from django.contrib import admin
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.core.admin.trash import ACTIONS as TRASH_ACTS
from apps.core.admin.trash import TrashAdmin
from apps.core.testing import Cast, Persona
from apps.core.testing.personas import key_of
from tests.factories.apikeys import key_of as api_key_of
from tests.security.actors import KEYS, PERSONAS, SESSIONLESS, Credentials, Staff, Who, undone
from tests.security.report import ROLES
from tests.security.roles import OK, PATTERNS, REST, SOCKETS
from tests.security.roles_pages import (
    ADMIN,
    ADMIN_ELSEWHERE,
    ADMIN_PAGES,
    ADMIN_PATTERNS,
    IN,
    NO_ROLES,
    PAGES,
    Act,
    Body,
    Page,
)
from tests.security.tenancy import Row
from tests.security.test_roles import tried, written
from tests.security.test_tenancy import Record, filled, page_row, pages, routes

pytestmark = pytest.mark.world(
    *Persona,
    "sharing-project",
    "dataset",
    "grown-dataset",
    "public-dataset",
    "dataset-export",
    "training-job",
    "checkpoint",
    "artifact",
    "tried-checkpoint",
    "inference-job",
    "run",
    "node",
    "accounts.RefreshToken",
)
METHODS = ("get", "post")
#: Whom no address of the admin lets in: its list tells of the actions too.
OUTSIDE = (Staff.NOBODY, Staff.KEY, Staff.UNSTAFFED)
#: The forms of a model in the admin, which `Managed` speaks of.
FORMS = ("changelist", "add", "history", "delete", "change")


class Doors:
    """What the actors come with: sessions, and keys as programs send them."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        tokens = Credentials.of(cast).tokens
        # The middleware is made once, and not for each client.
        self.handler = Client().handler
        self.keys = {**{str(who): tokens[who] for who in KEYS}, Staff.KEY: api_key_of(cast.admin)[1]}
        people = {**PERSONAS, Staff.UNSTAFFED: Persona.ADMIN, Staff.PLATFORM: Persona.PLATFORM}
        self.sessions = {
            str(who): cast.person(persona).portal.cookies.output(header="", sep=";")
            for who, persona in people.items()
            if who not in SESSIONLESS
        }

    def client(self, who: str) -> Client:
        """Anew for each request: a page may end a session, or begin another."""
        client = Client()
        client.handler = self.handler
        client.cookies.load(self.sessions.get(who, ""))
        if who in self.keys:
            client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {self.keys[who]}"
        return client


@pytest.fixture(scope="module")
def doors(world: Cast, django_db_blocker: Any) -> Doors:
    with django_db_blocker.unblock():
        return Doors(world)


@pytest.fixture(autouse=True)
def nothing_is_drawn() -> Iterator[None]:
    drawn = mock.patch("django.template.backends.django.Template.render", return_value="")
    # What stands around each page of the admin: a third of its time.
    around = mock.patch.object(admin.site, "each_context", return_value={})
    with drawn, around:
        yield


@pytest.fixture
def staff(cast: Cast) -> None:
    """All of them: the flag lets people in, and gives no permission."""
    User.objects.update(is_staff=True)


def cell_of(response: HttpResponse, events: int) -> str:
    """What the table calls the answer."""
    if response.status_code != 302:
        return OK if response.status_code < 300 else str(response.status_code)
    if response["Location"].startswith(("/account/login/", "/admin/login/")):
        return IN
    # Where the admin leads who asks for what they do not see.
    return "404" if response["Location"] == "/admin/" and not events else OK


def asked(doors: Doors, who: str, method: str, path: str, body: Any) -> tuple[str, int]:
    """The answer, and how many events were written; all of it is undone."""
    with undone():
        if who == Staff.UNSTAFFED:
            User.objects.filter(pk=doors.cast.admin.user.pk).update(is_staff=False)
        before = written()
        response = getattr(doors.client(who), method)(path, body)
        events = written() - before
        return cell_of(response, events), events


def sent(body: Body | None, cast: Cast) -> Any:
    return body(cast) if callable(body) else body or {}


# --- Pages


def page_of(name: str) -> Page | None:
    """Its row; none, where no role plays a part."""
    if any(fnmatch(name, pattern) for pattern in NO_ROLES):
        return None
    assert name in PAGES, f"The page {name} has no row in tests/security/roles_pages.py"
    return PAGES[name]


def address(page: Page, name: str, route: str, cast: Cast) -> tuple[str, Row]:
    row = page_row(name)
    samples = {**row.samples, **page.samples}
    if "" in samples:
        cast.sample(samples[""])
    query = (lambda _cast: page.query) if page.query else row.query
    return f"/{filled(cast, route, Row(row.gets, samples=samples, query=query))}", row


@pytest.mark.security(ROLES, "pages")
@pytest.mark.parametrize(("route", "name"), pages())
def test_every_actor_gets_from_a_page_what_the_table_says(
    route: str, name: str, cast: Cast, doors: Doors, record_property: Record
) -> None:
    page = page_of(name)
    record_property("actors", [who for method in METHODS if page for who in tried(page.cells(method))])
    if page is None:
        return
    path, row = address(page, name, route, cast)
    wrong = []
    for method in METHODS:
        for who, expected in tried(page.cells(method)).items():
            body = sent(row.body if page.body is None else page.body, cast) if method == "post" else {}
            given, events = asked(doors, who, method, path, body)
            given = OK if expected == OK and given in {str(code) for code in page.state} else given
            if given != expected:
                wrong.append(f"{method} by {who}: {given}, expected {expected}")
            elif expected != OK and events:
                wrong.append(f"{method} by {who}: refused, and {events} events written")
            elif expected == OK and method == "post" and not (events or page.quiet):
                wrong.append(f"{method} by {who}: allowed, and nothing written")
    others = [method for method in METHODS if not page.cells(method)]
    wrong += [f"takes {method}, and its row does not say so" for method in others if taken(doors, method, path)]
    assert not wrong, "\n".join(wrong)


def taken(doors: Doors, method: str, path: str) -> bool:
    return asked(doors, Who.ADMIN, method, path, {})[0] != "405"


# --- Admin


def base_of(model: Any) -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


def steps(model: Any, cast: Cast) -> Iterator[tuple[str, str, str]]:
    """Method, address and pattern of what the row says of the list, the forms and the history.

    Of what belongs to the installation there is no sample: the list says whose it is, and nobody changes any of it.
    """
    row, base = ADMIN[model._meta.label], base_of(model)
    yield "get", base, row.list
    yield "post", f"{base}add/", row.add
    if row.list == "PLATFORM":
        yield "post", f"{base}1/change/", row.change
        yield "post", f"{base}1/delete/", row.delete
        return
    found = f"{base}{key_of(cast.sample(model._meta.label))}/"
    yield "get", f"{found}change/", row.view
    yield "get", f"{found}history/", row.view
    yield "post", f"{found}change/", row.change
    yield "post", f"{found}delete/", row.delete


@pytest.mark.security(ROLES, "admin: lists, forms and histories")
@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label)
def test_every_actor_gets_in_the_admin_what_the_table_says(
    model: Any, cast: Cast, doors: Doors, staff: None, record_property: Record
) -> None:
    assert model._meta.label in ADMIN, f"The admin of {model._meta.label} has no row in tests/security/roles_pages.py"
    wrong, actors = [], []
    for method, path, pattern in list(steps(model, cast)):
        body = {"post": "yes", "reason": "They asked for it."} if path.endswith("/delete/") else {}
        for who, expected in tried(ADMIN_PATTERNS[pattern].cells).items():
            actors.append(who)
            given, events = asked(doors, who, method, path, body)
            if given != expected:
                wrong.append(f"{method} {path} by {who}: {given}, expected {expected}")
            elif expected != OK and events:
                wrong.append(f"{method} {path} by {who}: refused, and {events} events written")
    record_property("actors", actors)
    assert not wrong, "\n".join(wrong)


def acts() -> list[Any]:
    """Every action of every list: those of the admin class, deleting the chosen, and those of a trash."""
    found = []
    for model, shown in admin.site._registry.items():
        trash = TRASH_ACTS if isinstance(shown, TrashAdmin) else ()
        for name in (*shown.actions, "delete_selected", *trash):
            found.append(pytest.param(model, str(name), id=f"{model._meta.label}-{name}"))
    return found


def act_of(model: Any, name: str) -> Act:
    row = ADMIN[model._meta.label]
    if name == "delete_selected":
        return Act(row.delete)
    if row.list == "PLATFORM":
        return Act("NONE")
    assert name in row.acts, f"The action {name} of {model._meta.label} has no row in tests/security/roles_pages.py"
    return row.acts[name]


@pytest.mark.security(ROLES, "admin: actions")
@pytest.mark.parametrize(("model", "name"), acts())
def test_every_actor_does_in_the_admin_what_the_table_says(
    model: Any, name: str, cast: Cast, doors: Doors, staff: None, record_property: Record
) -> None:
    act = act_of(model, name)
    cells = tried({who: cell for who, cell in ADMIN_PATTERNS[act.pattern].cells.items() if who not in OUTSIDE})
    record_property("actors", list(cells))
    has_sample = ADMIN[model._meta.label].list != "PLATFORM"
    found = key_of(cast.sample(act.sample or model._meta.label)) if has_sample else "1"
    body = {"action": name, "_selected_action": [found], "post": "yes", "sent": "yes", "reason": "They asked for it."}
    body |= sent(act.body, cast)
    wrong = []
    for who, expected in cells.items():
        given, events = asked(doors, who, "post", base_of(model) + act.query, body)
        if bool(events) != (expected == OK and not act.quiet):
            wrong.append(f"{who}: {given} and {events} events, expected {expected}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.security(ROLES, "admin: further pages")
@pytest.mark.parametrize("name", ADMIN_PAGES)
def test_every_actor_gets_from_a_further_page_of_the_admin_what_the_table_says(
    name: str, cast: Cast, doors: Doors, staff: None, record_property: Record
) -> None:
    cells = tried(ADMIN_PATTERNS[ADMIN_PAGES[name]].cells)
    record_property("actors", list(cells))
    assert {who: asked(doors, who, "get", reverse(name), {})[0] for who in cells} == cells


# --- The table itself


def admin_routes() -> Iterator[str]:
    """Names of the admin's addresses, without those of the forms that `Managed` speaks of."""
    forms = {f"admin:{_named(model)}_{form}" for model in admin.site._registry for form in FORMS}
    short = {f"{base_of(model)[1:]}<path:object_id>/" for model in admin.site._registry}
    for route, pattern in routes():
        name = pattern.full_name  # type: ignore[attr-defined]
        if route.startswith("admin/") and name not in forms | short:
            yield name


def _named(model: Any) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}"


def test_no_row_is_left_over() -> None:
    names = {page.id for page in pages()}
    untried = {name for name in names if page_of(str(name)) is None}
    assert set(PAGES) == names - untried
    assert all(any(fnmatch(str(name), pattern) for name in untried) for pattern in NO_ROLES)
    assert set(ADMIN) == {model._meta.label for model in admin.site._registry}
    assert {*ADMIN_PAGES, *ADMIN_ELSEWHERE} == set(admin_routes())
    for model, shown in admin.site._registry.items():
        known = {*shown.actions, *(TRASH_ACTS if isinstance(shown, TrashAdmin) else ())}
        assert ADMIN[model._meta.label].list == "PLATFORM" or set(ADMIN[model._meta.label].acts) == known


def test_every_pattern_is_used() -> None:
    named = {row.pattern for row in (*REST.values(), *SOCKETS.values())}
    assert set(PATTERNS) == named | {name for page in PAGES.values() for name in (page.get, page.post) if name}
    rows = ADMIN.values()
    used = {name for row in rows for name in (row.list, row.view, row.add, row.change, row.delete)}
    assert set(ADMIN_PATTERNS) == used | {act.pattern for row in rows for act in row.acts.values()}
