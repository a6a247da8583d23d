"""Every page that can be reached by links, on a wide screen and on a phone: nothing is missing, refused or cut off."""

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import urldefrag, urlsplit

import pytest
from modelyard.demo.client import Client

from apps.datasets.samples import sample_archive
from tests.e2e.visitors import LivePortal, Visitor

pytestmark = pytest.mark.e2e

WIDE, PHONE = 1280, 390
ROW = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=/)\d+(?=/)")
#: Pages of one pattern that are looked at: a list's first rows differ in what they hold.
ROWS_EACH = 3
LINKS = (
    """() => [...document.querySelectorAll("a[href]:not([download]):not([target=_blank])")].map((link) => link.href)"""
)
ENDS_THE_SESSION = "/account/logout/"
#: A page of its library, with widths of its own.
API_DOCS = "/api/docs/"
MUST_SEE = (
    *("/", "/projects/", "/projects/new/", "/projects/*/", "/projects/*/members/", "/projects/*/settings/"),
    *("/datasets/", "/datasets/new/", "/datasets/*/", "/datasets/*/images/*/", "/datasets/*/classes/"),
    *(
        "/datasets/*/versions/",
        "/datasets/*/compare/",
        "/datasets/*/upload/",
        "/datasets/*/import/address/",
        "/datasets/*/import/bucket/",
        "/datasets/*/import/folder/",
        "/datasets/*/uploads/",
        "/datasets/*/uploads/*/",
    ),
    *(
        "/datasets/*/files/",
        "/datasets/*/exports/",
        "/datasets/*/usage/",
        "/datasets/*/edit/",
        "/training/",
        "/training/new/",
        "/training/*/",
    ),
    *("/training/*/change/", "/quick-test/"),
    *("/resource-groups/", "/resource-groups/*/", "/audit/", "/audit/organization/", "/profile/"),
    *("/account/password/change/", "/account/email/"),
)


@pytest.fixture(scope="module")
def furnished(live_portal: LivePortal) -> LivePortal:
    """A project with a dataset of two versions and an export, an upload that was refused, an empty dataset, and a training that waits
    as a draft."""
    client = Client(live_portal.url)
    client.sign_in(live_portal.email, live_portal.password)
    name = "A project whose name is as long as people make them when nobody stops them 이름이 긴 프로젝트"
    project = client.post("/projects", {"name": name, "description": "야간 주행 영상에서 표지판을 찾습니다."})["id"]
    dataset = client.post("/datasets", {"name": "Shapes to look at", "project_id": project})["id"]
    for archive in (sample_archive(train=12, val=4), sample_archive(train=4, val=2, seed=1)):
        upload = _uploaded(client, dataset, archive, "ready")
        client.post(f"{upload}/publish")
        client.wait(upload, lambda found: found["state"] == "published", 120)
    export = client.post(f"/datasets/{dataset}/export", {"format": "imagefolder"})["id"]
    client.wait(f"/datasets/{dataset}/exports/{export}", lambda found: found["state"] == "ready", 120)
    client.post("/datasets", {"name": "Empty", "project_id": project})
    _uploaded(client, dataset, _defective(), "refused")
    client.post(
        "/training-jobs",
        {"name": "Draft", "project_id": project, "dataset_id": dataset, "trainer": "ultralytics", "task": "detect"},
    )
    return live_portal


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("ko", "dark")])
def test_no_page_misses_anything_asks_elsewhere_or_is_wider_than_a_phone(
    furnished: LivePortal, visit: Any, language: str, theme: str
) -> None:
    visitor: Visitor = visit(language=language, theme=theme, width=WIDE)
    visitor.sign_in()
    faults: dict[str, list[str]] = {}
    seen = set()
    for path in _walk(visitor):
        seen.add(ROW.sub("*", path))
        found = _faults(visitor, language, theme)
        if found:
            faults[path] = found
    assert faults == {}
    assert set(MUST_SEE) - seen == set()


def test_pages_before_the_door_fit_too(furnished: LivePortal, visit: Any) -> None:
    visitor: Visitor = visit(language="ko", theme="dark", width=WIDE)
    faults = {}
    for path in ("login/", "signup/", "password/reset/", "password/reset/done/", "confirm-email/", "inactive/"):
        visitor.go(f"/account/{path}")
        if found := _faults(visitor, "ko", "dark"):
            faults[path] = found
    assert faults == {}


def _walk(visitor: Visitor) -> Iterator[str]:
    """Visits what the first page leads to, breadth first, and yields each address while it is shown."""
    waiting, known, counted = ["/"], {"/", ENDS_THE_SESSION, API_DOCS}, dict[str, int]()
    while waiting:
        path = waiting.pop(0)
        visitor.go(path)
        visitor.page.wait_for_load_state("networkidle")
        for link in visitor.page.evaluate(LINKS):
            address = urlsplit(urldefrag(link).url)
            pattern = ROW.sub("*", address.path)
            ours = visitor.portal.url.endswith(f"//{address.netloc}") and not address.path.startswith(
                ("/api/v1/", "/static/")
            )
            if ours and address.path not in known and counted.get(pattern, 0) < ROWS_EACH:
                known.add(address.path)
                counted[pattern] = counted.get(pattern, 0) + 1
                waiting.append(address.path)
        yield path


def _faults(visitor: Visitor, language: str, theme: str) -> list[str]:
    page = visitor.page
    found = list(visitor.complaints)
    visitor.complaints.clear()
    root = page.locator("html")
    if (drawn := root.get_attribute("data-bs-theme")) != theme:
        found.append(f"drawn in {drawn}")
    if (spoken := root.get_attribute("lang")) != language:
        found.append(f"in {spoken}")
    page.set_viewport_size({"width": PHONE, "height": 844})
    if (width := page.evaluate("document.documentElement.scrollWidth")) > PHONE:
        found.append(f"{width} pixels wide on a phone")
    page.set_viewport_size({"width": WIDE, "height": 900})
    if "{%" in (text := page.locator("body").inner_text()) or "{{" in text:
        found.append("a template's tag is shown")
    return found


def _uploaded(client: Client, dataset: str, archive: bytes, state: str) -> str:
    upload = f"/datasets/{dataset}/uploads/{client.post(f'/datasets/{dataset}/uploads')['id']}"
    client.put_bytes(f"{upload}/files?path=shapes.zip", archive)
    client.post(f"{upload}/analyze")
    client.wait(upload, lambda found: found["state"] == state, 120)
    return upload


def _defective() -> bytes:
    """A set with a class that does not exist and a box beside its picture."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(sample_archive(train=6, val=2))) as sound, zipfile.ZipFile(made, "w") as archive:
        for name in sound.namelist():
            first = name.endswith("train-0000.txt")
            archive.writestr(name, "9 0.5 0.5 0.1 0.1\n0 1.5 0.5 0.2 0.2\n" if first else sound.read(name))
    return made.getvalue()
