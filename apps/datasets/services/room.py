"""How much an upload may hold: the least of its own limit, of the organization's, and of what is left of the disk."""

import shutil
from dataclasses import dataclass
from typing import Any

from django.db.models import Sum
from django.utils.translation import gettext as _

from apps.core.errors import Unavailable
from apps.datasets.archives import Limits
from apps.datasets.defects import BadInput
from apps.datasets.folders import UploadFolder
from apps.datasets.models import ENDED_UPLOADS, Upload
from apps.organizations.services import quotas

LIMITS = Limits()
#: Left on the disk for everybody else.
RESERVE_BYTES = 1 << 30
TOO_BIG, QUOTA, DISK = "archive.too_big", "quota_exceeded", "disk_full"


@dataclass(frozen=True, slots=True)
class Room:
    """How many bytes there may be, and why not more: a code and its parameters."""

    size: int
    code: str
    params: dict[str, Any]


def room_of(upload: Upload, *, here: int) -> Room:
    """`here` are the bytes of this upload that lie on the disk already.

    All uploads of an organization together may hold as much as it may keep, and not only what is left of that: what it
    has already takes no room when it is published once more, and whether it fits is asked then.
    """
    organization_id = upload.dataset.organization_id
    rooms = [Room(LIMITS.total_bytes, TOO_BIG, {"limit": LIMITS.total_bytes})]
    quota = quotas.storage_left(organization_id)
    if quota is not None:
        _left, limit = quota
        others = Upload.objects.filter(dataset__organization_id=organization_id).exclude(pk=upload.pk)
        staged = others.exclude(state__in=ENDED_UPLOADS).aggregate(found=Sum("byte_count"))["found"] or 0
        rooms.append(Room(max(0, int(limit * quotas.GIGABYTE) - staged), QUOTA, {"limit": f"{limit:g}"}))
    root = UploadFolder(upload.pk).root
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free - RESERVE_BYTES + here
    rooms.append(Room(max(0, free), DISK, {}))
    return min(rooms, key=lambda room: room.size)


def no_room(room: Room, path: str) -> Exception:
    """What a sender is told whose file does not fit."""
    if room.code == QUOTA:
        message = _(
            "This does not fit: with what is being uploaded the organization would keep more than its %(limit)s GB."
        )
        return quotas.exceeded("max_storage_gb", float(room.params["limit"]), message % room.params)
    if room.code == DISK:
        return Unavailable(_("The portal has no room for these files."), code=DISK)
    return BadInput(room.code, path, **room.params)
