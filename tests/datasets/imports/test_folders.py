"""Imports from a folder of the server: out of it leads nothing, and in comes nobody who may not."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.core.errors import Forbidden, Invalid, NotFound
from apps.core.testing import Cast
from apps.datasets import services
from apps.datasets.models import Dataset, ServerFolder, UploadState
from apps.datasets.services import fetching
from tests.datasets.imports.support import allow, begin, ended, failed, fetched
from tests.factories.datasets import SYSTEM, folder_of_the_server, shapes
from tests.factories.organizations import OrganizationFactory

pytestmark = pytest.mark.django_db


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

    def swapped(source: Any, *more: Any) -> Any:
        wanted = accepted(source, *more)
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

    def growing(source: Any, *more: Any) -> Any:
        wanted = accepted(source, *more)
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
