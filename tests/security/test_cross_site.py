"""What another site can make a signed-in person's browser do: post a form (bad-K31), or end up somewhere else."""

from typing import Any
from urllib.parse import quote

import pytest

from apps.accounts.models import User
from apps.core.testing import Cast, PortalClient
from tests.factories.accounts import PASSWORD
from tests.security.report import CREDENTIALS

pytestmark = [
    pytest.mark.security(CREDENTIALS, "requests and links made up by another site"),
    pytest.mark.world("owner", "platform"),
]
EVIL = (
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "https:evil.example",
    "javascript:alert(1)",
    "https://testserver@evil.example/",
    "http://testserver.evil.example/",
    " https://evil.example/",
    "/\t/evil.example/",
)


def guarded(client: PortalClient) -> PortalClient:
    client.handler.enforce_csrf_checks = True
    assert client.get("/profile/").status_code == 200
    return client


FORGERIES: dict[str, dict[str, str]] = {
    "no token": {},
    "a made-up token": {"X-CSRFToken": "x" * 64},
    "another site's page": {"X-CSRFToken": "own", "Origin": "https://evil.example"},
    "a page without an origin": {"X-CSRFToken": "own", "Origin": "null"},
    "a name that begins like ours": {"X-CSRFToken": "own", "Origin": "http://testserver.evil.example"},
}


@pytest.mark.parametrize("path", ["/profile/", "/organization/choose/", "/admin/accounts/user/", "/account/logout/"])
@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_form_of_another_site_is_refused(cast: Cast, path: str, forgery: str) -> None:
    client = guarded(cast.platform.portal)
    token = client.cookies["csrftoken"].value
    headers = {name: token if value == "own" else value for name, value in FORGERIES[forgery].items()}
    assert client.post(path, {"name": "Taken over"}, headers=headers).status_code == 403
    assert User.objects.get(pk=cast.platform.user.pk).name != "Taken over"
    assert client.get("/profile/").status_code == 200, "still signed in"
    fine = client.post(path, {"name": "Mine"}, headers={"X-CSRFToken": token, "Origin": "http://testserver"})
    assert fine.status_code != 403


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_rest_call_by_the_session_of_another_sites_visitor_is_refused(cast: Cast, forgery: str) -> None:
    client = guarded(cast.owner.portal)
    token = client.cookies["csrftoken"].value
    headers = {name: token if value == "own" else value for name, value in FORGERIES[forgery].items()}
    sent: dict[str, Any] = {"data": {"name": "Taken over"}, "content_type": "application/json"}
    assert client.patch("/api/v1/me", headers=headers, **sent).status_code == 403
    assert User.objects.get(pk=cast.owner.user.pk).name != "Taken over"
    assert client.patch("/api/v1/me", headers={"X-CSRFToken": token}, **sent).status_code == 200


def is_ours(answer: Any) -> bool:
    """Whether the answer stays here, as browsers read its address."""
    target = answer.get("Location", "/").replace("\\", "/").replace("\t", "").strip()
    if target.startswith("http://testserver/"):
        return True
    return target.startswith("/") and not target.startswith("//")


@pytest.mark.parametrize("target", EVIL)
def test_a_link_leads_nowhere_else_after_its_work(cast: Cast, target: str) -> None:
    client = cast.owner.portal
    body = {"next": target, "theme": "dark", "language": "ko"}
    answers = [client.post(path, body) for path in ("/profile/theme/", "/i18n/set-language/")]
    answers.append(client.post("/profile/theme/", {"theme": "dark"}, headers={"Referer": target}))
    answers.append(client.get(f"/account/login/?next={quote(target)}"))  # is signed in
    answers.append(client.post(f"/account/logout/?next={quote(target)}", {"next": target}))
    fresh = PortalClient()
    signing_in = {"login": cast.owner.user.email, "password": PASSWORD, "next": target}
    answers.append(fresh.post("/account/login/", signing_in))
    assert answers[-1].status_code == 302 and fresh.get("/profile/").status_code == 200
    answers.append(PortalClient().get(f"/admin/login/?next={quote(target)}"))
    answers.append(PortalClient().get(f"/account/single-sign-on/?next={quote(target)}"))
    for answer in answers:
        assert is_ours(answer), answer["Location"]


@pytest.mark.parametrize("target", EVIL)
def test_the_sign_in_of_the_admin_hands_on_no_foreign_address(cast: Cast, target: str) -> None:
    began = PortalClient()
    page = began.get(f"/admin/login/?next={quote(target)}", follow=True)
    signing_in = {"login": cast.platform.user.email, "password": PASSWORD}
    answer = began.post(page.redirect_chain[-1][0], signing_in)
    assert answer.status_code == 302 and is_ours(answer), answer["Location"]


def test_guessing_by_the_page_is_slowed_down_whatever_address_is_claimed(cast: Cast) -> None:
    def guess(number: int) -> str:
        claimed = {"X-Forwarded-For": f"203.0.113.{number}", "X-Real-IP": f"203.0.113.{number}", "Forwarded": "for=x"}
        body = {"login": cast.owner.user.email, "password": f"wrong {number}"}
        return str(PortalClient().post("/account/login/", body, headers=claimed).content)

    assert ["Too many failed attempts" in guess(number) for number in range(8)] == [False] * 5 + [True] * 3
