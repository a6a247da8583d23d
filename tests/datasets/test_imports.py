"""Imports from an address, a bucket and a folder of the server: whole or not at all, and by nobody who may not."""

import contextlib
import io
import json
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from apps.core.identity import Actor
from apps.core.outbound import downloads
from apps.core.storage.locks import held
from apps.core.testing import Cast, committed
from apps.datasets import services, tasks
from apps.datasets.archives import Limits
from apps.datasets.folders import UploadFolder
from apps.datasets.models import Blob, Dataset, ServerFolder, Upload, UploadState
from apps.datasets.samples import sample_archive
from apps.datasets.services import fetching, importing, room
from apps.datasets.services.locks import IMPORT_SLOTS, IMPORTS, upload_lock
from tests.core.test_outbound import Canary, allowed, canary, reply
from tests.core.test_storage import ACCESS, SECRET, s3, signing_server
from tests.datasets.factories.archives import zip_of
from tests.factories.datasets import SYSTEM, DatasetFactory, folder_of_the_server, owner_of, shapes
from tests.factories.organizations import OrganizationFactory

__all__ = ["allowed", "canary", "signing_server"]  # fixtures
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def dataset() -> Dataset:
    return DatasetFactory()


def actor_of(dataset: Dataset) -> Actor:
    return Actor.of(owner_of(dataset), organization_id=dataset.organization_id)


def begin(dataset: Dataset, wanted: services.ImportFrom, **options: Any) -> Upload:
    return services.upload_import(actor=actor_of(dataset), dataset=dataset, wanted=wanted, **options)


def ended(upload: Upload) -> Upload:
    """The upload after its worker's run."""
    tasks.fetch(str(upload.pk))
    upload.refresh_from_db()
    return upload


def failed(upload: Upload) -> str:
    """The code under which it failed, once nothing of it is left."""
    assert ended(upload).state == UploadState.FAILED
    assert upload.place_secret == ""
    services.sweep()
    assert not UploadFolder(upload.pk).root.exists()
    assert not Blob.objects.exists()
    return str(upload.failure["code"])


def fetched(upload: Upload) -> dict[str, bytes]:
    root = UploadFolder(upload.pk).files
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*") if file.is_file()}


# --- From an address


def test_an_archive_at_an_address_becomes_a_revision_like_any_other(cast: Cast, allowed: Canary) -> None:
    archive = sample_archive(train=3, val=2, size=64)
    allowed.answer = lambda handler: reply(handler, archive)
    project = cast.sample("project")
    dataset = cast.editor.rest.post("/datasets", {"project_id": str(project.pk), "name": "Fetched"}).json()
    url = f"{allowed.url}sets/shapes.zip?key=hush"
    with committed():
        answer = cast.editor.rest.post(
            f"/datasets/{dataset['id']}/import", {"source": "address", "url": url, "note": "From afar"}
        )
    assert answer.status_code == 202, answer.content
    begun = answer.json()
    assert (begun["state"], begun["source"], begun["place"]) == (
        "fetching",
        "address",
        f"{allowed.url}sets/shapes.zip",
    )
    address = f"/datasets/{dataset['id']}/uploads/{begun['id']}"
    tasks.fetch(begun["id"])
    assert cast.editor.rest.get(address).json()["state"] == "analysing"
    tasks.read(begun["id"])
    assert cast.editor.rest.get(address).json()["analysis"]["images"] == 5
    assert cast.editor.rest.post(f"{address}/publish", {}).status_code == 202
    tasks.store(begun["id"])
    assert cast.editor.rest.get(f"/datasets/{dataset['id']}").json()["image_count"] == 5
    (event,) = readable(AuditEvent.objects.filter(action="dataset.import_started"))
    assert event.params == {"place": f"{allowed.url}sets/shapes.zip", "source": "address"}


def test_what_stands_behind_the_question_mark_is_ciphertext_until_the_file_is_there(
    dataset: Dataset, allowed: Canary
) -> None:
    allowed.answer = lambda handler: reply(handler, sample_archive(train=1, val=1, size=64))
    upload = begin(dataset, services.from_address(f"{allowed.url}a.zip?signature=hush"))
    row = Upload.objects.filter(pk=upload.pk).values().get()
    assert "hush" not in str(row)
    assert upload.place_secret
    assert ended(upload).state == UploadState.ANALYSING
    assert upload.place_secret == ""
    assert list(fetched(upload)) == ["a.zip"]


@pytest.mark.parametrize(
    "url",
    ["http://example.com/a.zip", "https://localhost/a.zip", "file:///etc/passwd", "https://me:me@example.com/", "x"],
)
def test_addresses_that_are_not_called_are_refused_at_once(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        services.from_address(url)
    assert (caught.value.code, list(caught.value.fields)) == ("url_refused", ["url"])


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda handler: reply(handler, b"", 404), "answer_refused"),
        (lambda handler: reply(handler, b"<html>", Content_Type="text/html"), "answer_page"),
        (lambda handler: reply(handler, b"", 302, Location="https://10.0.0.1/"), "address_private"),
        (lambda handler: reply(handler, b"", 302, Location="file:///etc/passwd"), "url_refused"),
        (lambda handler: reply(handler, b"", 302, Location="/again"), "redirected"),
        (lambda handler: reply(handler, b"x", Content_Encoding="gzip"), "answer_unreadable"),
        (lambda handler: reply(handler, b"half", Content_Length="8"), "unreachable"),
    ],
)
def test_why_a_file_did_not_come_is_told_and_nothing_is_left(
    answer: Any, code: str, dataset: Dataset, allowed: Canary
) -> None:
    allowed.answer = answer
    upload = begin(dataset, services.from_address(f"{allowed.url}a.zip"))
    assert failed(upload) == code
    assert AuditEvent.objects.filter(action="dataset.import_failed", entity_id=str(upload.pk)).exists()


def test_a_failure_is_worded_for_the_reader(cast: Cast, allowed: Canary) -> None:
    dataset = cast.sample("dataset")
    allowed.answer = lambda handler: reply(handler, b"", 403)
    upload = services.upload_import(
        actor=cast.editor.actor, dataset=dataset, wanted=services.from_address(f"{allowed.url}a.zip")
    )
    tasks.fetch(str(upload.pk))
    failure = cast.editor.rest.get(f"/datasets/{dataset.pk}/uploads/{upload.pk}").json()["failure"]
    assert (failure["code"], failure["params"]) == ("answer_refused", {"status": 403})
    assert "403" in failure["message"]
    assert failure["hint"]
    page = cast.editor.portal.get(f"/datasets/{dataset.pk}/uploads/{upload.pk}/").content.decode()
    assert failure["hint"] in page


# --- From a bucket


@pytest.fixture
def bucket(signing_server: str, settings: Any) -> Iterator[dict[str, str]]:
    """A bucket that holds a few shapes under `sets/shapes`, and how it is reached."""
    settings.OUTBOUND_PRIVATE_ORIGINS = frozenset({("http", "127.0.0.1", int(signing_server.rpartition(":")[2]))})
    store = s3(endpoint=signing_server)
    for path, content in shapes().items():
        store.put(f"sets/shapes/{path}", io.BytesIO(content))
    yield {"bucket": "bucket", "endpoint": signing_server, "access_key": ACCESS, "secret_key": SECRET}
    for key in list(store.keys("")):
        store.delete(key)


def test_what_lies_under_a_prefix_is_taken_in_and_the_keys_are_forgotten(
    dataset: Dataset, bucket: dict[str, str]
) -> None:
    upload = begin(dataset, services.from_bucket(prefix="sets/shapes", **bucket))
    row = str(Upload.objects.filter(pk=upload.pk).values().get())
    assert SECRET not in row
    assert ACCESS not in row
    assert upload.secret == {"access_key": ACCESS, "secret_key": SECRET, "token": ""}
    assert ended(upload).state == UploadState.ANALYSING
    assert fetched(upload) == shapes()
    assert (upload.place_secret, upload.file_count) == ("", len(shapes()))
    assert upload.byte_count == sum(map(len, shapes().values()))
    tasks.read(str(upload.pk))
    upload.refresh_from_db()
    assert upload.state == UploadState.READY, upload.analysis


def test_a_single_object_and_a_prefix_of_nothing(dataset: Dataset, bucket: dict[str, str]) -> None:
    one = begin(dataset, services.from_bucket(prefix="sets/shapes/data.yaml", **bucket))
    assert ended(one).state == UploadState.ANALYSING
    assert fetched(one) == {"data.yaml": shapes()["data.yaml"]}
    assert failed(begin(dataset, services.from_bucket(prefix="nowhere", **bucket))) == "source_empty"
    wrong = {**bucket, "secret_key": "wrong"}
    assert failed(begin(dataset, services.from_bucket(**wrong))) == "bucket_keys"


def test_a_worker_that_dies_has_its_files_fetched_once(
    dataset: Dataset, bucket: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = begin(dataset, services.from_bucket(prefix="sets/shapes", **bucket))
    real, asked = fetching._Journal.add, []

    class Killed(BaseException):
        pass

    def dying(journal: Any, found: Any) -> None:
        real(journal, found)
        asked.append(found.path)
        if len(asked) == 4:
            raise Killed

    monkeypatch.setattr(fetching._Journal, "add", dying)
    with pytest.raises(Killed):
        tasks.fetch(str(upload.pk))
    upload.refresh_from_db()
    assert upload.state == UploadState.FETCHING
    before = {path: (UploadFolder(upload.pk).files / path).stat().st_ino for path in asked}
    # One that changed meanwhile is fetched again.
    changed = asked[0]
    s3(endpoint=bucket["endpoint"]).put(f"sets/shapes/{changed}", io.BytesIO(b"changed"))
    monkeypatch.setattr(fetching._Journal, "add", real)
    assert ended(upload).state == UploadState.ANALYSING
    assert fetched(upload) == {**shapes(), changed: b"changed"}
    for path in asked[1:]:
        assert (UploadFolder(upload.pk).files / path).stat().st_ino == before[path], f"{path} was fetched twice"


# --- From a folder of the server


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, content in shapes().items():
        file = tmp_path / "shared" / "shapes" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return tmp_path / "shared"


def allow(dataset: Dataset, path: Path) -> ServerFolder:
    return services.server_folder_allow(
        actor=SYSTEM, organization=dataset.organization, name="Shared disk", path=str(path)
    )


def test_a_folder_of_the_server_is_taken_in_and_stays_as_it_is(dataset: Dataset, root: Path) -> None:
    folder = allow(dataset, root)
    upload = begin(dataset, services.from_folder(folder, "shapes"))
    assert upload.place_text == "Shared disk/shapes"
    assert ended(upload).state == UploadState.ANALYSING
    assert fetched(upload) == shapes()
    assert sum(1 for file in root.rglob("*") if file.is_file()) == len(shapes())
    name = next(path for path in shapes() if path.endswith(".jpg"))
    one = begin(dataset, services.from_folder(folder, f"shapes/{name}"))
    assert ended(one).state == UploadState.ANALYSING
    assert list(fetched(one)) == [name.rpartition("/")[2]]


def test_no_link_and_no_name_leads_out_of_the_folder(dataset: Dataset, root: Path, tmp_path: Path) -> None:
    folder = allow(dataset, root)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.txt").write_text("secret")
    for path in ("..", "../secret", "shapes/../../secret", "/etc", "shapes/./x"):
        assert failed(begin(dataset, services.ImportFrom(**vars_of(folder, path)))) in {
            "path.traversal",
            "folder_gone",
        }
    (root / "way").symlink_to(tmp_path / "secret")
    assert failed(begin(dataset, services.from_folder(folder, "way"))) == "path.link"
    assert failed(begin(dataset, services.from_folder(folder, "way/key.txt"))) == "path.link"
    assert failed(begin(dataset, services.from_folder(folder))) == "path.link"
    (root / "way").unlink()
    os.mkfifo(root / "pipe")
    assert failed(begin(dataset, services.from_folder(folder))) == "path.special"


def vars_of(folder: ServerFolder, path: str) -> dict[str, Any]:
    place = {"folder_id": str(folder.pk), "folder": folder.name, "path": path}
    return {"source": "folder", "place": place, "folder": folder}


def test_a_folder_that_becomes_a_link_while_it_is_read_is_not_followed(
    dataset: Dataset, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is made of a plain folder; a moment later it leads elsewhere."""
    folder = allow(dataset, root)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "data.yaml").write_text("secret")
    accepted = fetching._accepted

    def swapped(source: Any, room: Any) -> Any:
        wanted = accepted(source, room)
        (root / "shapes").rename(root / "moved")
        (root / "shapes").symlink_to(tmp_path / "secret")
        return wanted

    monkeypatch.setattr(fetching, "_accepted", swapped)
    assert failed(begin(dataset, services.from_folder(folder, "shapes"))) == "path.link"


@pytest.mark.parametrize(
    "path", ["/", "/etc", "/etc/ssl", "/proc/self", "/usr/share", "relative", "/nowhere/at/all", "", "/tmp/../etc"]
)
def test_folders_that_are_never_allowed(path: str) -> None:
    with pytest.raises(Invalid):
        services.server_folder_allow(actor=SYSTEM, organization=OrganizationFactory(), name="Disk", path=path)
    assert not ServerFolder.objects.exists()


def test_neither_the_portals_own_folders_nor_what_holds_them_is_allowed(settings: Any, root: Path) -> None:
    organization = OrganizationFactory()
    for path in (settings.HOME, Path(settings.HOME).parent, settings.BASE_DIR, Path(settings.BASE_DIR) / "apps"):
        with pytest.raises(Invalid):
            services.server_folder_allow(actor=SYSTEM, organization=organization, name="Disk", path=str(path))
    link = root.parent / "link"
    link.symlink_to(root)
    with pytest.raises(Invalid) as caught:
        services.server_folder_allow(actor=SYSTEM, organization=organization, name="Disk", path=str(link))
    assert caught.value.code == "folder_link"


def test_a_folder_that_is_withdrawn_ends_the_imports_from_it(dataset: Dataset, root: Path) -> None:
    folder = allow(dataset, root)
    upload = begin(dataset, services.from_folder(folder, "shapes"))
    services.server_folder_forbid(actor=SYSTEM, folder=folder)
    assert failed(upload) == "folder_withdrawn"


def test_a_file_that_changes_while_it_is_copied_is_told(
    dataset: Dataset, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = allow(dataset, root)
    accepted = fetching._accepted

    def growing(source: Any, room: Any) -> Any:
        wanted = accepted(source, room)
        (root / "shapes" / "data.yaml").write_text("names: []")
        return wanted

    monkeypatch.setattr(fetching, "_accepted", growing)
    assert failed(begin(dataset, services.from_folder(folder, "shapes"))) == "source_changed"


def test_folders_are_listed_to_their_organizations_engineers_without_their_paths(cast: Cast) -> None:
    folder = cast.sample("server-folder")
    (found,) = cast.editor.rest.get("/datasets/server-folders").json()["results"]
    assert (found["id"], found["name"]) == (str(folder.pk), folder.name)
    inside = cast.editor.rest.get(f"/datasets/server-folders/{folder.pk}").json()
    assert (inside["folders"], inside["files"]) == (["shapes"], [])
    deeper = cast.editor.rest.get(f"/datasets/server-folders/{folder.pk}?path=shapes").json()
    assert "data.yaml" in [file["name"] for file in deeper["files"]]
    assert folder_of_the_server() not in json.dumps([found, inside, deeper])
    refused = cast.editor.rest.get(f"/datasets/server-folders/{folder.pk}?path=../..")
    assert (refused.status_code, refused.json()["code"]) == (400, "path.traversal")
    assert cast.guest.rest.get("/datasets/server-folders").json()["results"] == []
    assert cast.stranger.rest.get(f"/datasets/server-folders/{folder.pk}").status_code == 404


def test_nobody_takes_in_a_folder_of_another_organization(cast: Cast, dataset: Dataset) -> None:
    """Neither somebody who does not see it, nor a person of both into the other's dataset."""
    folder = cast.sample("server-folder")
    with pytest.raises(NotFound):
        begin(dataset, services.from_folder(folder))
    with pytest.raises(Invalid) as caught:
        services.upload_import(actor=SYSTEM, dataset=dataset, wanted=services.from_folder(folder))
    assert caught.value.code == "folder_foreign"
    body = {"source": "folder", "folder_id": str(folder.pk)}
    assert cast.stranger.rest.post(f"/datasets/{cast.sample('dataset').pk}/import", body).status_code == 404


def test_only_those_who_run_the_platform_allow_folders(cast: Cast, root: Path) -> None:
    folder = cast.sample("server-folder")
    for person in (cast.owner, cast.admin):
        with pytest.raises((Forbidden, NotFound)):
            services.server_folder_change(actor=person.actor, folder=folder, name="Taken", path=str(root))
    changed = services.server_folder_change(actor=cast.platform.actor, folder=folder, name="Other", path=str(root))
    assert changed.path == str(root)


def test_the_command_lists_allows_and_withdraws(dataset: Dataset, root: Path) -> None:
    def run(*arguments: str) -> str:
        output = io.StringIO()
        call_command("server_folders", *arguments, stdout=output)
        return output.getvalue()

    name = str(dataset.organization)
    key = str(dataset.organization_id)
    run("allow", key, "Disk", str(root))
    assert run("list") == f"{name}\tDisk\t{root}\n"
    with pytest.raises(CommandError, match="already"):
        run("allow", key, "Disk", str(root))
    with pytest.raises(CommandError, match="system"):
        run("allow", dataset.organization.company, "System", "/etc")
    run("withdraw", key, "Disk")
    assert run("list") == ""
    with pytest.raises(CommandError, match="no server folder"):
        run("withdraw", key, "Disk")
    with pytest.raises(CommandError, match="No organization"):
        run("allow", "nobody", "Disk", str(root))


# --- Limits, giving up, dying


def limited(dataset: Dataset, megabytes: float) -> None:
    dataset.organization.max_storage_gb = megabytes / 1000
    dataset.organization.save()


def test_the_quota_is_asked_before_anything_is_fetched(dataset: Dataset, root: Path, allowed: Canary) -> None:
    folder = allow(dataset, root)
    limited(dataset, 0.005)
    assert failed(begin(dataset, services.from_folder(folder, "shapes"))) == "quota_exceeded"
    allowed.answer = lambda handler: reply(handler, bytes(100_000))
    upload = begin(dataset, services.from_address(f"{allowed.url}a.zip"))
    assert failed(upload) == "quota_exceeded"
    limited(dataset, 0)
    with pytest.raises(Conflict) as caught:
        begin(dataset, services.from_folder(folder, "shapes"))
    assert caught.value.code == "quota_exceeded"


def test_the_quota_is_asked_while_it_is_fetched(
    dataset: Dataset, allowed: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(fetching, "PAUSE_SECONDS", 0.05)
    lowered = threading.Event()

    def endless(handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(bytes(1000))
            lowered.wait(0.01)

    allowed.answer = endless
    upload = begin(dataset, services.from_address(f"{allowed.url}a.zip"))
    noted = fetching._note_fetching

    def lowering(**arguments: Any) -> bool:
        if arguments["progress"]["bytes"] > 5000:
            limited(dataset, 0.004)
        return noted(**arguments)

    monkeypatch.setattr(fetching, "_note_fetching", lowering)
    assert failed(upload) == "quota_exceeded"


def test_too_many_files_and_too_much_are_refused_by_the_list_alone(
    dataset: Dataset, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = allow(dataset, root)
    monkeypatch.setattr(fetching, "LIMITS", Limits(members=3))
    assert failed(begin(dataset, services.from_folder(folder, "shapes"))) == "archive.too_many_members"
    monkeypatch.setattr(fetching, "LIMITS", Limits())
    monkeypatch.setattr(room, "LIMITS", Limits(total_bytes=1000))
    assert failed(begin(dataset, services.from_folder(folder, "shapes"))) == "archive.too_big"
    monkeypatch.setattr(room, "LIMITS", Limits())
    monkeypatch.setattr(fetching, "LIMITS", Limits(member_bytes=100))
    assert failed(begin(dataset, services.from_folder(folder, "shapes"))) == "archive.member_too_big"
    monkeypatch.setattr(room, "RESERVE_BYTES", 1 << 60)
    monkeypatch.setattr(fetching, "LIMITS", Limits())
    assert failed(begin(dataset, services.from_folder(folder, "shapes"))) == "disk_full"


def test_names_that_collide_and_names_that_no_set_may_have_are_refused(dataset: Dataset, root: Path) -> None:
    folder = allow(dataset, root)
    (root / "shapes" / "DATA.yaml").write_text("names: []")
    assert failed(begin(dataset, services.from_folder(folder, "shapes"))) == "path.collision"
    (root / "shapes" / "DATA.yaml").unlink()
    (root / "shapes" / ".DS_Store").write_text("left behind")
    upload = begin(dataset, services.from_folder(folder, "shapes"))
    assert ended(upload).state == UploadState.ANALYSING
    assert fetched(upload) == shapes()


@pytest.mark.django_db(transaction=True)
def test_an_import_that_is_given_up_stops_and_leaves_nothing(
    cast: Cast, allowed: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "PAUSE_SECONDS", 0.05)
    dataset = cast.sample("dataset")
    begun, given_up = threading.Event(), threading.Event()

    def slow(handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not given_up.wait(0.01):
            handler.wfile.write(bytes(100))
            begun.set()

    allowed.answer = slow
    upload = services.upload_import(
        actor=cast.editor.actor, dataset=dataset, wanted=services.from_address(f"{allowed.url}a.zip?k=1")
    )

    def work() -> None:
        try:
            tasks.fetch(str(upload.pk))
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    assert begun.wait(20)
    assert cast.editor.rest.delete(f"/datasets/{dataset.pk}/uploads/{upload.pk}").status_code == 204
    upload.refresh_from_db()
    assert (upload.state, upload.place_secret) == (UploadState.CANCELLED, "")
    worker.join(20)
    given_up.set()
    assert not worker.is_alive()
    services.sweep()
    upload.refresh_from_db()
    assert upload.swept_at is not None
    assert not UploadFolder(upload.pk).root.exists()


@pytest.mark.django_db(transaction=True)
def test_the_sweep_waits_for_a_worker_and_asks_again_for_one_that_is_gone(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = services.upload_import(
        actor=cast.editor.actor,
        dataset=cast.sample("dataset"),
        wanted=services.from_folder(cast.sample("server-folder")),
    )
    sent: list[str] = []
    monkeypatch.setattr("apps.datasets.services.messages.send", lambda name, pk: sent.append(name))
    Upload.objects.filter(pk=upload.pk).update(updated_at=timezone.now() - timedelta(hours=30))
    services.sweep()
    assert sent == ["datasets.fetch"]
    services.upload_cancel(actor=cast.editor.actor, upload=upload)
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        with upload_lock(upload.pk):
            locked.set()
            release.wait(20)
        connection.close()

    worker = threading.Thread(target=hold)
    worker.start()
    assert locked.wait(20)
    services.sweep()
    assert Upload.objects.get(pk=upload.pk).swept_at is None
    release.set()
    worker.join(20)
    services.sweep()
    assert Upload.objects.get(pk=upload.pk).swept_at is not None


@pytest.mark.django_db(transaction=True)
def test_imports_take_a_few_of_the_workers_threads_and_the_next_one_follows(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (
        services.upload_import(
            actor=cast.editor.actor,
            dataset=cast.sample("dataset"),
            wanted=services.from_folder(cast.sample("server-folder")),
        )
        for _number in range(2)
    )
    taken, release = threading.Event(), threading.Event()

    def occupy() -> None:
        with contextlib.ExitStack() as stack:
            for number in range(IMPORT_SLOTS):
                stack.enter_context(held("pg_advisory_lock", "pg_advisory_unlock", IMPORTS, number))
            taken.set()
            release.wait(20)
        connection.close()

    worker = threading.Thread(target=occupy)
    worker.start()
    assert taken.wait(20)
    assert ended(first).state == UploadState.FETCHING
    assert not UploadFolder(first.pk).root.exists()
    release.set()
    worker.join(20)
    sent: list[Any] = []
    monkeypatch.setattr("apps.datasets.services.messages.send", lambda name, pk: sent.append((name, pk)))
    assert ended(first).state == UploadState.ANALYSING
    assert sent == [("datasets.fetch", second.pk)]


def test_who_lost_the_right_meanwhile_brings_nothing_in(dataset: Dataset, root: Path) -> None:
    upload = begin(dataset, services.from_folder(allow(dataset, root), "shapes"))
    dataset.project.memberships.all().delete()
    assert failed(upload) == "no_permission"


def test_an_import_into_a_dataset_in_the_trash_ends(dataset: Dataset, root: Path) -> None:
    upload = begin(dataset, services.from_folder(allow(dataset, root), "shapes"))
    Dataset.objects.filter(pk=dataset.pk).update(deleted_at=timezone.now())
    assert failed(upload) == "no_permission"


def test_keys_that_cannot_be_read_any_more_end_it(dataset: Dataset, allowed: Canary, settings: Any) -> None:
    upload = begin(dataset, services.from_address(f"{allowed.url}a.zip"))
    settings.SECRETS_KEY = "another one"
    assert failed(upload) == "secret_unreadable"


def test_keys_are_kept_in_no_other_state(dataset: Dataset, allowed: Canary) -> None:
    upload = begin(dataset, services.from_address(f"{allowed.url}a.zip"))
    for state in set(UploadState) - {UploadState.FETCHING}:
        with pytest.raises(IntegrityError), transaction.atomic():
            Upload.objects.filter(pk=upload.pk).update(state=state)


def test_an_import_takes_no_files_and_is_neither_analysed_nor_published_meanwhile(cast: Cast) -> None:
    upload = services.upload_import(
        actor=cast.editor.actor,
        dataset=cast.sample("dataset"),
        wanted=services.from_folder(cast.sample("server-folder")),
    )
    for call in (
        lambda: services.upload_analyse(actor=cast.editor.actor, upload=upload),
        lambda: services.upload_publish(actor=cast.editor.actor, upload=upload),
        lambda: services.upload_receive(actor=cast.editor.actor, upload=upload, path="a.jpg", stream=io.BytesIO(b"x")),
    ):
        with pytest.raises(DomainError) as caught:
            call()
        assert caught.value.code == "upload_state"


def test_an_organization_has_a_few_imports_at_a_time(dataset: Dataset, root: Path) -> None:
    folder = allow(dataset, root)
    for _number in range(importing.MOST_AT_ONCE):
        begin(dataset, services.from_folder(folder, "shapes"))
    with pytest.raises(Conflict) as caught:
        begin(dataset, services.from_folder(folder, "shapes"))
    assert caught.value.code == "imports_running"
    other = DatasetFactory()
    assert begin(other, services.from_folder(allow(other, root), "shapes")).state == UploadState.FETCHING


# --- Doors


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "source"),
        ({"source": "sent"}, "source"),
        ({"source": "address"}, "url"),
        ({"source": "address", "url": "https://10.0.0.1:22/"}, "url"),
        ({"source": "bucket"}, "bucket"),
        ({"source": "bucket", "bucket": "a/b"}, "bucket"),
        ({"source": "bucket", "bucket": "shapes", "access_key": "a"}, "secret_key"),
        ({"source": "bucket", "bucket": "shapes", "endpoint": "http://10.0.0.1"}, "endpoint"),
        ({"source": "folder"}, "folder_id"),
    ],
)
def test_what_is_missing_or_wrong_is_named(body: dict[str, str], field: str, cast: Cast) -> None:
    answer = cast.editor.rest.post(f"/datasets/{cast.sample('dataset').pk}/import", body)
    assert answer.status_code == 400, answer.content
    assert field in answer.json()["errors"]
    assert not Upload.objects.filter(state="fetching").exists()


def test_pages_begin_imports_and_show_how_far_they_are(cast: Cast, allowed: Canary) -> None:
    dataset, folder = cast.sample("dataset"), cast.sample("server-folder")
    base = f"/datasets/{dataset.pk}/import"
    for way in ("address", "bucket", "folder"):
        assert cast.editor.portal.get(f"{base}/{way}/").status_code == 200
        assert cast.viewer.portal.get(f"{base}/{way}/").status_code == 403
    shown = cast.editor.portal.get(f"{base}/folder/?folder={folder.pk}&path=shapes").content.decode()
    assert "data.yaml" in shown
    assert cast.editor.portal.get(f"{base}/folder/?folder={folder.pk}&path=absent").status_code == 422
    for way, sent, place in (
        ("address", {"url": f"{allowed.url}a.zip"}, f"{allowed.url}a.zip"),
        ("bucket", {"bucket": "shapes", "endpoint": allowed.url, "region": "eu-west-1"}, "s3://shapes/"),
        ("folder", {"folder": str(folder.pk), "path": "shapes"}, f"{folder.name}/shapes"),
    ):
        answer = cast.editor.portal.post(f"{base}/{way}/", sent)
        assert answer.status_code == 302, answer.content.decode()
        page = cast.editor.portal.get(answer["Location"]).content.decode()
        assert "hx-trigger" in page
        assert place in page
        given_up = cast.editor.portal.post(f"{answer['Location']}cancel/")
        assert given_up.status_code == 302
        assert not Upload.objects.filter(state="fetching").exists()
    wrong = cast.editor.portal.post(f"{base}/address/", {"url": "https://localhost/"})
    assert wrong.status_code == 422
    assert cast.viewer.portal.post(f"{base}/address/", {"url": f"{allowed.url}a.zip"}).status_code == 403


def test_an_archive_under_any_name_is_known_by_its_content(dataset: Dataset, allowed: Canary) -> None:
    allowed.answer = lambda handler: reply(handler, zip_of(shapes()))
    upload = begin(dataset, services.from_address(f"{allowed.url}download?id=7"))
    assert ended(upload).state == UploadState.ANALYSING
    tasks.read(str(upload.pk))
    upload.refresh_from_db()
    assert upload.state == UploadState.READY, upload.analysis
