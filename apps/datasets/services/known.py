"""Files that a sender need not send: the dataset has their content already, in whatever revision and under any path."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

from modelyard_trainer.files import sha256_of

from apps.core import policy
from apps.core.connections import release_connection
from apps.core.identity import Actor
from apps.core.storage import ObjectNotFound, storage
from apps.core.storage.keys import blob_key
from apps.datasets.archives import PathRules
from apps.datasets.folders import UploadFolder
from apps.datasets.models import Entry, Upload
from apps.datasets.services.refusals import domain_errors
from apps.datasets.services.room import LIMITS
from apps.datasets.services.uploads import check_receiving, count_in, require_through_portal, room_now, upload_count

AT_ONCE = 8
#: Of one call.
MOST_KNOWN = 1000


@domain_errors()
def upload_take_known(*, actor: Actor, upload: Upload, files: Mapping[str, str]) -> list[str]:
    """Takes files in, path → sha256, whose content this dataset holds; returns the paths. The others are to be sent.

    Only this dataset is looked at: a digest opens nothing that its sender may not see. A file that has arrived under a
    path stays, and what is in quarantine is not taken. Raises what `upload_receive` raises.
    """
    policy.require(actor, "datasets.change_upload", upload)
    check_receiving(upload)
    require_through_portal(upload)
    wanted = _clean(files)
    sizes = _sizes(upload, set(wanted.values()))
    folder = UploadFolder(upload.pk)
    found = {path: sha256 for path, sha256 in wanted.items() if sha256 in sizes}
    there = {path for path in found if (folder.files / path).is_file()}
    new = {path: sha256 for path, sha256 in found.items() if path not in there}
    size = sum(sizes[sha256] for sha256 in new.values())
    count_in(upload, files=len(new), size=size, room=room_now(upload), path="")
    release_connection()
    organization_id = upload.dataset.organization_id
    with ThreadPoolExecutor(AT_ONCE) as workers:
        put = workers.map(lambda item: _put(organization_id, folder, *item), new.items())
        taken = [path for path, done in zip(new, put, strict=True) if done]
    if missed := new.keys() - taken:
        back = -sum(sizes[new[path]] for path in missed)
        upload_count(upload_id=upload.pk, files=-len(missed), size=back, most=0)
    return sorted([*taken, *(path for path in there if sha256_of(folder.files / path) == found[path])])


def _clean(files: Mapping[str, str]) -> dict[str, str]:
    """Paths as they are kept; without what systems leave behind."""
    rules, wanted = PathRules(LIMITS), {}
    for path, sha256 in files.items():
        clean = rules.accept_file(path)
        if clean is not None:
            wanted[clean] = sha256
    return wanted


def _sizes(upload: Upload, digests: set[str]) -> dict[str, int]:
    """Digest → size, of those that the dataset holds whole."""
    rows = Entry.objects.filter(dataset_id=upload.dataset_id, blob__sha256__in=digests, blob__damage="")
    return dict(rows.order_by().values_list("blob__sha256", "blob__size").distinct())


def _put(organization_id: UUID, folder: UploadFolder, path: str, sha256: str) -> bool:
    """Puts the object under the path; False where the store does not have it, or something lies there meanwhile."""
    key, target = blob_key(organization_id, sha256), folder.files / path
    source = storage().local_path(key)
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if source is not None:
            try:
                os.link(source, target)
                return True
            except FileExistsError:
                return False
            except OSError:  # not there, another file system, or one without links
                pass
        return _fetch(key, folder, target)
    except (NotADirectoryError, FileExistsError):
        return False


def _fetch(key: str, folder: UploadFolder, target: Path) -> bool:
    folder.incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = folder.incoming / uuid4().hex
    try:
        with temporary.open("xb") as file:
            for chunk in storage().open(key):
                file.write(chunk)
        os.link(temporary, target)
    except (ObjectNotFound, FileExistsError):
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True
