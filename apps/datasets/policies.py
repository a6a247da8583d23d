"""Rules on datasets. What a dataset holds follows from `view_dataset` and `change_dataset`."""

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.identity import Actor, Role
from apps.core.policy import NOBODY, condition_if_open, lies_in, rule, through
from apps.datasets.models import Visibility
from apps.datasets.sharing import DATASET
from apps.organizations.models import Closure, Organization
from apps.projects.models import Project
from apps.shares.kinds import declare_share_rules, granted
from apps.shares.models import Level

lies_in("datasets.Dataset", "project")
lies_in("datasets.Item", "dataset")
lies_in("datasets.Upload", "dataset")
lies_in("datasets.Snapshot", "dataset")
lies_in("datasets.IntegrityCheck", "dataset")
lies_in("datasets.Export", "dataset")

BEYOND_THE_PROJECT = (Visibility.ORGANIZATION, Visibility.PUBLIC)


def _seen(actor: Actor) -> Q:
    """Datasets whose visibility reaches the actor, in the trash or not."""
    own = Q(created_by_id=actor.user_id) | through("project", actor, "projects.change_project")
    project = Q(visibility__in=(Visibility.PROJECT, *BEYOND_THE_PROJECT))
    # Guests see only projects that they were added to. What is public is to its own organization what the organization
    # may see; what others are shown of it is `read_dataset` alone.
    organization = Q(
        visibility__in=BEYOND_THE_PROJECT,
        organization_id__in=actor.organizations(Role.ENGINEER_I),
        project__in=Project.objects.filter(deleted_at__isnull=True),
    )
    return (through("project", actor, "projects.view_project") & (own | project)) | organization


def _contributed(actor: Actor) -> Q:
    return _seen(actor) & through("project", actor, "projects.contribute_project")


@rule("datasets.view_dataset", on="datasets.Dataset")
def view_dataset(actor: Actor) -> Q:
    """By visibility: its creator and the project's owners, the project's members, or the organization's engineers; and
    those whom it is shared with."""
    return _seen(actor) | granted(actor, DATASET, Level.VIEW)


@rule(
    "datasets.read_dataset", on="datasets.Dataset", needs=_("a version that a manager has made public"), closing=True
)
def read_dataset(actor: Actor) -> Q:
    """Reading the public versions, at doors of their own (`selectors.public`): whoever belongs to an organization, guests
    too, as long as the dataset's organization allows it and neither it nor the project is closed. Nothing else follows
    from it: what composes `view_dataset` stays hidden from them.

    A provider's word is its organization's alone: who signed in by it reads what is public there.
    """
    if not actor.memberships:
        return NOBODY
    publishers = Organization.objects.filter(allows_public=True, closure=Closure.OPEN)
    if actor.vouched is not None:
        publishers = publishers.filter(pk=actor.vouched.organization_id)
    return Q(
        visibility=Visibility.PUBLIC,
        organization__in=publishers,
        project__in=Project.objects.filter(deleted_at__isnull=True, archived_at__isnull=True),
    )


@rule("datasets.release_dataset", on="datasets.Dataset", needs=_("manager"))
def release_dataset(actor: Actor) -> Q:
    """Making a version public: it leaves the organization, so its managers answer for it."""
    managed = Q(organization_id__in=actor.organizations(Role.MANAGER))
    return managed & through("project", actor, "projects.contribute_project")


@rule("datasets.use_dataset", on="datasets.Dataset", needs=_("somebody whom it is shared with to use"))
def use_dataset(actor: Actor) -> Q:
    """Training on it: everybody who sees it by its visibility, and shares from `use` on."""
    return _seen(actor) | granted(actor, DATASET, Level.USE)


@rule("datasets.add_dataset", on="projects.Project", needs=_("engineer of the organization and editor of the project"))
def add_dataset(actor: Actor) -> Q:
    engineers = Q(organization_id__in=actor.organizations(Role.ENGINEER_I))
    return engineers & condition_if_open(actor, "projects.contribute_project")


@rule("datasets.change_dataset", on="datasets.Dataset", needs=_("editor of the project"))
def change_dataset(actor: Actor) -> Q:
    return _contributed(actor) | granted(actor, DATASET, Level.EDIT)


@rule("datasets.delete_dataset", on="datasets.Dataset", needs=_("editor of the project"))
def delete_dataset(actor: Actor) -> Q:
    """Moving it to the trash, and saying who sees it: more than a share to edit gives."""
    return _contributed(actor) | granted(actor, DATASET, Level.MANAGE)


@rule("datasets.manage_dataset", on="datasets.Dataset", needs=_("owner of the project, or the dataset's creator"))
def manage_dataset(actor: Actor) -> Q:
    """Sharing it."""
    created = Q(created_by_id=actor.user_id) & _contributed(actor)
    owned = through("project", actor, "projects.change_project")
    return owned | created | granted(actor, DATASET, Level.MANAGE)


@rule("datasets.restore_dataset", on="datasets.Dataset", needs=_("editor of the project"), trashed=True)
def restore_dataset(actor: Actor) -> Q:
    return _contributed(actor)


@rule("datasets.purge_dataset", on="datasets.Dataset", needs=_("editor of the project"), trashed=True)
def purge_dataset(actor: Actor) -> Q:
    """Deleting it for good: those who could bring it back. What a training needs is refused to all."""
    return restore_dataset(actor)


@rule("datasets.view_item", on="datasets.Item")
def view_item(actor: Actor) -> Q:
    return through("dataset", actor, "datasets.view_dataset")


@rule("datasets.view_upload", on="datasets.Upload", needs=_("editor of the project"))
def view_upload(actor: Actor) -> Q:
    """What is not published yet is the business of those who may publish it."""
    return through("dataset", actor, "datasets.change_dataset")


@rule("datasets.change_upload", on="datasets.Upload", needs=_("editor of the project"))
def change_upload(actor: Actor) -> Q:
    return through("dataset", actor, "datasets.change_dataset")


@rule("datasets.view_serverfolder", on="datasets.ServerFolder", needs=_("engineer of the organization"))
def view_server_folder(actor: Actor) -> Q:
    """Seeing what lies in it, and taking it into a dataset that one may change."""
    return Q(organization_id__in=actor.organizations(Role.ENGINEER_I))


@rule("datasets.add_serverfolder", on="organizations.Organization", needs=_("platform administrator"))
def add_server_folder(actor: Actor) -> Q:
    """Which folders of the server may be read is for those who run the installation."""
    return NOBODY


@rule("datasets.change_serverfolder", on="datasets.ServerFolder", needs=_("platform administrator"))
def change_server_folder(actor: Actor) -> Q:
    return NOBODY


@rule("datasets.delete_serverfolder", on="datasets.ServerFolder", needs=_("platform administrator"))
def delete_server_folder(actor: Actor) -> Q:
    return NOBODY


@rule("datasets.view_snapshot", on="datasets.Snapshot")
def view_snapshot(actor: Actor) -> Q:
    return through("dataset", actor, "datasets.view_dataset")


@rule("datasets.delete_snapshot", on="datasets.Snapshot", needs=_("editor of the project"))
def delete_snapshot(actor: Actor) -> Q:
    return through("dataset", actor, "datasets.change_dataset")


@rule("datasets.view_integritycheck", on="datasets.IntegrityCheck")
def view_integrity_check(actor: Actor) -> Q:
    return through("dataset", actor, "datasets.view_dataset")


@rule("datasets.add_export", on="datasets.Dataset")
def add_export(actor: Actor) -> Q:
    """Whoever sees a dataset may take it along, in any format."""
    return view_dataset(actor)


@rule("datasets.view_export", on="datasets.Export")
def view_export(actor: Actor) -> Q:
    return through("dataset", actor, "datasets.view_dataset")


@rule("datasets.delete_export", on="datasets.Export", needs=_("who asked for it, or an editor of the project"))
def delete_export(actor: Actor) -> Q:
    """Cancelling and deleting."""
    own = Q(created_by_id=actor.user_id) & through("dataset", actor, "datasets.view_dataset")
    return own | through("dataset", actor, "datasets.change_dataset")


declare_share_rules(DATASET, _("owner of the project, or the dataset's creator"))
