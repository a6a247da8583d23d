"""Public versions on their way to readers elsewhere: links of their own, events in the chain of those whose set it is.

An event names the reader's id and organization; it is the reader's own too, and is read among theirs.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from apps.core import auditing, policy
from apps.core.connections import release_connection
from apps.core.errors import NotFound
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.datasets import actions
from apps.datasets.models import Dataset
from apps.datasets.selectors.contents import Totals, totals_of
from apps.datasets.selectors.public import READ, is_outsider, is_readable, public_version
from apps.datasets.selectors.versions import Version
from apps.datasets.services.downloads import Wanted, sendable
from apps.datasets.services.links import Link, link_to, opened
from apps.datasets.services.pictures import counted_pictures
from apps.organizations.models import Organization

SALT = "datasets.public"
#: While something is sent, so often it is asked whether it may be read still.
ASKED_SECONDS = 5.0


def public_link_sign(*, actor: Actor, dataset: Dataset, wanted: Wanted, session_key: str | None = None) -> Link:
    """A link to a public version, its manifest, or a single file of it. Raises `Invalid` for any other version."""
    policy.require(actor, READ, dataset)
    content = wanted.content_at(public_version(dataset, wanted.version))
    address = f"/api/v1/datasets/public/{dataset.pk}/download"
    return link_to(address, actor=actor, salt=SALT, content=content, session_key=session_key)


def public_link_open(*, token: str, dataset_id: UUID, **request: Any) -> tuple[Actor, Wanted]:
    """Who asked for the link, as they are now, and what it opens; whether that is public still is asked after."""
    actor, content = opened(token, salt=SALT, **request)
    return actor, Wanted.of_link(content, dataset_id)


@operation("datasets.public_download", permission=READ, on="dataset")
def public_download(
    *, actor: Actor, dataset: Dataset, version: Version, path: str = "", partial: bool = False
) -> Totals:
    """Notes that a public version, or a single file of it, is fetched. Raises `Conflict` as `dataset_download` does."""
    totals = sendable(version, path, partial=partial)
    params = {"version": version.name, "revision": version.no, "path": path, "files": totals.files}
    _record(actor, actions.PUBLIC_DOWNLOADED, dataset, params | {"bytes": totals.bytes})
    return totals


@operation("datasets.public_manifest_download", permission=READ, on="dataset")
def public_manifest_download(*, actor: Actor, dataset: Dataset, version: Version) -> None:
    """Notes that the list of a public version's files, with their digests, is fetched."""
    params = {"version": version.name, "revision": version.no, "files": totals_of(version).files}
    _record(actor, actions.PUBLIC_MANIFEST_DOWNLOADED, dataset, params)


def public_picture_opened(*, actor: Actor, dataset: Dataset) -> None:
    """As `pictures.picture_opened`: the 1st, 10th, 100th … of a reader in an hour is an event."""
    if count := counted_pictures(actor, dataset):
        public_pictures_note(actor=actor, dataset=dataset, count=count)


@operation("datasets.public_pictures_note", permission=READ, on="dataset")
def public_pictures_note(*, actor: Actor, dataset: Dataset, count: int) -> None:
    """Notes that so many pictures of a public dataset were opened within the hour."""
    _record(actor, actions.PUBLIC_PICTURES_OPENED, dataset, {"count": count})


def while_public(actor: Actor, dataset: Dataset, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks, as long as the reader may read the dataset: who withdraws it ends what is being sent. Raises
    `NotFound` then, which cuts the answer off."""
    asked = time.monotonic()
    for chunk in chunks:
        if time.monotonic() - asked >= ASKED_SECONDS:
            readable = is_readable(actor.refreshed(), dataset)
            # Who waits for a slow reader keeps no connection of the database from anybody.
            release_connection()
            if not readable:
                raise NotFound()
            asked = time.monotonic()
        yield chunk


def _record(actor: Actor, action: str, dataset: Dataset, params: dict[str, Any]) -> None:
    # Who runs the platform may belong to no organization.
    reader = Organization.objects.filter(pk=actor.organization_id).first() if actor.organization_id else None
    named = {"reader_organization": str(reader) if reader else "–", "reader_organization_id": actor.organization_id}
    auditing.record(actor, action, dataset, params={**params, **named}, by_outsider=is_outsider(actor, dataset))
