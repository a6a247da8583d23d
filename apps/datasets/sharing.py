"""Datasets as something that can be shared, and that people can be invited to."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor
from apps.datasets.models import Dataset, DatasetGroupShare, DatasetUserShare, Visibility
from apps.invitations.targets import Target
from apps.projects.models import ProjectRole
from apps.shares.kinds import ROLE_LEVELS, Grounds, Kind
from apps.shares.models import Level
from apps.shares.services import share_join


def _grounds(dataset: Dataset) -> Grounds:
    """What visibility says: of a private one the project's owners and its creator, else the project's members."""
    private = dataset.visibility == Visibility.PRIVATE
    members = {role: level for role, level in ROLE_LEVELS.items() if not private or role == ProjectRole.OWNER}
    open_to_all = dataset.visibility in (Visibility.ORGANIZATION, Visibility.PUBLIC)
    everybody = Level.USE if open_to_all else None
    creator = {ProjectRole.OWNER: Level.MANAGE, ProjectRole.EDITOR: Level.MANAGE, ProjectRole.VIEWER: Level.USE}
    return Grounds(members, dataset.created_by_id, creator, everybody)


DATASET = Kind(
    name="dataset",
    label=_("Dataset"),
    model=Dataset,
    users=DatasetUserShare,
    groups=DatasetGroupShare,
    organization="organization_id",
    project="project_id",
    grounds=_grounds,
)


def _check(actor: Actor, dataset: Any, level: str) -> None:
    """Who manages a dataset gives every level."""


INVITATIONS = Target(
    name="dataset",
    label=_("Dataset"),
    model=Dataset,
    permission=DATASET.manage,
    roles=tuple(Level.choices),
    check=_check,
    join=share_join,
    address=Dataset.get_absolute_url,
)
