"""Files on their way out: links that open one object for five minutes, and the note of every download.

A link (`links`) names one version of one dataset: all of it, its manifest, or a single file. Of a single file an object
store can give a link of its own.
"""

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core import auditing, policy
from apps.core.errors import Conflict
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.core.storage import storage
from apps.core.storage.keys import blob_key
from apps.datasets import actions
from apps.datasets.models import Dataset
from apps.datasets.selectors.contents import Damaged, File, Totals, archive_of, checked_file, file_at, totals_of
from apps.datasets.selectors.versions import Version, version_named
from apps.datasets.services.integrity import blob_check
from apps.datasets.services.links import LINK_SECONDS, Link, link_to, opened, stale

SALT = "datasets.download"
OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be fetched: a version by its name; of it a single file, or the manifest. `partial`: without the files
    in quarantine, rather than not at all."""

    version: str
    path: str = ""
    manifest: bool = False
    partial: bool = False

    def content_at(self, version: Version) -> dict[str, Any]:
        """What a link to it holds. Raises `NotFound` for a file that the version has not."""
        if self.path:
            file_at(version, self.path)
        return {
            "dataset": str(version.dataset.pk),
            # By number: a tag may be given to another revision while the link lives.
            "revision": version.no,
            "path": self.path,
            "manifest": self.manifest,
            "partial": self.partial,
        }

    @classmethod
    def of_link(cls, content: dict[str, Any], dataset_id: UUID) -> "Wanted":
        """What the link's content opens. Raises `NotAuthenticated` when that is another dataset's."""
        if content["dataset"] != str(dataset_id):
            raise stale()
        return cls(f"r{content['revision']}", content["path"], content["manifest"], content["partial"])


def link_sign(*, actor: Actor, dataset: Dataset, wanted: Wanted, session_key: str | None = None) -> Link:
    """A link to what is wanted. Raises `Invalid` for an unknown version, `NotFound` for an unknown file."""
    policy.require(actor, "datasets.view_dataset", dataset)
    content = wanted.content_at(version_named(dataset, wanted.version))
    address = f"/api/v1/datasets/{dataset.pk}/download"
    return link_to(address, actor=actor, salt=SALT, content=content, session_key=session_key)


def link_open(*, token: str, dataset_id: UUID, **request: Any) -> tuple[Actor, Wanted]:
    """Who asked for the link, as they are now, and what it opens. Raises `NotAuthenticated` for any other dataset, and
    for a link that is not valid any more."""
    actor, content = opened(token, salt=SALT, **request)
    return actor, Wanted.of_link(content, dataset_id)


def link_sign_direct(*, actor: Actor, dataset: Dataset, wanted: Wanted) -> Link:
    """The object store's own link to a single file, for who fetches many. The portal neither sees it used nor can take it
    back before its end: it is noted as a download when it is given.

    Raises `NotFound` for an unknown file, `Conflict` for one that is damaged or lost, and where the store gives no links.
    """
    policy.require(actor, "datasets.view_dataset", dataset)
    version, path = version_named(dataset, wanted.version), wanted.path
    file = file_at(version, path)
    key = blob_key(dataset.organization_id, file.sha256)
    expires_at = timezone.now() + datetime.timedelta(seconds=LINK_SECONDS)
    url = None
    if settings.DIRECT_UPLOADS != "off":
        name = path.rpartition("/")[2]
        url = storage().signed_url(key, filename=name, media_type=OCTETS, expires_seconds=LINK_SECONDS)
    if url is None:
        raise Conflict(
            _("This portal's store gives no links of its own."),
            code="direct_unavailable",
            hint=_("Ask for a link of the portal: without direct."),
        )
    # Only the length is looked at: whoever fetches it compares the digest, which the answer has. What is not that long
    # is read, and refused below when it is damaged.
    if not file.damage and storage().size(key) != file.size:
        blob_check(organization_id=dataset.organization_id, sha256=file.sha256)
    dataset_download(actor=actor, dataset=dataset, version=version, path=path, direct=True)
    return Link(url, expires_at)


@operation("datasets.dataset_download", permission="datasets.view_dataset", on="dataset")
def dataset_download(
    *, actor: Actor, dataset: Dataset, version: Version, path: str = "", partial: bool = False, direct: bool = False
) -> Totals:
    """Notes that a version, or a single file of it, leaves the portal, or the store itself (`direct`). Returns how much
    that is.

    Raises `Conflict` for files in quarantine, unless what is `partial` is wanted.
    """
    totals = sendable(version, path, partial=partial)
    params = {"version": version.name, "revision": version.no, "path": path, "files": totals.files}
    params |= {"bytes": totals.bytes, "direct": direct}
    auditing.record(actor, actions.DOWNLOADED, dataset, params=params)
    return totals


def sendable(version: Version, path: str, *, partial: bool) -> Totals:
    """How much of a version, or of a single file of it, can be sent. Raises `Conflict` for files in quarantine, unless
    what is `partial` is wanted."""
    totals = _single(file_at(version, path)) if path else totals_of(version)
    if totals.damaged and (path or not partial):
        raise damaged_error(totals.damaged)
    return totals


@operation("datasets.manifest_download", permission="datasets.view_dataset", on="dataset")
def manifest_download(*, actor: Actor, dataset: Dataset, version: Version) -> None:
    """Notes that the list of a version's files, with their digests, leaves the portal."""
    params = {"version": version.name, "revision": version.no, "files": totals_of(version).files}
    auditing.record(actor, actions.MANIFEST_DOWNLOADED, dataset, params=params)


def archive_chunks(version: Version, totals: Totals) -> Iterator[bytes]:
    """The version as a ZIP. A file that is found damaged on the way ends the answer before its time, and goes into
    quarantine: who fetches gets an error rather than other bytes."""
    try:
        yield from archive_of(version, totals)
    except Damaged as found:
        blob_check(organization_id=version.dataset.organization_id, sha256=found.sha256)
        raise


def file_chunks(version: Version, path: str) -> Iterable[bytes]:
    """The bytes of a single file. Raises `Conflict` when they are not what came in."""
    try:
        return checked_file(version, file_at(version, path))
    except Damaged as found:
        blob_check(organization_id=version.dataset.organization_id, sha256=found.sha256)
        raise damaged_error(1) from found


def _single(file: File) -> Totals:
    whole = not file.damage
    return Totals(int(whole), len(file.path.encode()), file.size, damaged=int(not whole))


def damaged_error(count: int) -> Conflict:
    """What is said of files in quarantine."""
    return Conflict(
        ngettext(
            "%(count)d file is damaged or missing in the store.",
            "%(count)d files are damaged or missing in the store.",
            count,
        )
        % {"count": count},
        code="file_damaged",
        hint=_("Upload the same content again, or fetch the rest with partial=true."),
        params={"count": count},
    )


def file_name(version: Version, ending: str) -> str:
    """What a download is called."""
    return f"{slugify(version.dataset.name, allow_unicode=True) or 'dataset'}-{version.name}.{ending}"
