"""People of one organization tried against everything of another. The expectations are in `tenancy.py`."""

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver

from apps.audit.models import AuditEvent
from apps.core import policy
from apps.core.errors import NotAuthenticated, NotFound
from apps.core.identity import Actor
from apps.core.operations import Operation, all_operations
from apps.core.testing import Cast, Person
from apps.core.testing.openapi import Endpoint, endpoints, schema
from apps.core.testing.personas import key_of
from apps.datasets.services import dataset_withdraw
from tests.security.report import TENANCY
from tests.security.tenancy import ADMIN, OPERATIONS, PAGES, REST, Gets, Row

pytestmark = [pytest.mark.security, pytest.mark.world("owner", "admin", "stranger", "dataset")]
#: Takes a name and what docs/security.md says under it.
Record = Callable[[str, Any], None]


def load_services() -> None:
    """Imports every module of services, so that no operation hides in one that only a worker loads."""
    for app in settings.INSTALLED_APPS:
        if app.startswith("apps."):
            package = importlib.import_module(app)
            for module in pkgutil.walk_packages(package.__path__, f"{app}."):
                if ".services" in module.name:
                    importlib.import_module(module.name)


load_services()

#: A parameter of a route, in the schema's, Django's or a regular expression's form.
PARAMETER = re.compile(r"\{\w+\}|<(?:\w+:)?\w+>|\(\?P<\w+>[^)]*\)")
METHODS = ("get", "post", "put", "patch", "delete")


def filled(cast: Cast, route: str, row: Row) -> str:
    """The route with keys of the first organization's objects; the path in front of a parameter names the sample."""
    path, names = "", []
    for literal, parameter in _pieces(route):
        path += literal
        found = [part for part in literal.split("/") if part]
        names += found
        if parameter:
            # A parameter right behind another one: `+` stands for the first.
            name = "/".join(names) if found else "/".join([*names, "+"])
            path += key_of(cast.sample(row.samples.get(name, name)))
    return f"{path}?{row.query(cast)}" if row.query else path


def _pieces(route: str) -> Iterator[tuple[str, str]]:
    route = route.removeprefix("/api/v1/").replace("^", "").replace("$", "").replace("\\Z", "")
    position = 0
    for match in PARAMETER.finditer(route):
        yield route[position : match.start()], match.group()
        position = match.end()
    yield route[position:], ""


def body_of(row: Row, cast: Cast) -> Any:
    return row.body(cast) if callable(row.body) else row.body


def events_of_the_first(cast: Cast) -> int:
    return AuditEvent.objects.filter(organization_id=cast.sample("organization").pk).count()


def assert_no_leak(cast: Cast, response: HttpResponse, sent: str, *known: str) -> None:
    """No name and no id of the first organization's, beyond what the request itself named and what is `known`."""
    content = b"".join(response) if response.streaming else response.content  # type: ignore[attr-defined]
    text = content.decode(errors="replace") + str(dict(response.headers))
    for word in known:
        text = text.replace(word, "")
    assert cast.canary not in text
    for found in cast.made():
        key = key_of(found)
        # A number that a table counts by stands in headers and times as well: it is told by its field alone.
        shown = f'"id":{key},' in text or f"/{key}/" in text if key.isdigit() else key in text
        assert key in sent or not shown, f"the id of {found!r} leaked"


def withdrawn(cast: Cast) -> None:
    """Takes the public sample back."""
    dataset_withdraw(actor=Actor.system("tests"), dataset=cast.sample("public-dataset"))


# --- REST


def rest_row(endpoint: Endpoint) -> Row:
    row = REST.get(endpoint.operation_id)
    assert row, f"{endpoint.operation_id} ({endpoint.method} {endpoint.path}) has no row in tests/security/tenancy.py"
    return row


@pytest.mark.security(TENANCY, "REST operations")
@pytest.mark.parametrize("endpoint", endpoints(), ids=lambda endpoint: endpoint.operation_id)
def test_a_stranger_gets_nothing_of_another_organization_over_rest(endpoint: Endpoint, cast: Cast) -> None:
    row = rest_row(endpoint)
    path, body = filled(cast, endpoint.path, row), body_of(row, cast)
    client = cast.stranger.rest
    before = events_of_the_first(cast)
    response = getattr(client, endpoint.method.lower())(f"/{path}", body)
    status = response.status_code
    if row.gets == Gets.HIDDEN:
        assert status == 404, f"{status}: {response.content[:300]!r}"
    elif row.gets == Gets.REFUSED:
        assert status == 400, f"{status}: {response.content[:300]!r}"
    elif row.gets == Gets.OPEN:
        assert status < 500
    elif row.gets == Gets.PUBLIC:
        assert status < 300, f"{status}: {response.content[:300]!r}"
        # Whose it is; reading it is an event in their chain.
        assert_no_leak(cast, response, path + str(body), cast.sample("organization").company)
        withdrawn(cast)
        before = events_of_the_first(cast)
        response = getattr(client, endpoint.method.lower())(f"/{path}", body)
        assert response.status_code == 404, f"{response.status_code} of what is not public any more"
    else:
        assert row.gets == Gets.OWN
        assert status < 300, f"{status}: {response.content[:300]!r}"
    assert events_of_the_first(cast) == before, "the stranger wrote into the first organization"
    assert_no_leak(cast, response, path + str(body))


@pytest.mark.security(TENANCY, "REST operations")
@pytest.mark.parametrize("endpoint", endpoints(), ids=lambda endpoint: endpoint.operation_id)
def test_nobody_gets_anything_over_rest_without_signing_in(endpoint: Endpoint, cast: Cast) -> None:
    row = rest_row(endpoint)
    path, body = filled(cast, endpoint.path, row), body_of(row, cast)
    before = events_of_the_first(cast)
    response = getattr(cast.anonymous.rest, endpoint.method.lower())(f"/{path}", body)
    if row.gets == Gets.OPEN:
        assert response.status_code < 500
    else:
        assert response.status_code == 401, response.content[:300]
    assert events_of_the_first(cast) == before
    assert_no_leak(cast, response, path + str(body))


def test_the_hidden_objects_are_there_for_their_own_people(cast: Cast) -> None:
    """Guards the tests above against addresses that nobody could open."""
    for endpoint in endpoints():
        if endpoint.method == "GET" and "{" in endpoint.path:
            path = filled(cast, endpoint.path, rest_row(endpoint))
            status = cast.platform.rest.get(f"/{path}").status_code
            assert status in {200, 302}, f"{endpoint.operation_id} is {status} for a platform administrator"


def test_every_address_under_the_api_is_in_the_schema() -> None:
    shapes = {PARAMETER.sub("{}", path).strip("/") for path in schema()["paths"]}
    for route, _pattern in routes():
        if route.startswith("api/v1/") and "<path:rest>" not in route:
            shape = PARAMETER.sub("{}", route.replace("^", "").replace("$", "")).replace("\\Z", "").strip("/")
            assert shape in shapes, f"{route} is not in the schema"


# --- Operations


@pytest.mark.security(TENANCY, "service operations")
@pytest.mark.parametrize("found", all_operations(), ids=lambda found: found.name)
def test_an_operation_refuses_strangers_and_nobody_before_it_does_anything(
    found: Operation, cast: Cast, record_property: Record
) -> None:
    row = OPERATIONS.get(found.name)
    assert row, f"{found.name} has no row in tests/security/tenancy.py"
    if found.permission is None:
        assert row.gets == Gets.CHECKED, f"{found.name} asks no permission: say in its row where that is tested"
        assert row.why, f"{found.name} needs a reason"
        record_property("tried", 0)
        return
    record_property("tried", 2)
    assert row.gets in (Gets.HIDDEN, Gets.PUBLIC)
    assert found.on is not None
    label = policy.rule_of(found.permission).on
    target = cast.sample(row.samples.get(label, label))
    own = [person.actor for person in (cast.admin, cast.owner)]
    platform_only = all(policy.condition(actor, found.permission) == policy.NOBODY for actor in own)
    assert platform_only or any(policy.allows(actor, found.permission, target) for actor in own), "hidden from all"
    if row.gets == Gets.PUBLIC:
        assert policy.allows(cast.stranger.actor, found.permission, target)
        withdrawn(cast)
    before = events_of_the_first(cast)
    with pytest.raises(NotFound):
        found.function(actor=cast.stranger.actor, **{found.on: target})
    with pytest.raises(NotAuthenticated):
        found.function(actor=cast.anonymous.actor, **{found.on: target})
    assert events_of_the_first(cast) == before


# --- Pages


def routes() -> Iterator[tuple[str, URLPattern]]:
    """Every route of the URLconf, with the full name of its pattern in `full_name`."""

    def walk(resolver: URLResolver, prefix: str, namespace: str) -> Iterator[tuple[str, URLPattern]]:
        for found in resolver.url_patterns:
            if isinstance(found, URLResolver):
                inner = f"{namespace}{found.namespace}:" if found.namespace else namespace
                yield from walk(found, prefix + str(found.pattern), inner)
            else:
                route = prefix + str(found.pattern)
                found.full_name = f"{namespace}{found.name}" if found.name else route
                yield route, found

    return walk(get_resolver(), "", "")


def pages() -> list[Any]:
    found = [(route, pattern.full_name) for route, pattern in routes() if not route.startswith(("admin/", "api/v1/"))]
    return [pytest.param(route, name, id=name) for route, name in found]


def page_row(name: str) -> Row:
    for pattern, row in PAGES.items():
        if fnmatch(name, pattern):
            return row
    raise AssertionError(f"The page {name} has no row in tests/security/tenancy.py")


def visited(person: Person, cast: Cast, route: str, row: Row) -> Iterator[tuple[str, HttpResponse, str]]:
    """The answers to every method that the page takes."""
    path, body = f"/{filled(cast, route, row)}", body_of(row, cast)
    for method in METHODS:
        response = getattr(person.portal, method)(path, body or {})
        if response.status_code != 405:
            yield method, response, path + str(body)


@pytest.mark.security(TENANCY, "pages")
@pytest.mark.parametrize(("route", "name"), pages())
def test_a_stranger_gets_nothing_of_another_organization_on_a_page(
    route: str, name: str, cast: Cast, record_property: Record
) -> None:
    row = page_row(name)
    if name.startswith("account_"):
        assert "uuid" not in route, "a page of an object needs a row of its own"
        record_property("tried", 0)
        return
    # Samples are made by operations, which write events: make them before counting.
    filled(cast, route, row)
    body_of(row, cast)
    before = events_of_the_first(cast)
    answers = list(visited(cast.stranger, cast, route, row))
    assert answers, f"{name} takes no method"
    record_property("tried", len(answers))
    for method, response, sent in answers:
        if row.gets == Gets.HIDDEN:
            assert response.status_code == 404, f"{method}: {response.status_code}"
        elif row.gets == Gets.MACHINE:
            assert response.status_code in {401, 415}, f"{method}: {response.status_code}"
        elif row.gets == Gets.PUBLIC:
            assert response.status_code < 400, f"{method}: {response.status_code}"
            assert_no_leak(cast, response, sent, cast.sample("organization").company)
            continue
        else:
            assert response.status_code < 500
            assert response.status_code < 400 or row.gets == Gets.OPEN, f"{method}: {response.status_code}"
        assert_no_leak(cast, response, sent)
    assert events_of_the_first(cast) == before
    if row.gets == Gets.PUBLIC:
        withdrawn(cast)
        for method, response, _sent in visited(cast.stranger, cast, route, row):
            assert response.status_code == 404, f"{method}: {response.status_code} of what is not public any more"


@pytest.mark.security(TENANCY, "pages")
@pytest.mark.parametrize(("route", "name"), pages())
def test_nobody_gets_a_page_without_signing_in(route: str, name: str, cast: Cast, record_property: Record) -> None:
    row = page_row(name)
    answers = [] if row.gets == Gets.OPEN else list(visited(cast.anonymous, cast, route, row))
    record_property("tried", len(answers))
    for method, response, sent in answers:
        if row.gets == Gets.MACHINE:
            assert response.status_code in {401, 415}, f"{method}: {response.status_code}"
        else:
            assert response.status_code == 302, f"{method}: {response.status_code}"
            assert response["Location"].startswith("/account/login/"), response["Location"]
        assert_no_leak(cast, response, sent)


# --- Admin


@pytest.mark.security(TENANCY, "admin models")
@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label)
def test_a_stranger_on_the_staff_sees_and_changes_only_their_own_in_the_admin(
    model: Any, cast: Cast, record_property: Record
) -> None:
    label = model._meta.label
    assert label in ADMIN, f"The admin of {label} has no row in tests/security/tenancy.py"
    row = ADMIN[label]
    person = cast.stranger
    person.user.is_staff = True
    person.user.save(update_fields=["is_staff"])
    base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    if row.gets == Gets.STAFF:
        for path in (base, f"{base}add/", f"{base}1/change/"):
            assert person.portal.get(path).status_code in {302, 403}, path
        assert person.portal.get(base).status_code == 403
        record_property("tried", 4)
        return
    found = cast.sample(label)
    before = events_of_the_first(cast)
    answers = [
        person.portal.get(base),
        person.portal.get(base, {"q": cast.canary[:5]}),
        person.portal.get(f"{base}add/"),
    ]
    assert answers[0].status_code == 200
    for path in ("change", "delete", "history"):
        for method in ("get", "post"):
            response = getattr(person.portal, method)(
                f"{base}{key_of(found)}/{path}/",
                {"post": "yes", "reason": "none of theirs"} if method == "post" else {},
            )
            assert response.status_code in {302, 403, 404}, f"{method} {path}: {response.status_code}"
            # To the index with a message, as for an id that never was.
            assert response.status_code != 302 or response["Location"] == "/admin/", response["Location"]
            answers.append(response)
    for action in ("delete_selected", *admin.site._registry[model].actions):
        selected = {"action": action, "_selected_action": [key_of(found)], "post": "yes", "reason": "none of theirs"}
        answers.append(person.portal.post(base, selected))
    record_property("tried", len(answers))
    assert model._default_manager.filter(pk=found.pk).exists()
    assert events_of_the_first(cast) == before
    for response in answers:
        assert_no_leak(cast, response, key_of(found))


@pytest.mark.security(TENANCY, "filters, orderings and autocompletes of the admin")
@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label)
def test_no_filter_ordering_or_autocomplete_of_the_admin_tells_a_stranger_more(
    model: Any, cast: Cast, record_property: Record
) -> None:
    """Every column, and every field that refers to something: filtered by the first organization's, and looked up."""
    if ADMIN[model._meta.label].gets == Gets.STAFF:
        pytest.skip("no list for them")
    person, shown = cast.stranger, admin.site._registry[model]
    person.user.is_staff = True
    person.user.save(update_fields=["is_staff"])
    cast.sample(model._meta.label)
    base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    asked = [f"?o={number}" for number in range(1, len(shown.list_display) + 2)]
    fields = [field for field in model._meta.get_fields() if field.is_relation and getattr(field, "attname", None)]
    for field in fields:
        theirs = [found for found in cast.made() if isinstance(found, field.related_model)]
        asked += [f"?{field.name}__id__exact={key_of(found)}" for found in theirs]
    answers = [(path, person.portal.get(f"{base}{path}")) for path in asked]
    for field in fields:
        query = f"?app_label={model._meta.app_label}&model_name={model._meta.model_name}&field_name={field.name}"
        for term in ("", cast.canary[:5]):
            answers.append((query, person.portal.get(f"/admin/autocomplete/{query}&term={term}")))
    record_property("tried", len(answers))
    # A small number stands on every page for something else.
    small = " ".join(key for key in map(key_of, cast.made()) if len(key) < 8)
    for path, response in answers:
        assert response.status_code < 500, path
        if response.status_code == 200:
            assert_no_leak(cast, response, f"{path} {small}")


def test_nobody_enters_the_admin_without_being_staff(cast: Cast) -> None:
    for person in (cast.admin, cast.anonymous):
        for model in admin.site._registry:
            response = person.portal.get(f"/admin/{model._meta.app_label}/{model._meta.model_name}/")
            assert response.status_code == 302
            assert "/login/" in response["Location"]


# --- The table itself


def test_no_row_is_left_over() -> None:
    assert set(REST) == {endpoint.operation_id for endpoint in endpoints()}
    assert set(OPERATIONS) == {found.name for found in all_operations()}
    assert set(ADMIN) == {model._meta.label for model in admin.site._registry}
    names = [pattern.full_name for route, pattern in routes() if not route.startswith(("admin/", "api/v1/"))]
    for pattern in PAGES:
        assert any(fnmatch(name, pattern) for name in names), f"no page is called {pattern}"
