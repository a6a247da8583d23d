"""The admin's own pages: first page, navigation, and every list that a platform administrator can open."""

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.functional import Promise

from apps.accounts.models import RefreshToken
from apps.core.admin import PolicyInline
from apps.datasets.models import Blob
from apps.jobs.models import AttemptFile, Job
from apps.organizations.services.quotas import stored_bytes
from tests.factories.jobs import JobFactory
from tests.factories.organizations import MembershipFactory
from tests.jobs.support import started

HANGUL = re.compile(r"[가-힣]")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_first_page_names_header_machines_and_failures(language, cast, catalogues):
    JobFactory(project=cast.sample("project"), name="broken job", state="failed", reason_code="out_of_memory")
    node = cast.sample("node")
    node.change(usage={"cpu_percent": 42.0, "memory_used_mb": 1024, "disk_used_percent": 10, "gpus": []})
    client = cast.platform.portal
    client.cookies["django_language"] = language
    response = client.get("/admin/")
    text = response.content.decode()
    assert response.status_code == 200
    for expected in ("broken job", node.name, "42", "Modelyard"):
        assert expected in text
    assert [area["title"] for area in response.context["sidebar_navigation"] if not area["items"]] == []


def test_header_is_seen_on_every_kind_of_page(cast):
    project = cast.sample("project")
    for path in ("/admin/", "/admin/projects/project/", f"/admin/projects/project/{project.pk}/change/"):
        text = cast.platform.portal.get(path).content.decode()
        assert 'id="site-name"' in text, path
        assert "img/logo.svg" in text, path


def test_navigation_leads_only_where_one_may_go(cast):
    """Staff of one organization is not offered the installation's own tables."""
    cast.manager.user.is_staff = True
    cast.manager.user.save(update_fields=["is_staff"])
    shown = cast.manager.portal.get("/admin/").context["sidebar_navigation"]
    links = [str(item["link"]) for area in shown for item in area["items"]]
    assert reverse("admin:projects_project_changelist") in links
    assert reverse("admin:core_outboxmessage_changelist") not in links
    assert reverse("admin:account_emailaddress_changelist") not in links
    assert [link for link in links if cast.manager.portal.get(link).status_code != 200] == []


def test_storage_is_what_the_organizations_own_pages_count(cast, own_cache):
    ids = cast.owner.organization_id, cast.stranger.organization_id
    for organization_id in ids:
        Blob.objects.create(organization_id=organization_id, sha256="1" * 64, size=3 * 10**9)
    attempt = started()
    Job.objects.filter(pk=attempt.job_id).update(organization_id=ids[0])
    AttemptFile.objects.create(attempt=attempt, kind="checkpoint", name="last.pt", sha256="1" * 64, size=10**9)
    own_cache()
    assert [stored_bytes(pk) for pk in ids] == [4 * 10**9, 3 * 10**9]
    assert cast.platform.portal.get("/admin/").context["storage_gb"] == 7


def test_failures_of_other_organizations_stay_with_them(cast):
    JobFactory(project=cast.sample("project"), name=f"secret {cast.canary}", state="failed")
    cast.stranger.user.is_staff = True
    cast.stranger.user.save(update_fields=["is_staff"])
    assert cast.canary not in cast.stranger.portal.get("/admin/").content.decode()


def staff(person):
    person.user.is_staff = True
    person.user.save(update_fields=["is_staff"])
    return person.portal


def test_an_organizations_page_shows_guests_themselves_and_engineers_everybody(cast):
    path = f"/admin/organizations/organization/{cast.sample('organization').pk}/change/"
    people = {person.user.name for person in (cast.guest, cast.member, cast.owner)}
    for person, seen in ((cast.guest, {cast.guest.user.name}), (cast.member, people), (cast.platform, people)):
        text = staff(person).get(path).content.decode()
        assert {name for name in people if name in text} == seen, person


def test_when_programs_signed_in_is_seen_by_their_person_and_platform_administrators(cast):
    cast.owner.token  # noqa: B018 - a sign-in of the person
    spent = timezone.now().replace(year=2001, month=2, day=3)
    assert RefreshToken.objects.filter(user=cast.owner.user).update(used_at=spent) == 1
    path = f"/admin/accounts/user/{cast.owner.user.pk}/change/"
    for person, seen in ((cast.owner, True), (cast.member, False), (cast.platform, True)):
        response = staff(person).get(path)
        assert response.status_code == 200
        assert (", 2001, " in response.content.decode()) is seen, person


def test_every_list_opens_for_platform_administrators(cast):
    for model in admin.site._registry:
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        assert cast.platform.portal.get(path).status_code == 200, path


def test_tables_of_libraries_cannot_be_changed(cast):
    from allauth.account.models import EmailAddress  # import here: models load after Django's set-up

    address = EmailAddress.objects.get(user=cast.owner.user)
    path = f"/admin/account/emailaddress/{address.pk}/change/"
    assert cast.platform.portal.get(path).status_code == 200
    assert cast.platform.portal.post(path, {"email": "other@example.com"}).status_code == 403
    address.refresh_from_db()
    assert address.email == cast.owner.user.email


def test_every_label_of_our_tables_is_korean_where_korean_is_read(cast, catalogues, page_of):
    """Heads of the lists, as the browser gets them; signs and names that are the same in both are listed."""
    same = {"", "CPU", "ID", "MLflow", "SHA-256"}
    english = {}
    client = cast.platform.portal
    client.cookies["django_language"] = "ko"
    for model, shown in admin.site._registry.items():
        if model._meta.app_label == "django_celery_beat":  # its own translation
            continue
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        response = client.get(path)
        with translation.override("ko"):
            labels = [str(label_for_field(name, model, shown)) for name in response.context["cl"].list_display]
        heads = [label for label in labels if label not in same and "<" not in label]
        if wrong := [label for label in heads if not HANGUL.search(label)]:
            english[path] = wrong
    assert english == {}


def test_every_field_has_a_name_that_can_be_translated():
    named = [
        str(field)
        for model in apps.get_models()
        if model.__module__.startswith("apps.")
        for field in (*model._meta.fields, *model._meta.many_to_many)
        if not field.primary_key and not isinstance(field.verbose_name, Promise)
    ]
    assert named == []


def test_what_hangs_on_an_object_is_shown_page_by_page(cast):
    """Thirty members are two pages; a number that is none asks for the first."""
    organization = cast.sample("organization")
    MembershipFactory.create_batch(30, organization=organization)
    path = f"/admin/organizations/organization/{organization.pk}/change/"
    shown = {}
    for asked in ("1", "2", "3", "0", "²", "-1", "9" * 40, "x"):
        response = cast.platform.portal.get(path, {"memberships-page": asked})
        (inline,) = response.context["inline_admin_formsets"]
        shown[asked] = [form.original.pk for form in inline if form.original]
    newest = list(organization.memberships.order_by("-pk").values_list("pk", flat=True))
    assert (shown["1"], shown["2"]) == (newest[:25], newest[25:])
    assert all(shown[asked] == newest[:25] for asked in ("0", "²", "9" * 40, "x"))


def test_every_inline_has_pages():
    inlines = [inline for shown in admin.site._registry.values() for inline in shown.inlines]
    assert inlines
    assert [inline for inline in inlines if not (issubclass(inline, PolicyInline) and inline.per_page)] == []


def test_an_organization_leads_to_all_of_its_members_and_to_inviting_many(cast):
    organization = cast.sample("organization")
    text = cast.platform.portal.get(f"/admin/organizations/organization/{organization.pk}/change/").content.decode()
    listed = f"/admin/organizations/membership/?organization__id__exact={organization.pk}"
    invite = f"/invitations/new/?type=organization&amp;id={organization.pk}"
    assert f'href="{listed}"' in text and f'href="{invite}"' in text
    assert cast.platform.portal.get(listed).status_code == 200
    assert 'name="bulk-file"' in cast.platform.portal.get(invite.replace("&amp;", "&")).content.decode()


def test_a_member_is_looked_for_and_not_picked_from_a_list_of_everybody(cast):
    text = cast.platform.portal.get("/admin/organizations/membership/add/").content.decode()
    assert cast.owner.user.name not in text
    query = "app_label=organizations&model_name=membership&field_name=user"
    found = cast.platform.portal.get(f"/admin/autocomplete/?{query}&term={cast.owner.user.email}").json()["results"]
    assert [row["id"] for row in found] == [str(cast.owner.user.pk)]


def test_a_filter_by_organization_is_searched_for_and_lists_none(cast):
    organization, other = cast.sample("organization"), cast.stranger.organization_id
    other = type(organization).objects.get(pk=other)
    path = "/admin/projects/project/"
    text = cast.platform.portal.get(path).content.decode()
    assert 'data-field-name="organization"' in text
    assert str(other) not in text.split('id="changelist-filter"')[1]
    chosen = cast.platform.portal.get(f"{path}?organization__id__exact={other.pk}").content.decode()
    assert str(other) in chosen.split('id="changelist-filter"')[1], "what is chosen is named"
    hidden = staff(cast.admin).get(f"{path}?organization__id__exact={other.pk}").content.decode()
    assert str(other) not in hidden


@pytest.mark.parametrize(
    ("model", "name"), [("organizations/membership", "state__exact"), ("apikeys/apikey", "state")]
)
def test_a_searched_filter_keeps_what_was_chosen_by_links(model, name, cast):
    text = cast.platform.portal.get(f"/admin/{model}/?{name}=active&q=a").content.decode()
    form = text.split('id="filter-form"')[1].split("</form>")[0]
    assert form.count(f'type="hidden" name="{name}"') == 1
    assert form.count('name="q"') == 1


def test_references_are_searched_for_wherever_there_may_be_any_number(cast):
    """People are told apart by their address."""
    for path in (
        "/admin/projects/project/add/",
        "/admin/departures/personerasure/add/",
        "/admin/audit/auditcheck/add/",
    ):
        text = cast.platform.portal.get(path).content.decode()
        assert "admin-autocomplete" in text, path
        assert cast.owner.user.email not in text, path
    query = "app_label=organizations&model_name=membership&field_name=user"
    (row,) = cast.platform.portal.get(f"/admin/autocomplete/?{query}&term={cast.owner.user.email}").json()["results"]
    assert row["text"] == f"{cast.owner.user.name} · {cast.owner.user.email}"


@pytest.mark.parametrize(
    "address",
    [
        "accounts/user/?password__startswith=",
        "accounts/user/?token_generation__gt=",
        "accounts/refreshtoken/?digest__startswith=",
        "accounts/refreshtoken/?user__password__startswith=",
        "invitations/invitation/?token_hash__startswith=",
        "invitations/invitation/?organization__company__startswith=",
        "singlesignon/connection/?client_secret__startswith=",
        "datasets/upload/?place_secret__startswith=",
        "datasets/upload/?direct_files__path__startswith=",
    ],
)
def test_no_list_is_asked_about_columns_that_it_does_not_tell(cast, address):
    """Which rows begin with these letters says the letters, one after the other: digests of the passwords of others."""
    assert staff(cast.manager).get(f"/admin/{address}1").status_code == 400


@pytest.mark.parametrize(
    "address",
    [
        "accounts/user/?is_active__exact=1",
        "accounts/user/?email__startswith=a",
        "jobs/job/?state__exact=failed",
        "organizations/membership/?organization__id__exact={organization}",
        "projects/projectmembership/?project__organization__id__exact={organization}",
        "projects/project/?archived_at__isempty=1",
        "datasets/dataset/?trash=yes",
        "datasets/upload/?id={organization}",
        "training/trainingjob/?job__state__exact=failed",
    ],
)
def test_lists_are_narrowed_by_what_they_tell(cast, address):
    path = f"/admin/{address}".format(organization=cast.manager.organization_id)
    assert staff(cast.manager).get(path).status_code == 200


def test_whose_password_it_is_cannot_be_tried_by_the_address_of_a_list(cast):
    digest = cast.admin.user.password
    answer = staff(cast.manager).get("/admin/accounts/user/", {"password": digest})
    assert answer.status_code == 400
    assert cast.admin.user.email not in answer.content.decode()
