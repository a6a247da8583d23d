"""Importing: an upload whose files a worker fetches from an address, a bucket, a folder of the server, or from where
their sender put them in the portal's own store.

Once everything is there the upload is analysed and published like any other. What a dead worker had fetched is not
fetched again where the source tells that it is the same; secrets are ciphertext until the fetching ends.
"""

import errno
import logging
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from django.db import OperationalError
from django.utils.translation import gettext as _

from apps.core import auditing, policy
from apps.core.errors import Conflict, DomainError, Invalid
from apps.core.identity import Actor, Via
from apps.core.operations import ingest, operation
from apps.core.outbound import Bucket, BucketError, OutboundError, origin_of
from apps.datasets import actions
from apps.datasets.defects import BadInput
from apps.datasets.models import Dataset, PublishMode, ServerFolder, Upload, UploadSource, UploadState
from apps.datasets.services import messages
from apps.datasets.services.direct_rows import direct_note_digests
from apps.datasets.services.fetching import Stopped, fetch_files
from apps.datasets.services.foreign import require_format
from apps.datasets.services.locks import import_slot, upload_lock
from apps.datasets.sources import (
    AddressSource,
    BucketSource,
    DirectSource,
    FolderSource,
    SentFile,
    Source,
    SourceError,
    failure_words,
)
from apps.organizations.models import Organization
from apps.organizations.services import quotas

log = logging.getLogger(__name__)
#: Imports that one organization may have begun and not ended: they share the places with everybody else.
MOST_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class ImportFrom:
    """Where the files are: `place` is shown and audited, `secret` is for the worker alone."""

    source: UploadSource
    place: dict[str, str]
    secret: dict[str, str] = field(default_factory=dict, repr=False)
    folder: ServerFolder | None = None


def from_address(url: str) -> ImportFrom:
    """A file at a web address. What stands behind a `?` may be a key: it is kept like one. Raises `Invalid`."""
    _require_origin(url, "url")
    return ImportFrom(UploadSource.ADDRESS, {"url": url.partition("#")[0].partition("?")[0]}, {"url": url})


def from_bucket(
    *,
    bucket: str,
    prefix: str = "",
    endpoint: str = "",
    region: str = "us-east-1",
    access_key: str = "",
    secret_key: str = "",
    token: str = "",
) -> ImportFrom:
    """Objects under a prefix. Without an endpoint it is Amazon's, without keys a public bucket. Raises `Invalid`."""
    place = {"endpoint": endpoint.rstrip("/"), "region": region, "bucket": bucket, "prefix": prefix.strip("/")}
    _require_origin(Bucket(bucket, endpoint=place["endpoint"], region=region).url, "endpoint")
    secret = {"access_key": access_key, "secret_key": secret_key, "token": token} if access_key else {}
    return ImportFrom(UploadSource.BUCKET, place, secret)


def from_folder(folder: ServerFolder, path: str = "") -> ImportFrom:
    """A folder or a file below a folder that was allowed."""
    place = {"folder_id": str(folder.pk), "folder": folder.name, "path": path.strip("/")}
    return ImportFrom(UploadSource.FOLDER, place, folder=folder)


@operation("datasets.upload_import", permission="datasets.change_dataset", on="dataset")
def upload_import(
    *,
    actor: Actor,
    dataset: Dataset,
    wanted: ImportFrom,
    mode: str = PublishMode.ADD,
    note: str = "",
    lenient: bool = False,
    format: str = "",
) -> Upload:
    """Opens an upload whose files a worker fetches; it is analysed when they are there."""
    require_format(format)
    quotas.require_storage(dataset.organization_id)
    if wanted.folder is not None:
        policy.require(actor, "datasets.view_serverfolder", wanted.folder)
        if wanted.folder.organization_id != dataset.organization_id:
            raise Invalid(
                _("The server folder belongs to another organization."),
                code="folder_foreign",
                fields={"folder_id": [_("The server folder belongs to another organization.")]},
            )
    # Those who ask at once are counted one after the other.
    Organization.objects.select_for_update().get(pk=dataset.organization_id)
    running = Upload.objects.filter(dataset__organization_id=dataset.organization_id, state=UploadState.FETCHING)
    running = running.exclude(source=UploadSource.DIRECT)
    if running.count() >= MOST_AT_ONCE:
        raise Conflict(
            _("%(count)s imports of the organization are running already.") % {"count": MOST_AT_ONCE},
            code="imports_running",
            hint=_("Wait until one has ended, or give one up."),
        )
    upload = Upload(
        dataset=dataset,
        created_by=actor.user,
        state=UploadState.FETCHING,
        source=wanted.source,
        place=wanted.place,
        mode=mode,
        note=note,
        lenient=lenient,
        format=format,
    )
    upload.place_secret = upload.seal(wanted.secret) if wanted.secret else ""
    upload.full_clean(validate_constraints=False)
    upload.save()
    params = {"place": upload.place_text, "source": str(upload.source), **({"format": format} if format else {})}
    auditing.record(actor, actions.IMPORT_STARTED, upload, name=dataset.name, params=params, about=[dataset])
    messages.send_on_commit("datasets.fetch", upload.pk)
    return upload


def upload_fetch(upload_id: UUID | str) -> None:
    """What the worker does. Idempotent: goes on where a dead worker stopped, and two at once do the work once."""
    upload = Upload.objects.select_related("dataset", "created_by").filter(pk=upload_id).first()
    if upload is None:
        return
    with import_slot() as free:
        if not free:  # the end of another import asks again, and so does the sweep
            return
        with upload_lock(upload.pk) as held:
            upload.refresh_from_db()
            if held and upload.state == UploadState.FETCHING:
                _fetch(upload)
    waiting = Upload.objects.filter(state=UploadState.FETCHING, progress={}).exclude(pk=upload.pk).order_by("pk")
    if (following := waiting.first()) is not None:
        messages.send("datasets.fetch", following.pk)


def _fetch(upload: Upload) -> None:
    try:
        require_still(upload)
        source = _source(upload)
        files, size = fetch_files(upload, source, check=lambda: require_still(upload))
        if isinstance(source, DirectSource):
            direct_note_digests(digests=source.digests)
    except Stopped:  # given up meanwhile
        return
    except OperationalError:
        # The database is away: the row still says what is to be done, and the sweep asks again.
        raise
    except Exception as error:
        code, params = _reason(error)
        if code == "import_failed":
            log.exception("the import %s failed", upload.pk)
        import_fail(actor=Actor.system("imports"), upload=upload, code=code, params=params)
        return
    _note_fetched(upload_id=upload.pk, files=files, size=size)


def require_still(upload: Upload) -> None:
    """Raises `SourceError` when who began the import may not do so any more."""
    if upload.created_by is None:
        raise SourceError("no_permission")
    organization_id = upload.dataset.organization_id
    actor = Actor.of(upload.created_by, organization_id=organization_id, via=Via.SYSTEM, narrow=False)
    if not policy.allows(actor, "datasets.change_upload", upload):
        raise SourceError("no_permission")
    if upload.source == UploadSource.FOLDER:
        rows = ServerFolder.objects.visible(actor)
        if not rows.filter(pk=upload.place["folder_id"], organization_id=organization_id).exists():
            raise SourceError("folder_withdrawn")


def _source(upload: Upload) -> Source:
    place = upload.place
    if upload.source == UploadSource.DIRECT:
        return DirectSource(
            [
                SentFile(file.path, file.byte_count, file.key, file.part_bytes, tuple(file.part_digests))
                for file in upload.direct_files.all()
            ]
        )
    try:
        secret = upload.secret
    except (InvalidTag, ValueError) as error:
        raise SourceError("secret_unreadable") from error
    if upload.source == UploadSource.ADDRESS:
        return AddressSource(secret["url"])
    if upload.source == UploadSource.BUCKET:
        bucket = Bucket(place["bucket"], endpoint=place["endpoint"], region=place["region"], **secret)
        return BucketSource(bucket, place["prefix"])
    return FolderSource(ServerFolder.objects.get(pk=place["folder_id"]).path, place["path"])


def _reason(error: Exception) -> tuple[str, dict[str, Any]]:
    """Code and parameters under which the failure is stored; `sources.words` has the words."""
    if isinstance(error, OutboundError):
        return error.code, {"status": error.status} if error.status else {}
    if isinstance(error, BucketError):
        return error.code, {"detail": error.detail} if error.detail else {}
    if isinstance(error, SourceError):
        return error.code, error.params
    if isinstance(error, BadInput):
        where = {"path": error.defect.path} if error.defect.path else {}
        return error.code, {**error.defect.params, **where}
    if isinstance(error, DomainError):
        return error.code, error.params
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk_full", {}
    return "import_failed", {}


@operation("datasets.import_fail")
def import_fail(*, actor: Actor, upload: Upload, code: str, params: dict[str, Any]) -> Upload:
    """Ends an import whose files could not all be fetched; nothing of it is kept. The worker's own affair: it asks
    nobody, for a dataset in the trash and an organization that closes end their imports too."""
    upload = Upload.objects.select_for_update(of=("self",)).select_related("dataset").get(pk=upload.pk)
    if upload.state == UploadState.FETCHING:
        failure = {"code": code, "params": params}
        upload.change(state=UploadState.FAILED, failure=failure, place_secret="", progress={})
    about, told = [upload.dataset], {"place": upload.place_text, "code": code}
    action = actions.UPLOAD_FAILED if upload.source == UploadSource.DIRECT else actions.IMPORT_FAILED
    auditing.record(actor, action, upload, name=upload.dataset.name, params=told, about=about)
    return upload


@ingest("datasets.upload_note_fetched")
def _note_fetched(*, upload_id: UUID, files: int, size: int) -> None:
    """Everything is there: the analysis begins, and the secrets are forgotten."""
    upload = Upload.objects.select_for_update().get(pk=upload_id)
    if upload.state == UploadState.FETCHING:
        upload.change(
            state=UploadState.ANALYSING, file_count=files, byte_count=size, place_secret="", progress={}, failure={}
        )
        messages.send_on_commit("datasets.read", upload.pk)


def _require_origin(url: str, name: str) -> None:
    try:
        origin_of(url)
    except OutboundError as error:
        sentence, hint = failure_words({"code": error.code})
        raise Invalid(sentence, code=error.code, hint=hint, fields={name: [sentence]}) from error
