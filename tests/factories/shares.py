from typing import Any

from django.contrib.auth.models import Permission

from apps.core.testing import Cast, sample
from apps.shares.kinds import kind_of
from apps.shares.models import Level
from tests.factories.projects import ProjectFactory


def shared(obj: Any, level: Level, *, user: Any = None, project: Any = None) -> Any:
    """A share as a row, past every check."""
    kind = kind_of(obj)
    permission = Permission.objects.get(
        content_type__app_label=kind.model._meta.app_label, codename=level.codename(str(kind.model._meta.model_name))
    )
    if user is not None:
        return kind.users.objects.create(content_object=obj, user=user, permission=permission)
    return kind.groups.objects.create(content_object=obj, group=project.group, permission=permission)


@sample("share", "shares", "datasets.DatasetUserShare")
def share(cast: Cast) -> Any:
    """The dataset shared with the member, to view."""
    return shared(cast.sample("dataset"), Level.VIEW, user=cast.member.user)


@sample("sharing-project")
def sharing_project(cast: Cast) -> Any:
    """Another project of the organization."""
    return ProjectFactory(organization=cast.sample("organization"), name=f"Neighbour {cast.canary}")


@sample("group-share", "datasets.DatasetGroupShare")
def group_share(cast: Cast) -> Any:
    return shared(cast.sample("dataset"), Level.EDIT, project=cast.sample("sharing-project"))


@sample("training-share", "training.TrainingJobUserShare")
def training_share(cast: Cast) -> Any:
    return shared(cast.sample("training-job"), Level.VIEW, user=cast.member.user)


@sample("training-group-share", "training.TrainingJobGroupShare")
def training_group_share(cast: Cast) -> Any:
    return shared(cast.sample("training-job"), Level.USE, project=cast.sample("sharing-project"))
