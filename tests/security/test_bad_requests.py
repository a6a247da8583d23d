"""Requests that carry what no person means: each is refused or answered, none breaks a page."""

from typing import Any

import pytest

from apps.core.testing import Cast

pytestmark = pytest.mark.security


@pytest.mark.parametrize(
    "path",
    [
        "/projects/?q=%00",
        "/datasets/?q=%00",
        "/training/?q=%00",
        "/datasets/{dataset}/?q=%00",
        "/audit/?until=9999-12-31",
        "/audit/?since=0001-01-01",
        "/quick-test/",
    ],
)
def test_a_page_is_drawn_whatever_its_filter_holds(cast: Cast, path: str) -> None:
    assert cast.owner.portal.get(cast.path(path)).status_code == 200


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-23:00", "9999-12-31T23:59:59-23:59"])
def test_a_moment_beyond_the_databases_calendar_is_refused(cast: Cast, moment: str) -> None:
    answer = cast.owner.rest.get("/audit-logs", {"before": moment})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


@pytest.mark.parametrize("zone", ["America", "Etc", "Mars/Olympus", "../../etc/passwd", "Europe/Berlin\n."])
def test_a_time_zone_that_is_none_is_refused(cast: Cast, zone: str) -> None:
    answer = cast.owner.rest.patch("/me", {"time_zone": zone})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["time_zone"])


def test_a_person_whose_time_zone_became_a_folder_still_sees_pages(cast: Cast) -> None:
    user: Any = cast.owner.user
    user.time_zone = "America"
    user.save()
    assert cast.owner.portal.get("/projects/").status_code == 200
