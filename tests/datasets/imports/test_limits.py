"""Imports meet their limits, are given up, or lose their worker: nothing is left."""

import contextlib
import io
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.core.errors import Conflict, DomainError
from apps.core.storage.locks import Family, held
from apps.core.testing import Cast
from apps.datasets import services, tasks
from apps.datasets.archives import Limits
from apps.datasets.folders import UploadFolder
from apps.datasets.models import Dataset, Upload, UploadState
from apps.datasets.services import fetching, importing, room
from apps.datasets.services.locks import IMPORT_SLOTS, upload_lock
from tests.core.test_outbound import Canary, reply
from tests.datasets.imports.support import allow, begin, ended, failed, fetched, limited
from tests.factories.datasets import SYSTEM, DatasetFactory, shapes

pytestmark = pytest.mark.django_db


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


def test_what_is_left_out_counts_too_and_a_list_is_given_up_in_the_middle(
    dataset: Dataset, allowed: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store of somebody's own lists for ever what no set takes in: it would keep one of few places from everybody."""
    asked: list[str] = []

    def endless(handler: Any) -> None:
        asked.append(handler.path)
        row = f"<Contents><Key>{len(asked)}/.DS_Store</Key><Size>1</Size></Contents>"
        more = f"<NextContinuationToken>{len(asked)}</NextContinuationToken>"
        if len(asked) < 100:
            reply(handler, f"<ListBucketResult>{row}{more}</ListBucketResult>".encode())

    allowed.answer = endless
    monkeypatch.setattr(fetching, "LIMITS", Limits(members=20))
    wanted = services.from_bucket(bucket="b", endpoint=allowed.url)
    assert failed(begin(dataset, wanted)) == "archive.too_many_members"
    assert len(asked) == 21
    monkeypatch.setattr(fetching, "LIMITS", Limits())
    monkeypatch.setattr(fetching, "LOOK_SECONDS", 0.0)
    upload = begin(dataset, wanted)

    noted = fetching._note_fetching

    def cancelling(**arguments: Any) -> bool:
        if len(asked) == 40:
            services.upload_cancel(actor=SYSTEM, upload=upload)
        return noted(**arguments)

    monkeypatch.setattr(fetching, "_note_fetching", cancelling)
    assert ended(upload).state == UploadState.CANCELLED
    assert len(asked) == 40


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
                stack.enter_context(held("pg_advisory_lock", "pg_advisory_unlock", Family.IMPORT_SLOT, number))
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
