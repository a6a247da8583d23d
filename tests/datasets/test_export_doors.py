"""Exports through every door, by workers that die and people who think better of it, and from a shell elsewhere."""

import hashlib
import html
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from django.core import signing
from django.db import connection, transaction
from django.urls import reverse

from apps.audit.models import AuditEvent
from apps.audit.selectors import readable
from apps.core.testing import Cast, PermissionMatrix, RestClient, assert_constant_queries
from apps.datasets import tasks
from apps.datasets.models import Blob, Dataset, Export
from apps.datasets.services import (
    export_ask,
    messages,
)
from tests.datasets.test_downloads import body_of
from tests.datasets.test_exports import archive_of
from tests.factories.apikeys import key_of
from tests.factories.datasets import DatasetFactory, exported, published, shapes

pytestmark = pytest.mark.django_db


class TestExports(PermissionMatrix):
    rest = """
                                                                      owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET     /datasets/{dataset}/export?format=coco                    200    =       =       404     200      =      404    404       401        200
    POST    /datasets/{dataset}/export                                202    =       =       404     202      =      404    404       401        202
    GET     /datasets/{dataset}/exports                               200    =       =       404     200      =      404    404       401        200
    GET     /datasets/{dataset}/exports/{dataset-export}              200    =       =       404     200      =      404    404       401        200
    GET     /datasets/{dataset}/exports/{dataset-export}/download     200    =       =       404     200      =      404    404       401        200
    POST    /datasets/{dataset}/exports/{dataset-export}/download     201    =       =       404     201      =      404    404       401        201
    POST    /datasets/{dataset}/exports/{waiting-export}/cancel       200    =       403     404     200      =      404    404       401        200
    DELETE  /datasets/{dataset}/exports/{dataset-export}              204    =       403     404     204      =      404    404       401        204
    """
    bodies = {
        "POST /datasets/{dataset}/export": {"format": "coco", "version": "r1"},
        "POST /datasets/{dataset}/exports/": {"format": "coco"},
        "POST /admin/datasets/export/{dataset-export}/delete/": {"post": "yes", "reason": "a test"},
    }
    admin = """
                                                           owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET   /admin/datasets/export/{dataset-export}/change/  200    =       =       302     200      =      302    302       302        200
    POST  /admin/datasets/export/{dataset-export}/delete/  302    =       403     302     302      =      302    302       302        302
    """
    portal = """
                                                                owner  editor  viewer  member  manager  admin  guest  stranger  anonymous  platform
    GET   /datasets/{dataset}/exports/                          200    =       =       404     200      =      404    404       302        200
    POST  /datasets/{dataset}/exports/                          302    =       =       404     302      =      404    404       302        302
    POST  /datasets/{dataset}/exports/{dataset-export}/download/ 302   =       =       404     302      =      404    404       302        302
    POST  /datasets/{dataset}/exports/{dataset-export}/delete/  302    =       403     404     302      =      404    404       302        302
    """


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    return published(DatasetFactory(project=cast.sample("project"), name="Shapes & more"))


def events(action: str) -> list[dict[str, Any]]:
    return [event.params for event in readable(AuditEvent.objects.filter(action=action))]


# --- REST


def test_asked_for_watched_and_fetched_by_a_program(dataset: Dataset, cast: Cast) -> None:
    base = f"/datasets/{dataset.pk}"
    preview = cast.viewer.rest.get(f"{base}/export?format=imagefolder&version=r1").json()
    assert (preview["task"], preview["tasks"], preview["images"]) == ("classify", ["classify"], 5)
    assert {loss["code"] for loss in preview["losses"]} == {"objects_to_class"} and preview["losses"][0]["text"]
    asked = cast.viewer.rest.post(f"{base}/export", {"format": "imagefolder"})
    assert (asked.status_code, asked.json()["state"]) == (202, "waiting")
    one = f"{base}/exports/{asked.json()['id']}"
    early = cast.viewer.rest.get(f"{one}/download")
    assert (early.status_code, early.json()["code"]) == (409, "export_not_ready")
    tasks.export(asked.json()["id"])
    found = cast.viewer.rest.get(one).json()
    assert (found["state"], found["image_count"], found["losses"]) == ("ready", 5, preview["losses"])
    again = cast.viewer.rest.post(f"{base}/export", {"format": "imagefolder"})
    assert (again.status_code, again.json()["id"]) == (200, found["id"])
    answer = cast.viewer.rest.get(f"{one}/download")
    archive = body_of(answer)
    assert (int(answer["Content-Length"]), answer["ETag"]) == (found["byte_count"], f'"{found["sha256"]}"')
    assert hashlib.sha256(archive).hexdigest() == found["sha256"]
    assert "shapes-more-r1-imagefolder.zip" in answer["Content-Disposition"]
    assert [row["id"] for row in cast.viewer.rest.get(f"{base}/exports").json()["results"]] == [found["id"]]
    (requested,) = events("dataset.export_requested")
    assert (requested["format"], requested["version"]) == ("imagefolder", "r1")
    assert [event["bytes"] for event in events("dataset.export_downloaded")] == [len(archive)]


def test_what_cannot_be_exported_is_told(dataset: Dataset, cast: Cast) -> None:
    base = f"/datasets/{dataset.pk}/export"
    for query, status, code in (
        ("format=yolo&task=pose", 400, "export_task"),
        ("format=yolo&version=never", 400, "version_unknown"),
        ("format=cvat", 400, "invalid"),
        ("", 400, "invalid"),
    ):
        answer = cast.viewer.rest.get(f"{base}?{query}")
        assert (answer.status_code, answer.json()["code"]) == (status, code), query
    empty = DatasetFactory(project=dataset.project)
    assert cast.viewer.rest.post(f"/datasets/{empty.pk}/export", {"format": "yolo"}).status_code == 400
    assert not Export.objects.exists()


def test_a_link_opens_one_archive_for_five_minutes(
    dataset: Dataset, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    export, other = exported(dataset, format="yolo"), exported(dataset, format="coco")
    base = f"/datasets/{dataset.pk}/exports"
    made = cast.viewer.rest.post(f"{base}/{export.pk}/download").json()
    archive = body_of(RestClient().get(made["url"]))
    assert (made["size"], made["sha256"]) == (len(archive), hashlib.sha256(archive).hexdigest())
    assert made["file_name"] == "shapes-more-r1-yolo-detect.zip"
    assert AuditEvent.objects.get(action="dataset.export_downloaded").actor_id == cast.viewer.user.pk
    token = made["url"].partition("link=")[2]
    assert RestClient().get(f"{base}/{other.pk}/download?link={token}").status_code == 401
    assert RestClient().get(f"/datasets/{dataset.pk}/download?link={token}").status_code == 401
    assert RestClient().get(f"{base}/{export.pk}/download?link={token}x").status_code == 401
    assert RestClient().get(f"{base}/{export.pk}/download").status_code == 401
    now = signing.time.time()
    monkeypatch.setattr(signing.time, "time", lambda: now + 302)
    assert RestClient().get(made["url"]).status_code == 401
    monkeypatch.undo()
    dataset.project.memberships.filter(user=cast.viewer.user).delete()
    assert RestClient().get(made["url"]).status_code == 404
    assert len(events("dataset.export_downloaded")) == 1


def test_who_asked_may_cancel_and_delete_and_other_viewers_may_not(dataset: Dataset, cast: Cast) -> None:
    base = f"/datasets/{dataset.pk}/exports"
    own = export_ask(actor=cast.viewer.actor, dataset=dataset, format="yolo")
    others = export_ask(actor=cast.owner.actor, dataset=dataset, format="coco")
    assert cast.viewer.rest.post(f"{base}/{own.pk}/cancel").json()["state"] == "cancelled"
    late = cast.viewer.rest.post(f"{base}/{own.pk}/cancel")
    assert (late.status_code, late.json()["code"]) == (409, "export_ended")
    refused = cast.viewer.rest.delete(f"{base}/{others.pk}")
    assert refused.status_code == 403 and "who asked for it" in refused.json()["hint"]
    assert cast.viewer.rest.delete(f"{base}/{own.pk}").status_code == 204
    assert [event["format"] for event in events("dataset.export_cancelled") + events("dataset.export_deleted")] == [
        "yolo",
        "yolo",
    ]


def test_a_key_for_looking_alone_exports_nothing(dataset: Dataset, cast: Cast) -> None:
    looking = RestClient(key_of(cast.viewer, "datasets.view_dataset", name="looking")[1])
    assert looking.get(f"/datasets/{dataset.pk}/export?format=yolo").status_code == 200
    assert looking.post(f"/datasets/{dataset.pk}/export", {"format": "yolo"}).status_code == 403


# --- Pages


def test_the_page_tells_the_losses_asks_watches_and_fetches(dataset: Dataset, cast: Cast) -> None:
    address = reverse("datasets:exports", args=[dataset.pk])
    page = cast.viewer.portal.get(f"{address}?format=imagefolder").content.decode()
    assert "The objects of an image become its class" in page and "Nothing was exported yet" in page
    assert "Nothing is lost." in cast.viewer.portal.get(f"{address}?format=dice").content.decode()
    yolo = cast.viewer.portal.get(f"{address}?format=yolo&task=classify").content.decode()
    assert 'value="classify" selected' in yolo and 'name="task"' in yolo
    answer = cast.viewer.portal.post(address, {"version": "head", "format": "imagefolder", "task": "classify"})
    assert answer.status_code == 302 and "format=imagefolder" in answer["Location"]
    part = cast.viewer.portal.get(f"{address}?part=list").content.decode()
    assert "Waiting for a worker" in part and 'hx-trigger="every 1s"' in part and "<html" not in part
    export = Export.objects.get()
    tasks.export(str(export.pk))
    part = cast.viewer.portal.get(f"{address}?part=list").content.decode()
    assert "kind of loss" in part and "hx-trigger" not in part and "kept until" in part
    answer = cast.viewer.portal.post(reverse("datasets:export-download", args=[dataset.pk, export.pk]))
    assert "link=" in answer["Location"]
    assert body_of(RestClient().get(answer["Location"])).startswith(b"PK")
    cast.viewer.portal.post(reverse("datasets:export-delete", args=[dataset.pk, export.pk]))
    assert not Export.objects.exists()


def test_the_page_says_what_stands_in_the_way(dataset: Dataset, cast: Cast) -> None:
    Blob.objects.filter(sha256=hashlib.sha256(shapes()["images/val/val-0000.jpg"]).hexdigest()).update(
        damage="missing"
    )
    address = reverse("datasets:exports", args=[dataset.pk])
    assert "Without the 1 file that is damaged" in cast.viewer.portal.get(address).content.decode()
    told = cast.viewer.portal.post(address, {"format": "yolo"}, follow=True).content.decode()
    assert "damaged or missing" in told and not Export.objects.exists()
    assert "Choose a format" in cast.viewer.portal.post(address, {"format": "pdf"}, follow=True).content.decode()
    cast.viewer.portal.post(address, {"format": "yolo", "partial": "1"})
    assert Export.objects.get().partial
    cancel = reverse("datasets:export-cancel", args=[dataset.pk, Export.objects.get().pk])
    assert "was cancelled" in cast.viewer.portal.post(cancel, follow=True).content.decode()
    assert "nothing to cancel" in cast.viewer.portal.post(cancel, follow=True).content.decode()
    empty = DatasetFactory(project=dataset.project)
    page = cast.viewer.portal.get(reverse("datasets:exports", args=[empty.pk])).content.decode()
    assert "The dataset is empty" in page


def test_the_history_and_the_files_lead_to_the_export_of_a_version(dataset: Dataset, cast: Cast) -> None:
    page = cast.viewer.portal.get(reverse("datasets:versions", args=[dataset.pk])).content.decode()
    assert f"{reverse('datasets:exports', args=[dataset.pk])}?version=r1" in page
    page = cast.viewer.portal.get(reverse("datasets:files", args=[dataset.pk])).content.decode()
    assert f"{reverse('datasets:exports', args=[dataset.pk])}?version=head" in page


@pytest.mark.parametrize("door", ["rest", "portal"])
def test_a_list_of_exports_costs_as_many_queries_whatever_its_length(dataset: Dataset, cast: Cast, door: str) -> None:
    revision = dataset.revisions.get()

    def add(count: int) -> None:
        for _number in range(count):
            facts = {"version_name": "r1", "format": "coco", "task": "detect", "content": str(Export.objects.count())}
            Export.objects.create(dataset=dataset, revision=revision, created_by=cast.owner.user, **facts)

    calls = {
        "rest": lambda: cast.viewer.rest.get(f"/datasets/{dataset.pk}/exports"),
        "portal": lambda: cast.viewer.portal.get(f"{reverse('datasets:exports', args=[dataset.pk])}?part=list"),
    }
    assert_constant_queries(calls[door], add_rows=add)


# --- Elsewhere


def lines_of(page: str) -> list[str]:
    """What a page offers to be copied."""
    return [html.unescape(found) for found in re.findall(r"<code data-copy-source>(.*?)</code>", page, re.DOTALL)]


def run(command: list[str], cast: Cast, folder: Path, *scopes: str) -> None:
    """Runs what was copied, as the viewer's API key, with nothing of ours but the address."""
    folder.mkdir(exist_ok=True)
    key = key_of(cast.viewer, *scopes, name=f"elsewhere {command[0]}")[1]
    environment = {"PATH": os.environ["PATH"], "MODELYARD_KEY": key}
    done = subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def files_below(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.mark.django_db(transaction=True)
def test_the_line_of_the_page_fetches_an_export_in_a_shell(
    live_server: Any, cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """A worker does its part meanwhile; the line checks the digests of what it has unpacked."""
    settings.PUBLIC_URL = live_server.url
    dataset = published(DatasetFactory(project=cast.sample("project")))
    workers: list[threading.Thread] = []

    def work(name: str, *args: Any, **options: Any) -> None:
        def export() -> None:
            try:
                {"datasets.export": tasks.export}[name](str(args[0]))
            finally:
                connection.close()

        workers.append(threading.Thread(target=export))
        transaction.on_commit(workers[-1].start)

    monkeypatch.setattr(messages, "hint_on_commit", work)
    page = cast.viewer.portal.get(f"{reverse('datasets:exports', args=[dataset.pk])}?version=r1&format=coco")
    (line,) = lines_of(page.content.decode())
    scopes = ("datasets.view_dataset", "datasets.add_export", "datasets.view_export")
    run(["sh", "-euc", line], cast, tmp_path, *scopes)
    for worker in workers:
        worker.join(30)
    export = Export.objects.get()
    assert export.created_by == cast.viewer.user
    assert files_below(tmp_path / "dataset") == archive_of(export)


@pytest.mark.django_db(transaction=True)
def test_the_lines_of_the_page_of_files_fetch_what_came_in(
    live_server: Any, cast: Cast, tmp_path: Path, settings: Any
) -> None:
    """Both of them, the one for a shell and the one for Python."""
    settings.PUBLIC_URL = live_server.url
    dataset = published(DatasetFactory(project=cast.sample("project"), name="Shapes & more"))
    page = cast.viewer.portal.get(reverse("datasets:files", args=[dataset.pk])).content.decode()
    shell, program = lines_of(page)
    for number, command in enumerate((["sh", "-euc", shell], [sys.executable, "-c", program])):
        run(command, cast, tmp_path / str(number), "datasets.view_dataset")
        assert files_below(tmp_path / str(number) / "dataset") == shapes()
