"""What the rows name against what the stores hold: objects that are missing, damaged, or named by no row."""

import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from apps.core.models import LooseObject
from apps.core.storage import DATASETS, RESULTS, ObjectNotFound, Storage, StoredObject, stores
from apps.core.storage.keys import blob_key, blob_root
from apps.core.storage.locks import blobs_alone
from apps.core.storage.loose import grace as sweep_grace
from apps.datasets.models import Blob, DirectFile
from apps.datasets.selectors.naming import naming
from apps.datasets.services.integrity import blob_check
from apps.organizations.models import Organization

DIGEST = re.compile(r"[0-9a-f]{64}")
PREFIXES = tuple(f"{number:02x}" for number in range(256))
#: An organization with fewer rows that name objects is compared at once.
AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind` is missing, damaged or orphan; `names` are the kinds of rows that name the object, `store` says of which
    store this was found.

    `repaired`: a file of datasets is in quarantine, an orphan is deleted.
    """

    kind: str
    key: str
    size: int
    names: tuple[str, ...] = ()
    repaired: bool = False
    store: str = DATASETS


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the caller wants."""

    read: bool
    repair: bool
    grace: float


def examine_stores(*, read: bool = False, repair: bool = False, grace: float | None = None) -> Iterator[Finding]:
    """Compares every organization's objects with the rows of all apps; those of large ones, one 256th after the other.

    Sizes are compared; with `read` every byte is. With `repair` files of datasets go into quarantine, and orphans that
    nobody has named for the grace (in seconds; None: the sweeps') are deleted; nothing else is changed. Younger orphans
    are not told: they may belong to what is being stored just now.
    """
    asked = _Asked(read, repair, sweep_grace().total_seconds() if grace is None else grace)
    known = set(Organization.objects.values_list("pk", flat=True))
    for organization_id in sorted(known):
        for prefix in _parts(organization_id):
            yield from _examine_part(organization_id, prefix, asked)
    for name, store in stores().items():
        for folder in store.folders("blobs/"):
            if folder not in {str(pk) for pk in known}:
                yield from _orphans(name, store.objects(f"blobs/{folder}/"), asked)
        yield from _left_incoming(name, store, asked)


def _parts(organization_id: UUID) -> tuple[str, ...]:
    """What the digests begin with that are compared together, so that the memory is that of some thousands."""
    rows = (model._default_manager.filter(**{path: organization_id}) for model, path in naming())
    return ("",) if sum(found[:AT_ONCE].count() for found in rows) < AT_ONCE else PREFIXES


def _examine_part(organization_id: UUID, prefix: str, asked: _Asked) -> Iterator[Finding]:
    # Rows first: what is stored after the list of rows was made is young.
    named = _named(organization_id, prefix)
    root = f"{blob_root(organization_id)}/{prefix}/" if prefix else f"{blob_root(organization_id)}/"
    held = {name: {found.key: found for found in store.objects(root)} for name, store in stores().items()}
    for key, (size, names) in named.items():
        for store, kind in _wrong(key, size, names, held, asked):
            if _is_so(organization_id, key, kind, store):
                in_datasets = Blob._meta.label in names and store == DATASETS
                if asked.repair and in_datasets:
                    blob_check(organization_id=organization_id, sha256=_digest(key))
                yield Finding(kind, key, size, names, asked.repair and in_datasets, store)
    left = {name: [row for key, row in rows.items() if key not in named] for name, rows in held.items()}
    if not any(left.values()):
        return
    with blobs_alone(organization_id) as alone:
        # Under the lock: nobody is about to name one of them.
        now = _named(organization_id, prefix) if alone else {}
        young = _loosened(organization_id, prefix, asked)
        for name, rows in left.items():
            orphans = (found for found in rows if found.key not in now and found.key not in young)
            yield from _orphans(name, orphans, replace(asked, repair=asked.repair and alone))


def _wrong(
    key: str, size: int, names: tuple[str, ...], held: dict[str, dict[str, StoredObject]], asked: _Asked
) -> Iterator[tuple[str, str]]:
    """Store and kind of what is wrong with an object. Files of datasets lie with the datasets; what jobs wrote may
    lie in either store, for it stays where it is when the results move into one of their own."""
    places = [name for name, rows in held.items() if key in rows]
    if Blob._meta.label in names and DATASETS not in places:
        yield DATASETS, "missing"
    elif not places:
        yield (RESULTS if RESULTS in held else DATASETS), "missing"
    for name in places:
        found = held[name][key]
        if found.size != size or (asked.read and _differs(stores()[name], found)):
            yield name, "damaged"


def _loosened(organization_id: UUID, prefix: str, asked: _Asked) -> set[str]:
    """Keys of objects, old as they may be, whose last row went within the grace; the sweep deletes them after it."""
    since = timezone.now() - timedelta(seconds=asked.grace)
    rows = LooseObject.objects.filter(organization_id=organization_id, sha256__startswith=prefix, since__gte=since)
    return {blob_key(organization_id, sha256) for sha256 in rows.values_list("sha256", flat=True)}


def _orphans(name: str, found: Iterator[StoredObject], asked: _Asked) -> Iterator[Finding]:
    before = time.time() - asked.grace
    for row in found:
        if row.modified_at < before:
            if asked.repair:
                stores()[name].delete(row.key)
            yield Finding("orphan", row.key, row.size, repaired=asked.repair, store=name)


def _left_incoming(name: str, store: Storage, asked: _Asked) -> Iterator[Finding]:
    """What did not find its way out of `incoming/`: objects, and parts of files that were never joined."""
    keys = set(DirectFile.objects.values_list("key", flat=True))
    yield from _orphans(name, (found for found in store.objects("incoming/") if found.key not in keys), asked)
    if store.direct is None:
        return
    before = time.time() - asked.grace
    for left in store.direct.unfinished("incoming/"):
        if left.key not in keys and left.began_at < before:
            if asked.repair:
                store.direct.abort(left.key, left.upload)
            yield Finding("orphan", left.key, 0, repaired=asked.repair, store=name)


def _is_so(organization_id: UUID, key: str, kind: str, store: str) -> bool:
    """Looks a second time: rows and objects go together while they are compared."""
    if key not in _named(organization_id, _digest(key)):
        return False
    again = stores()[store].size(key)
    return again is None if kind == "missing" else again is not None


def _differs(store: Storage, found: StoredObject) -> bool:
    digest = hashlib.sha256()
    try:
        for chunk in store.open(found.key):
            digest.update(chunk)
    except (ObjectNotFound, OSError):
        return True
    return digest.hexdigest() != _digest(found.key)


def _digest(key: str) -> str:
    return key.rpartition("/")[2]


def _named(organization_id: UUID, prefix: str) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Keys of objects whose digest begins like this and that rows of any app name, with size and kinds of rows."""
    named: dict[str, tuple[int, tuple[str, ...]]] = {}
    for model, path in naming():
        rows = model._default_manager.filter(**{path: organization_id}, sha256__startswith=prefix)
        for sha256, size in rows.values_list("sha256", "size").distinct():
            if DIGEST.fullmatch(sha256):
                key = blob_key(organization_id, sha256)
                names = named.get(key, (size, ()))[1]
                named[key] = (size, (*names, model._meta.label) if model._meta.label not in names else names)
    return named
