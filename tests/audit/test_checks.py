"""Verifications that people ask for and that the day brings."""

import random
import re

import pytest

from apps.audit import services
from apps.audit.models import AuditCheck, AuditEvent
from apps.audit.services.checking import KEPT, checks_waiting
from apps.audit.tasks import check, daily, heads, seal, waiting
from apps.core.errors import Conflict, Forbidden, NotFound
from apps.core.testing import Cast
from tests.audit.chains import chain_of, database_rights, edit


@pytest.fixture
def chain(cast: Cast):  # type: ignore[no-untyped-def]
    return chain_of(cast.sample("organization").pk, 20)


def test_managers_have_their_organization_s_log_verified_and_see_the_result(cast: Cast, chain) -> None:  # type: ignore[no-untyped-def]
    asked = cast.manager.rest.post("/audit-checks")
    assert (asked.status_code, asked.json()["is_intact"]) == (202, None)
    check(asked.json()["id"])
    found = cast.manager.rest.get(f"/audit-checks/{asked.json()['id']}").json()
    assert (found["is_intact"], found["is_complete"], found["events"]) == (True, True, 20)
    event = AuditEvent.objects.get(action="audit.check_requested")
    assert (event.organization_id, event.actor_id) == (chain, cast.manager.user.pk)


def test_who_does_not_follow_a_log_cannot_have_it_verified(cast: Cast, chain) -> None:  # type: ignore[no-untyped-def]
    for person, error in ((cast.owner, Forbidden), (cast.guest, Forbidden), (cast.stranger, NotFound)):
        with pytest.raises(error):
            services.check_request(actor=person.actor, chain=chain)
        with pytest.raises((Forbidden, NotFound)):
            services.check_request(actor=person.actor, chain=services.PLATFORM)
    assert services.check_request(actor=cast.platform.actor, chain=services.PLATFORM)
    assert not AuditCheck.objects.filter(chain=chain).exists()


def test_a_second_request_while_one_runs_is_a_conflict(cast: Cast, chain) -> None:  # type: ignore[no-untyped-def]
    first = services.check_request(actor=cast.admin.actor, chain=chain)
    with pytest.raises(Conflict):
        services.check_request(actor=cast.manager.actor, chain=chain)
    assert cast.manager.rest.post("/audit-checks").status_code == 409
    services.check_run(first.pk)
    assert services.check_request(actor=cast.manager.actor, chain=chain)


def test_a_check_whose_hint_was_lost_is_run_by_the_next_pass(cast: Cast, chain) -> None:  # type: ignore[no-untyped-def]
    found = services.check_request(actor=cast.admin.actor, chain=chain)
    assert waiting() == 1
    assert checks_waiting() == 0
    found.refresh_from_db()
    assert found.finished_at is not None


def test_the_day_seals_signs_and_verifies_every_chain(cast: Cast, chain) -> None:  # type: ignore[no-untyped-def]
    cast.anonymous.portal.post("/account/login/", {"login": "nobody@example.com", "password": "wrong"})
    assert seal() == 1
    assert heads() == 2
    assert daily() == 0
    assert set(AuditCheck.objects.values_list("chain", flat=True)) == {chain, services.PLATFORM}
    assert all(AuditCheck.objects.values_list("is_intact", flat=True))


def test_a_log_that_was_changed_is_said_on_the_page_and_in_the_result(cast: Cast, chain) -> None:  # type: ignore[no-untyped-def]
    with database_rights():
        edit(chain, 20, random.Random(2))
        assert daily() == 1
        page = cast.admin.portal.get("/audit/organization/").content.decode()
        found = cast.admin.rest.get("/audit-checks").json()["results"][0]
    assert "Not sound" in page
    assert "1 events are not what was sealed." in page
    assert (found["is_intact"], found["findings"]["broken_count"]) == (False, 1)


def test_old_results_are_forgotten(cast: Cast, chain) -> None:  # type: ignore[no-untyped-def]
    for _number in range(KEPT + 3):
        daily()
    assert AuditCheck.objects.filter(chain=chain).count() == KEPT


def test_the_admin_asks_for_a_verification_by_adding_one_and_by_choosing_events(cast: Cast, chain) -> None:  # type: ignore[no-untyped-def]
    portal = cast.platform.portal
    page = portal.get("/admin/audit/auditcheck/add/")
    assert page.status_code == 200
    assert portal.post("/admin/audit/auditcheck/add/", {"organization": str(chain)}).status_code == 302
    found = AuditCheck.objects.get()
    assert (found.chain, found.requested_by_id) == (chain, cast.platform.user.pk)
    services.check_run(found.pk)
    assert portal.get(f"/admin/audit/auditcheck/{found.pk}/change/").status_code == 200
    event = AuditEvent.objects.filter(organization_id=chain).first()
    assert event is not None
    chosen = {"action": "verify_chains", "_selected_action": [str(event.pk)]}
    answer = portal.post("/admin/audit/auditevent/", chosen)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/audit/auditcheck/")
    assert AuditCheck.objects.filter(chain=chain).count() == 2


def test_staff_of_an_organization_verify_their_own_log_only(cast: Cast, chain) -> None:  # type: ignore[no-untyped-def]
    cast.stranger.user.is_staff = True
    cast.stranger.user.save(update_fields=["is_staff"])
    page = cast.stranger.portal.get("/admin/audit/auditcheck/add/").content.decode()
    names = ("app-label", "model-name", "field-name")
    source = {name.replace("-", "_"): re.search(f'data-{name}="(\\w+)"', page)[1] for name in names}  # type: ignore[index]
    offered = cast.stranger.portal.get("/admin/autocomplete/", {**source, "term": ""}).json()["results"]
    assert [row["id"] for row in offered] == [str(cast.stranger.organization_id)]
    assert cast.canary not in page
    for value in (str(chain), ""):
        assert cast.stranger.portal.post("/admin/audit/auditcheck/add/", {"organization": value}).status_code == 200
    assert not AuditCheck.objects.exists()
