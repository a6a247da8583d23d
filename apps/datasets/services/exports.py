"""Exports: a version in a format of choice, asked for, cancelled, downloaded, deleted. `exporting` writes them."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from apps.core import auditing, policy
from apps.core.errors import Conflict
from apps.core.identity import Actor
from apps.core.operations import operation
from apps.core.storage import storage
from apps.datasets import actions
from apps.datasets.formats.model import canonical_json
from apps.datasets.models import ACTIVE_EXPORTS, KEPT_EXPORTS, Dataset, Export, ExportFormat, ExportState
from apps.datasets.selectors.choosing import ImageChoice
from apps.datasets.selectors.exports import Target, chosen_in, damaged_in, target_of
from apps.datasets.selectors.versions import HEAD, version_named
from apps.datasets.services import messages
from apps.datasets.services.downloads import damaged_error
from apps.datasets.services.links import Link, link_to, opened, stale
from apps.datasets.services.splits import stored

#: Changes whenever the same version would be written otherwise.
CONTENT_VERSION = 1
#: Of one dataset, being written or kept.
MOST_KEPT = 20
SALT = "datasets.export"
#: Folder of the store in which nothing but archives of exports lies.
ARCHIVES = "dataset-exports/"
#: What is said of an export → the same of one that holds chosen images only.
OF_IMAGES = {
    actions.EXPORT_REQUESTED: actions.EXPORT_IMAGES_REQUESTED,
    actions.EXPORT_DOWNLOADED: actions.EXPORT_IMAGES_DOWNLOADED,
    actions.EXPORT_CANCELLED: actions.EXPORT_IMAGES_CANCELLED,
    actions.EXPORT_DELETED: actions.EXPORT_IMAGES_DELETED,
}


def export_ask(
    *,
    actor: Actor,
    dataset: Dataset,
    version: str = HEAD,
    format: str = ExportFormat.NATIVE,
    task: str = "",
    partial: bool = False,
    choice: ImageChoice | None = None,
) -> Export:
    """The export of a version in a format, or of the images of it that are chosen: the one that is kept or being written,
    else a new one by a worker.

    Raises `Invalid` for an unknown version, for what the labels cannot become and for no or too many images, `Conflict`
    for files in quarantine (unless what is `partial` is wanted), for images that are gone, and when too many are kept.
    """
    policy.require(actor, "datasets.add_export", dataset)
    with transaction.atomic():
        dataset = Dataset.objects.select_for_update(of=("self",)).select_related("split_plan").get(pk=dataset.pk)
        target = target_of(version_named(dataset, version), format, task)
        if choice is not None:
            target = chosen_in(target, choice)
        content = _content_of(target, partial=partial)
        if (kept := export_kept(dataset, content)) is not None:
            return kept
        return export_request(actor=actor, dataset=dataset, target=target, content=content, partial=partial)


def export_kept(dataset: Dataset, content: str) -> Export | None:
    """The export of this content that is kept or being written."""
    rows = Export.objects.filter(dataset=dataset, content=content, state__in=KEPT_EXPORTS)
    found = rows.select_related("dataset", "revision").first()
    return found if found is not None and (found.is_there or found.state_live) else None


@operation("datasets.export_request", permission="datasets.add_export", on="dataset")
def export_request(*, actor: Actor, dataset: Dataset, target: Target, content: str, partial: bool) -> Export:
    """Has a worker write the version, or the images of it that were chosen, which nobody has done yet."""
    rows = Export.objects.filter(dataset=dataset)
    rows.overdue(timezone.now()).update(state=ExportState.EXPIRED)
    if rows.filter(state__in=KEPT_EXPORTS).count() >= MOST_KEPT:
        raise Conflict(
            _("%(count)d exports of this dataset are kept already.") % {"count": MOST_KEPT},
            code="exports_many",
            hint=_("Delete one that nobody needs any more."),
        )
    export = Export.objects.create(
        dataset=dataset,
        revision=target.version.revision,
        version_name=target.version.name,
        format=target.format,
        task=target.task,
        split_plan=None if target.plan is None else stored(target.plan),
        chosen=None if target.images is None else sorted(target.images),
        partial=partial,
        content=content,
        created_by=actor.user,
    )
    about = [auditing.Mention("datasets.item", str(item), path) for item, path in (target.images or {}).items()]
    _record(actor, actions.EXPORT_REQUESTED, export, about=about)
    messages.send_on_commit("datasets.export", export.pk)
    return export


@operation("datasets.export_cancel", permission="datasets.delete_export", on="export")
def export_cancel(*, actor: Actor, export: Export) -> Export:
    """Ends an export that is not ready yet; its worker notices, and leaves nothing."""
    export = _locked(export)
    if export.state not in ACTIVE_EXPORTS:
        raise Conflict(
            _("There is nothing to cancel: %(state)s.") % {"state": export.get_state_display()},
            code="export_ended",
            params={"state": export.state},
        )
    export.change(state=ExportState.CANCELLED, progress={}, ended_at=timezone.now())
    _record(actor, actions.EXPORT_CANCELLED, export)
    return export


@operation("datasets.export_delete", permission="datasets.delete_export", on="export")
def export_delete(*, actor: Actor, export: Export) -> None:
    """Removes an export, whatever its state; its archive goes with the next pass of the sweep, which is asked for."""
    export = _locked(export)
    _record(actor, actions.EXPORT_DELETED, export)
    messages.sweep_exports_on_commit()
    export.delete()


@operation("datasets.export_download", permission="datasets.view_export", on="export")
def export_download(*, actor: Actor, export: Export) -> Iterator[bytes]:
    """Notes that the archive leaves the portal; returns its bytes. Raises `Conflict` unless it is kept."""
    export = Export.objects.select_related("dataset").get(pk=export.pk)
    require_there(export)
    _record(actor, actions.EXPORT_DOWNLOADED, export, bytes=export.byte_count)
    return _chunks(archive_key(export))


def export_link(*, actor: Actor, export: Export, session_key: str | None = None) -> Link:
    """A link to the archive. Raises `Conflict` unless it is kept."""
    policy.require(actor, "datasets.view_export", export)
    require_there(export)
    address = f"/api/v1/datasets/{export.dataset_id}/exports/{export.pk}/download"
    return link_to(address, actor=actor, salt=SALT, content={"export": str(export.pk)}, session_key=session_key)


def export_link_open(*, token: str, export_id: UUID, **request: Any) -> Actor:
    """Who asked for the link, as they are now. Raises `NotAuthenticated` where it is of another export."""
    actor, content = opened(token, salt=SALT, **request)
    if content["export"] != str(export_id):
        raise stale()
    return actor


def require_there(export: Export) -> None:
    """Raises `Conflict` unless the archive is kept."""
    if export.is_there:
        return
    if export.state in (ExportState.READY, ExportState.EXPIRED):
        raise Conflict(_("This export is not kept any more."), code="export_expired", hint=_("Export it again."))
    if export.state == ExportState.FAILED:
        raise Conflict(_("This export has failed."), code="export_failed", hint=str(export.failure_text))
    raise Conflict(_("This export is not ready."), code="export_not_ready", params={"state": export.state})


def archive_folder(organization_id: UUID | str) -> str:
    """Where the archives of an organization lie in the store."""
    return f"{ARCHIVES}{organization_id}/"


def archive_key(export: Export) -> str:
    return f"{archive_folder(export.dataset.organization_id)}{export.pk}.zip"


def archive_name(export: Export) -> str:
    """What a download is called."""
    name = slugify(export.dataset.name, allow_unicode=True) or "dataset"
    task = f"-{export.task}" if export.format == ExportFormat.YOLO else ""
    chosen = "" if export.chosen_count is None else f"-{export.chosen_count}-of-{export.version_image_count}"
    return f"{name}-{export.version_name}-{export.format}{task}{chosen}.zip"


def _content_of(target: Target, *, partial: bool) -> str:
    """Digest of all that an archive follows from. Raises `Conflict` for files in quarantine, unless `partial`."""
    damaged = list(damaged_in(target).values_list("item__path", flat=True))
    if damaged and not partial:
        raise damaged_error(len(damaged))
    facts: dict[str, Any] = {
        "version": CONTENT_VERSION,
        "revision": target.version.no,
        "format": target.format,
        "task": target.task,
        "split": None if target.plan is None else target.plan.digest,
        "left_out": damaged,
    }
    if target.images is not None:
        facts["chosen"] = sorted(target.images)
    return hashlib.sha256(canonical_json(facts)).hexdigest()


def _locked(export: Export) -> Export:
    return Export.objects.select_for_update(of=("self",)).select_related("dataset").get(pk=export.pk)


def _record(actor: Actor, action: str, export: Export, *, about: Iterable[auditing.Mention] = (), **more: Any) -> None:
    params = {"export": str(export.pk), "version": export.version_name, "format": export.format, "task": export.task}
    if export.chosen_count is not None:
        action, more["count"] = OF_IMAGES[action], export.chosen_count
    auditing.record(actor, action, export.dataset, params={**params, **more}, about=about)


def _chunks(key: str) -> Iterator[bytes]:
    yield from storage().open(key)
