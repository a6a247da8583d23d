"""Language, theme, time zone and organization: chosen once, kept, and seen on the next page."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone, translation
from modelyard.profile import PreferencesMiddleware, organizations

from apps.accounts.models import User
from apps.audit.models import AuditEvent
from apps.core.identity import Role
from apps.core.identity.middleware import CHOSEN_ORGANIZATION
from apps.core.testing import PortalClient
from apps.resources.models import ResourceGroup
from tests.factories.accounts import PASSWORD, UserFactory
from tests.factories.jobs import JobFactory
from tests.factories.organizations import MembershipFactory
from tests.factories.training import TrainingJobFactory


@pytest.fixture(autouse=True)
def language_of_the_test():
    """What a middleware activates ends with the test."""
    with translation.override("en"):
        yield


def test_language_switch_changes_the_next_page_and_comes_back(cast, catalogues, page_of):
    client = cast.owner.portal
    answer = client.post("/i18n/set-language/", {"language": "ko", "next": "/projects/?q=x"})
    assert (answer.status_code, answer["Location"]) == (302, "/projects/?q=x")
    page = page_of(client.get("/projects/"))
    assert page.language == "ko"
    assert "프로젝트" in page.words


def test_language_switch_writes_the_profile_of_who_is_signed_in(cast):
    person = cast.owner
    for chosen, stored in (("ko", "ko"), ("ko", "ko"), ("xx", "ko"), ("en", "en")):
        person.portal.post("/i18n/set-language/", {"language": chosen})
        person.user.refresh_from_db()
        assert person.user.language == stored
    assert AuditEvent.objects.filter(action="account.profile_changed").count() == 2


def test_saving_the_profile_keeps_the_language_that_is_shown(cast):
    """The browser speaks Korean, the profile English: the form offers Korean."""
    client = cast.owner.portal
    client.cookies["django_language"] = "ko"
    form = client.get("/profile/").context["form"]
    assert form.instance.language == "en"
    assert form["language"].value() == "ko"


def test_scripts_get_their_words_in_the_language_asked_for(cast, catalogues):
    client = cast.anonymous.portal
    client.post("/i18n/set-language/", {"language": "ko"})
    korean = client.get("/i18n/js/").content.decode()
    client.post("/i18n/set-language/", {"language": "en"})
    assert json.dumps("복사").strip('"') in korean  # scripts are sent in ASCII
    assert client.get("/i18n/js/").content.decode() != korean


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_theme_is_drawn_by_the_server(theme, cast):
    client = cast.owner.portal
    assert client.post("/profile/theme/", {"theme": theme, "next": "/profile/"})["Location"] == "/profile/"
    assert f'data-bs-theme="{theme}"' in client.get("/profile/").content.decode()


def test_unknown_theme_is_not_kept_and_foreign_address_not_followed(cast):
    answer = cast.owner.portal.post("/profile/theme/", {"theme": "<b>", "next": "https://elsewhere.example/"})
    assert answer["Location"] == "/"
    assert "theme" not in answer.cookies


def test_profile_keeps_what_was_chosen(cast):
    client = cast.owner.portal
    fields = {"name": "neue-name", "language": "ko", "time_zone": "Europe/Berlin", "theme": "dark"}
    answer = client.post("/profile/", fields)
    assert answer.status_code == 302
    assert (answer.cookies["theme"].value, answer.cookies["django_language"].value) == ("dark", "ko")
    cast.owner.user.refresh_from_db()
    assert {name: getattr(cast.owner.user, name) for name in fields} == fields


@pytest.mark.parametrize("wrong", [{"time_zone": "Mars/Olympus"}, {"name": "<script>"}, {"language": "xx"}])
def test_profile_refuses_what_is_not_there(wrong, cast, page_of):
    fields = {"name": "fine", "language": "en", "time_zone": "Asia/Seoul", "theme": "dark", **wrong}
    before = cast.owner.user.time_zone, cast.owner.user.name, cast.owner.user.language
    answer = cast.owner.portal.post("/profile/", fields)
    cast.owner.user.refresh_from_db()
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert (cast.owner.user.time_zone, cast.owner.user.name, cast.owner.user.language) == before


def test_who_has_chosen_no_zone_has_the_portals(settings):
    settings.TIME_ZONE = "Europe/Lisbon"
    assert User().time_zone == "Europe/Lisbon"


def request_of(user, cookies):
    made = RequestFactory().get("/")
    made.user, made.COOKIES = user, cookies
    return made


def seen_by(request):
    """Language and local time of 00:00 UTC while the page is drawn."""
    seen = {}

    def view(request):
        seen["language"] = translation.get_language()
        seen["hour"] = timezone.localtime(datetime(2026, 1, 1, tzinfo=UTC)).hour
        return HttpResponse()

    PreferencesMiddleware(view)(request)
    return seen


def test_page_is_in_the_persons_zone_and_language(db):
    user = UserFactory(language="ko", time_zone="Europe/Berlin")
    assert seen_by(request_of(user, {"sessionid": "x"})) == {"language": "ko", "hour": 1}
    assert timezone.get_current_timezone() == ZoneInfo("Asia/Seoul")


def test_the_page_tells_its_scripts_the_zone(cast):
    cast.owner.user.change(time_zone="Europe/Berlin")
    assert 'data-time-zone="Europe/Berlin"' in cast.owner.portal.get("/projects/").content.decode()


def test_language_chosen_in_the_browser_wins(db):
    user = UserFactory(language="ko")
    assert seen_by(request_of(user, {"sessionid": "x", "django_language": "en"}))["language"] == "en"


@pytest.mark.parametrize(("cookie", "greeting"), [(None, "계정으로 로그인했습니다"), ("en", "signed in as")])
def test_greeting_is_in_the_language_of_the_page_that_comes_next(db, catalogues, cookie, greeting):
    user, client = UserFactory(language="ko"), PortalClient()
    if cookie:
        client.cookies["django_language"] = cookie
    answer = client.post(
        "/account/login/", {"login": user.email, "password": PASSWORD}, headers={"accept-language": "en"}
    )
    assert answer.status_code == 302
    assert greeting in client.get(answer["location"], follow=True).content.decode()


def test_zone_that_this_machine_does_not_know_is_the_portals(db):
    user = UserFactory(time_zone="Mars/Olympus")
    assert seen_by(request_of(user, {"sessionid": "x"}))["hour"] == 9


def test_visitor_without_a_session_is_not_asked_for(db, django_assert_num_queries):
    class Unasked:
        @property
        def is_authenticated(self):
            raise AssertionError("the person was looked up")

    assert seen_by(request_of(Unasked(), {}))["hour"] == 9


def test_top_bar_names_the_chosen_organization_and_the_others(cast):
    person = cast.owner
    other = MembershipFactory(user=person.user, role=Role.GUEST, organization__company="Another company").organization
    context = organizations(SimpleNamespace(user=person.user, actor=person.actor))
    assert context["organization"].id == person.organization_id
    assert {choice.id for choice in context["organizations"]} == {person.organization_id, other.pk}


def test_organization_is_chosen_among_ones_own(cast):
    person = cast.owner
    other = MembershipFactory(user=person.user, role=Role.GUEST).organization
    client = person.portal
    client.post("/organization/choose/", {"organization": str(other.pk)})
    assert client.session[CHOSEN_ORGANIZATION] == str(other.pk)
    client.post("/organization/choose/", {"organization": str(cast.stranger.organization_id)})
    assert client.session[CHOSEN_ORGANIZATION] == str(other.pk)


@pytest.mark.parametrize("door", ["session", "token"])
def test_programs_get_every_time_in_utc(door, cast):
    person = cast.owner
    person.user.change(time_zone="Europe/Berlin")
    made = TrainingJobFactory(
        job=JobFactory(project=cast.sample("project"), queued_at=timezone.now(), started_at=timezone.now())
    )
    path = f"/api/v1/training-jobs/{made.pk}"
    client = person.portal
    answer = client.get(path) if door == "session" else person.rest.get(path.removeprefix("/api/v1"))
    body = answer.json()
    times = [body["created_at"], body["job"]["queued_at"], body["job"]["started_at"]]
    assert [time[-1] for time in times] == ["Z"] * 3
    assert datetime.fromisoformat(body["created_at"]) == made.job.created_at


def test_sign_in_is_greeted_in_words_that_suit_every_name(cast, catalogues, page_of):
    client = cast.anonymous.portal
    client.cookies["django_language"] = "ko"
    UserFactory(email="new@example.com", name="sincere-prism-128")
    client.post("/account/login/", {"login": "new@example.com", "password": PASSWORD})
    assert "sincere-prism-128 계정으로 로그인했습니다." in client.get("/profile/").content.decode()


def test_the_group_that_comes_with_the_portal_has_one_name_everywhere(cast, catalogues):
    shared, own = ResourceGroup(name="This machine"), ResourceGroup(name="This machine", organization_id=uuid4())
    with translation.override("ko"):
        assert (str(shared), str(own)) == ("이 머신", "This machine")
    with translation.override("en"):
        assert str(shared) == "This machine"
