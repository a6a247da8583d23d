"""Names of objects. Blobs are addressed by content, per organization and never across organizations."""

from uuid import UUID

from apps.core.entities.ids import uuid7


def blob_root(organization_id: UUID) -> str:
    """Folder of an organization's blobs; below it lies `<sha256[:2]>/<sha256>`."""
    return f"blobs/{organization_id}"


def blob_key(organization_id: UUID, sha256: str) -> str:
    return f"{blob_root(organization_id)}/{sha256[:2]}/{sha256}"


def incoming_key() -> str:
    """A fresh place for bytes that are not verified yet."""
    return f"incoming/{uuid7()}"


def direct_key(organization_id: UUID) -> str:
    """The same for what somebody sends straight to the store, told apart by organization."""
    return f"incoming/{organization_id}/{uuid7()}"


def log_key(organization_id: UUID, job_id: UUID, offset: int) -> str:
    return f"logs/{organization_id}/{job_id}/{offset:015d}-{uuid7().hex[-8:]}"
