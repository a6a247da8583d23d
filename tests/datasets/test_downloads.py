"""Files on their way out: byte for byte what came in, by links that open one object and for five minutes."""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core import signing
from django.urls import reverse

from apps.apikeys import counters
from apps.apikeys.services import key_revoke
from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.storage import storage
from apps.core.storage.keys import blob_key
from apps.core.testing import Cast, RestClient
from apps.datasets.archives.zip_writer import Layout, Member, zip_chunks
from apps.datasets.models import Blob, Dataset
from apps.datasets.selectors import contents
from apps.datasets.services import downloads, pictures, snapshot_create
from apps.organizations.services import token_issue, token_revoke
from tests.datasets.factories.images import encoded
from tests.factories.apikeys import key_of
from tests.factories.datasets import DatasetFactory, published, shapes

pytestmark = pytest.mark.django_db
NAMED = "images/train/사진 – №1.png"
OTHERS = {NAMED: encoded("PNG", seed=21), "images/val/large.png": encoded("PNG", 700, 700, seed=22)}


@pytest.fixture
def files() -> dict[str, bytes]:
    return {**shapes(), **OTHERS}


@pytest.fixture
def dataset(cast: Cast, files: dict[str, bytes]) -> Dataset:
    return published(DatasetFactory(project=cast.sample("project"), name="Shapes & more"), files)


def body_of(answer: Any) -> bytes:
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content)


def unpacked(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


def downloaded() -> list[dict[str, Any]]:
    return [event.params for event in readable(AuditEvent.objects.filter(action="dataset.downloaded"))]


def test_a_download_is_byte_for_byte_what_came_in(dataset: Dataset, files: dict[str, bytes], cast: Cast) -> None:
    answer = cast.viewer.rest.get(f"/datasets/{dataset.pk}/download")
    archive = body_of(answer)
    assert unpacked(archive) == files
    assert int(answer["Content-Length"]) == len(archive)
    assert answer["Content-Type"] == "application/zip" and "shapes-more-r1.zip" in answer["Content-Disposition"]
    assert [(found["files"], found["bytes"], found["version"]) for found in downloaded()] == [
        (len(files), sum(map(len, files.values())), "r1")
    ]
    assert body_of(cast.viewer.rest.get(f"/datasets/{dataset.pk}/download")) == archive, "the same bytes each time"


def test_an_older_version_is_what_it_was(dataset: Dataset, files: dict[str, bytes], cast: Cast) -> None:
    snapshot_create(actor=cast.owner.actor, dataset=dataset, tag="golden")
    published(dataset, shapes(seed=4), mode="replace")
    base = f"/datasets/{dataset.pk}/download"
    assert unpacked(body_of(cast.viewer.rest.get(f"{base}?version=golden"))) == files
    assert unpacked(body_of(cast.viewer.rest.get(f"{base}?version=head"))) == shapes(seed=4)
    wrong = cast.viewer.rest.get(f"{base}?version=silver")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "version_unknown")


def test_the_manifest_is_what_sha256sum_checks(dataset: Dataset, files: dict[str, bytes], cast: Cast) -> None:
    answer = cast.viewer.rest.get(f"/datasets/{dataset.pk}/download?manifest")
    lines = body_of(answer).decode().splitlines()
    assert {line[66:]: line[:64] for line in lines} == {
        path: hashlib.sha256(content).hexdigest() for path, content in files.items()
    }
    assert all(line[64:66] == "  " for line in lines) and downloaded() == []
    event = AuditEvent.objects.get(action="dataset.manifest_downloaded")
    assert event.actor_id == cast.viewer.user.pk
    (told,) = readable([event])
    assert told.params == {"version": "r1", "revision": 1, "files": len(files)}


def test_a_dataset_fetched_picture_by_picture_is_noted_by_the_hour(
    dataset: Dataset, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=1_800_000_000)
    monkeypatch.setattr(pictures, "time", SimpleNamespace(time=lambda: clock.now))
    base = f"/datasets/{dataset.pk}/images"
    urls = [f"{base}/{row['id']}/content" for row in cast.viewer.rest.get(base).json()["results"]]
    events = AuditEvent.objects.filter(action="dataset.pictures_opened").order_by("pk")
    for no in range(11):
        answer = cast.viewer.rest.get(urls[no % len(urls)])
        assert answer.status_code == 200
    assert [(told.event.actor_id, told.params) for told in readable(events)] == [
        (cast.viewer.user.pk, {"count": 1}),
        (cast.viewer.user.pk, {"count": 10}),
    ]
    kept = cast.viewer.rest.get(urls[10 % len(urls)], headers={"If-None-Match": answer["ETag"]})
    assert kept.status_code == 304
    cast.viewer.rest.get(f"{urls[0].removesuffix('content')}thumbnail?size=128")
    assert events.count() == 2
    cast.editor.rest.get(urls[0])
    assert events.filter(actor_id=cast.editor.user.pk).count() == 1, "each person is counted alone"
    clock.now += 3600
    cast.viewer.rest.get(urls[0])
    assert readable(events.all())[-1].params == {"count": 1}, "each hour is counted anew"


def test_a_single_file_of_any_kind(dataset: Dataset, files: dict[str, bytes], cast: Cast) -> None:
    for path, content in files.items():
        answer = cast.viewer.rest.get(f"/datasets/{dataset.pk}/download", {"path": path})
        assert body_of(answer) == content and answer["Content-Type"] == "application/octet-stream"
        assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert sorted(found["path"] for found in downloaded()) == sorted(files)
    assert cast.viewer.rest.get(f"/datasets/{dataset.pk}/download", {"path": "../etc/passwd"}).status_code == 404


def link(cast: Cast, dataset: Dataset, **body: Any) -> dict[str, Any]:
    answer = cast.viewer.rest.post(f"/datasets/{dataset.pk}/download", body)
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_a_link_opens_its_object_without_sign_in(dataset: Dataset, files: dict[str, bytes], cast: Cast) -> None:
    made = link(cast, dataset)
    archive = body_of(RestClient().get(made["url"]))
    assert unpacked(archive) == files
    assert (made["files"], made["size"], made["damaged"]) == (len(files), len(archive), 0)
    event = AuditEvent.objects.get(action="dataset.downloaded")
    assert event.actor_id == cast.viewer.user.pk
    assert body_of(RestClient().get(made["manifest_url"])).count(b"\n") == len(files)
    one = link(cast, dataset, path=NAMED)
    assert body_of(RestClient().get(one["url"])) == OTHERS[NAMED] and one["file_name"] == NAMED.rpartition("/")[2]


def test_a_link_serves_one_object_only(dataset: Dataset, cast: Cast) -> None:
    token = link(cast, dataset, path=NAMED)["url"].partition("link=")[2]
    # What stands beside it in the address changes nothing.
    base = f"/datasets/{dataset.pk}/download"
    assert body_of(RestClient().get(f"{base}?link={token}&path=data.yaml")) == OTHERS[NAMED]
    assert body_of(RestClient().get(f"{base}?link={token}&manifest")) == OTHERS[NAMED]
    other = published(DatasetFactory(project=dataset.project), shapes(seed=8))
    swapped = RestClient().get(f"/datasets/{other.pk}/download?link={token}")
    assert (swapped.status_code, swapped.json()["code"]) == (401, "link_invalid")
    assert RestClient().post(f"{base}?link={token}").status_code == 401
    wrong = ("link=%20", "link=none&partial=perhaps", f"link={'%C2%A2' * 2001}")
    for query in ("", "partial=perhaps", "version=%05", *wrong):
        assert RestClient().get(f"{base}?{query}").status_code == 401, query
    assert RestClient().get(f"/datasets/{dataset.pk}?link={token}").status_code == 401


@pytest.mark.parametrize("door", ["datasets/dataset", "datasets/public/public-dataset", "dataset-export"])
def test_what_comes_by_a_link_counts_for_whose_it_is(
    door: str, cast: Cast, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counters.time, "time", lambda: 1_800_000_030.0)
    folder, _slash, name = door.rpartition("/")
    found = cast.sample(name)
    path = f"/{folder}/{found.pk}" if folder else f"/datasets/{found.dataset_id}/exports/{found.pk}"
    made = cast.owner.rest.post(f"{path}/download").json()["url"]
    settings.RATE_LIMITS = {"key": 100, "user": 5, "organization": 100}
    # The post was one of them.
    answers = [RestClient().get(made) for _number in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    assert "Retry-After" in answers[-1].headers and answers[0]["RateLimit-Remaining"] == "3"
    assert cast.owner.rest.get(f"{path}/download").status_code == 429, "one limit for the person"


def test_a_link_keeps_to_its_revision(dataset: Dataset, files: dict[str, bytes], cast: Cast) -> None:
    made = link(cast, dataset, version="head")
    published(dataset, shapes(seed=4), mode="replace")
    assert unpacked(body_of(RestClient().get(made["url"]))) == files


@pytest.mark.parametrize("change", [lambda token: token[:-1] + "!", lambda token: "x" + token, lambda token: "a:b:c"])
def test_a_link_that_was_changed_opens_nothing(dataset: Dataset, cast: Cast, change: Any) -> None:
    url = link(cast, dataset)["url"]
    head, _, token = url.partition("link=")
    answer = RestClient().get(f"{head}link={change(token)}")
    assert (answer.status_code, answer.json()["code"]) == (401, "link_invalid")
    assert answer.json()["hint"]


def test_a_link_lives_five_minutes(dataset: Dataset, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    url = link(cast, dataset)["url"]
    now = signing.time.time()
    monkeypatch.setattr(signing.time, "time", lambda: now + 298)
    assert RestClient().get(url).status_code == 200
    monkeypatch.setattr(signing.time, "time", lambda: now + 302)
    assert RestClient().get(url).status_code == 401


def test_a_link_ends_with_the_right_of_who_asked_for_it(dataset: Dataset, cast: Cast) -> None:
    url = link(cast, dataset)["url"]
    dataset.project.memberships.filter(user=cast.viewer.user).delete()
    assert RestClient().get(url).status_code == 404
    assert downloaded() == []
    cast.viewer.user.token_generation += 1
    cast.viewer.user.save(update_fields=["token_generation"])
    assert RestClient().get(url).status_code == 401


@pytest.mark.parametrize("door", ["key", "token", "session"])
def test_a_link_ends_with_the_sign_in_that_asked_for_it_and_is_noted_as_its_own(
    dataset: Dataset, cast: Cast, door: str
) -> None:
    viewer = cast.viewer
    key, secret = key_of(viewer, "datasets.view_dataset")
    tokens = token_issue(actor=viewer.actor)
    if door == "session":
        address = reverse("datasets:download", args=[dataset.pk])
        url = viewer.portal.post(address, {"version": "head", "what": "zip"})["Location"]
        assert viewer.portal.session.session_key not in url
    else:
        client = RestClient(secret if door == "key" else tokens.access)
        url = client.post(f"/datasets/{dataset.pk}/download", {}).json()["url"]
    answer = RestClient().get(url)
    assert body_of(answer)
    event = AuditEvent.objects.get(action="dataset.downloaded")
    assert (event.via, event.request_id) == (door, answer["X-Request-ID"])
    (told,) = readable([event])
    assert told.params.get("api_key") == (str(key.pk) if door == "key" else None)
    if door == "key":
        key_revoke(actor=viewer.actor, key=key)
    elif door == "token":
        token_revoke(actor=viewer.actor, refresh=tokens.refresh)
    else:
        viewer.portal.logout()
    ended = RestClient().get(url)
    assert (ended.status_code, ended.json()["code"]) == (401, "link_invalid")


def test_files_in_quarantine_are_not_given_out(dataset: Dataset, files: dict[str, bytes], cast: Cast) -> None:
    Blob.objects.filter(sha256=hashlib.sha256(files[NAMED]).hexdigest()).update(damage="changed")
    base = f"/datasets/{dataset.pk}/download"
    refused = cast.viewer.rest.get(base)
    assert (refused.status_code, refused.json()["code"], refused.json()["params"]["count"]) == (409, "file_damaged", 1)
    assert "partial=true" in refused.json()["hint"]
    assert cast.viewer.rest.get(base, {"path": NAMED}).status_code == 409
    rest = cast.viewer.rest.get(f"{base}?partial=true")
    archive = body_of(rest)
    assert unpacked(archive) == {path: content for path, content in files.items() if path != NAMED}
    assert int(rest["Content-Length"]) == len(archive)
    assert link(cast, dataset)["damaged"] == 1
    portal = reverse("datasets:download", args=[dataset.pk])
    assert "damaged or missing" in cast.viewer.portal.post(portal, {"version": "head"}, follow=True).content.decode()


@pytest.mark.parametrize("name", list(OTHERS))
def test_other_bytes_are_never_sent(dataset: Dataset, cast: Cast, name: str) -> None:
    """What nobody has noticed yet ends the answer, and is in quarantine afterwards."""
    content = OTHERS[name]
    blob = Blob.objects.get(sha256=hashlib.sha256(content).hexdigest())
    path = storage().local_path(blob_key(blob.organization_id, blob.sha256))
    assert path is not None
    path.unlink()
    path.write_bytes(content[:-1] + b"?")
    answer = cast.viewer.rest.get(f"/datasets/{dataset.pk}/download")
    sent = b""
    with pytest.raises(contents.Damaged, match=name.rpartition("/")[2]):
        for part in answer.streaming_content:
            sent += part
    assert name.encode() not in sent and sent.startswith(b"PK")
    blob.refresh_from_db()
    assert blob.damage == "changed"
    path.unlink()
    Blob.objects.filter(pk=blob.pk).update(damage="")
    one = cast.viewer.rest.get(f"/datasets/{dataset.pk}/download", {"path": name})
    assert (one.status_code, one.json()["code"]) == (409, "file_damaged")
    blob.refresh_from_db()
    assert blob.damage == "missing"


def test_a_distant_store_is_read_ahead_and_in_order(
    dataset: Dataset, files: dict[str, bytes], cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = body_of(cast.viewer.rest.get(f"/datasets/{dataset.pk}/download"))
    monkeypatch.setattr(type(storage()), "local_path", lambda self, key: None)
    monkeypatch.setattr(contents, "AHEAD", 3)
    assert body_of(cast.viewer.rest.get(f"/datasets/{dataset.pk}/download")) == near


def test_pages_of_files_meet_without_gap(
    dataset: Dataset, files: dict[str, bytes], cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "PAGE", 3)
    assert unpacked(body_of(cast.viewer.rest.get(f"/datasets/{dataset.pk}/download"))) == files


def test_head_says_what_would_come_and_notes_nothing(dataset: Dataset, files: dict[str, bytes], cast: Cast) -> None:
    assert cast.viewer.rest.head(f"/datasets/{dataset.pk}/download").status_code == 200
    path = min(files)
    alone = cast.viewer.rest.head(f"/datasets/{dataset.pk}/download?path={path}")
    assert path.rpartition("/")[2] in alone["Content-Disposition"]
    assert downloaded() == []


def test_the_page_of_files_leads_to_a_link(dataset: Dataset, files: dict[str, bytes], cast: Cast) -> None:
    page = cast.viewer.portal.get(reverse("datasets:files", args=[dataset.pk])).content.decode()
    assert f"/api/v1/datasets/{dataset.pk}/download?version=head" in page and "urllib.request" in page
    address = reverse("datasets:download", args=[dataset.pk])
    answer = cast.viewer.portal.post(address, {"version": "r1", "what": "zip"})
    assert answer.status_code == 302 and "link=" in answer["Location"]
    assert unpacked(body_of(RestClient().get(answer["Location"]))) == files
    answer = cast.viewer.portal.post(address, {"version": "r1", "what": "manifest"})
    assert NAMED.encode() in body_of(RestClient().get(answer["Location"]))
    assert cast.viewer.portal.post(address, {"version": "nothing"}).status_code == 302
    assert cast.member.portal.post(address, {"version": "r1"}).status_code == 404


# --- The archive itself

MADE = datetime(2026, 11, 21, 17, 30, 14, tzinfo=UTC)


def written(members: list[tuple[str, bytes]], wide: Any = None) -> bytes:
    rows = [Member(name, len(content), str(number)) for number, (name, content) in enumerate(members)]
    layout = Layout(len(rows), sum(len(row.name.encode()) for row in rows), sum(row.size for row in rows))

    def content(member: Member) -> tuple[int, Iterable[bytes]]:
        found = members[int(member.key)][1]
        return zlib.crc32(found), (found,)

    made = b"".join(zip_chunks(layout, lambda: rows, content, MADE))
    assert len(made) == layout.length
    return made


def test_more_members_than_a_plain_zip_can_count() -> None:
    members = [(f"{number:06d}", b"") for number in range(70_000)]
    with zipfile.ZipFile(io.BytesIO(written(members))) as opened:
        assert len(opened.namelist()) == 70_000 and opened.namelist()[-1] == "069999"
        assert opened.getinfo("069999").date_time == (2026, 11, 21, 17, 30, 14)


def test_members_behind_four_gigabytes_are_found(tmp_path: Path) -> None:
    """The first member is a hole of the file: only what is written about it takes part."""
    size = (4 << 30) + 7
    rows = [Member("hole.bin", size, ""), Member("behind.txt", 5, "")]
    layout = Layout(2, 18, size + 5)
    assert layout.is_wide
    hole = object()

    def content(member: Member) -> tuple[int, Iterable[Any]]:
        return (0, (hole,)) if member.size == size else (zlib.crc32(b"hello"), (b"hello",))

    path = tmp_path / "wide.zip"
    with path.open("wb") as target:
        for chunk in zip_chunks(layout, lambda: rows, content, MADE):
            if chunk is hole:
                target.seek(size, io.SEEK_CUR)
            else:
                target.write(chunk)
    assert path.stat().st_size == layout.length
    with zipfile.ZipFile(path) as opened:
        assert opened.read("behind.txt") == b"hello"
        assert opened.getinfo("hole.bin").file_size == size


def test_our_own_reader_takes_what_our_writer_makes(dataset: Dataset, files: dict[str, bytes], cast: Cast) -> None:
    archive = body_of(cast.viewer.rest.get(f"/datasets/{dataset.pk}/download"))
    assert len(OTHERS["images/val/large.png"]) > contents.WHOLE_BYTES
    other = published(DatasetFactory(project=dataset.project), {"set.zip": archive})
    assert unpacked(body_of(cast.viewer.rest.get(f"/datasets/{other.pk}/download"))) == files


def test_a_dataset_without_letters_in_its_name_has_a_file_name(cast: Cast) -> None:
    dataset = published(DatasetFactory(project=cast.sample("project"), name="***"))
    version = downloads.version_named(dataset, "head")
    assert downloads.file_name(version, "zip") == "dataset-r1.zip"
