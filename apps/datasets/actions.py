from django.utils.translation import gettext_lazy as _

from apps.core.auditing import label_in, register_action
from apps.datasets.models import Split

CREATED = register_action("dataset.created", _("Dataset created"), _("%(actor)s created the dataset %(object)s."))
CHANGED = register_action("dataset.changed", _("Dataset changed"), _("%(actor)s changed the dataset %(object)s."))
TRASHED = register_action(
    "dataset.trashed", _("Dataset moved to the trash"), _("%(actor)s moved the dataset %(object)s to the trash.")
)
RESTORED = register_action("dataset.restored", _("Dataset restored"), _("%(actor)s restored the dataset %(object)s."))
PURGED = register_action(
    "dataset.purged", _("Dataset deleted for good"), _("%(actor)s deleted the dataset %(object)s for good.")
)
UPLOAD_STARTED = register_action(
    "dataset.upload_started", _("Upload started"), _("%(actor)s started an upload into %(object)s.")
)
IMPORT_STARTED = register_action(
    "dataset.import_started", _("Import started"), _("%(actor)s started an import from %(place)s into %(object)s.")
)
IMPORT_FAILED = register_action(
    "dataset.import_failed", _("Import failed"), _("The import from %(place)s into %(object)s failed: %(code)s.")
)
SERVER_FOLDER_ALLOWED = register_action(
    "dataset.server_folder_allowed", _("Server folder allowed"), _("%(actor)s allowed the server folder %(object)s.")
)
SERVER_FOLDER_CHANGED = register_action(
    "dataset.server_folder_changed", _("Server folder changed"), _("%(actor)s changed the server folder %(object)s.")
)
SERVER_FOLDER_FORBIDDEN = register_action(
    "dataset.server_folder_forbidden",
    _("Server folder withdrawn"),
    _("%(actor)s withdrew the server folder %(object)s."),
)
UPLOAD_ANALYSED = register_action(
    "dataset.upload_analysed", _("Upload analysed"), _("%(actor)s had the upload %(object)s analysed.")
)
UPLOAD_FAILED = register_action(
    "dataset.upload_failed", _("Upload failed"), _("An upload into %(object)s failed: %(code)s.")
)
UPLOAD_CANCELLED = register_action(
    "dataset.upload_cancelled", _("Upload given up"), _("%(actor)s gave up the upload %(object)s.")
)
PUBLISH_REQUESTED = register_action(
    "dataset.publish_requested", _("Publication requested"), _("%(actor)s asked to publish the upload %(object)s.")
)
PUBLISHED = register_action(
    "dataset.published", _("Dataset published"), _("%(actor)s published revision %(revision)s of %(object)s.")
)
SPLIT_CHANGED = register_action(
    "dataset.split_changed", _("Split changed"), _("%(actor)s changed the split of %(object)s.")
)
SPLIT_REMOVED = register_action(
    "dataset.split_removed", _("Split removed"), _("%(actor)s put %(object)s back to the default split.")
)
IMAGES_MOVED = register_action(
    "dataset.images_moved",
    _("Images moved to a split"),
    _("%(actor)s moved images of %(object)s to the split %(split)s: %(count)s."),
    reads={"split": label_in(Split)},
)
IMAGES_TAGGED = register_action(
    "dataset.images_tagged", _("Images tagged"), _("%(actor)s tagged images of %(object)s with %(tags)s: %(count)s.")
)
IMAGES_UNTAGGED = register_action(
    "dataset.images_untagged",
    _("Tags of images removed"),
    _("%(actor)s took the tags %(tags)s from images of %(object)s: %(count)s."),
)
IMAGES_DELETED = register_action(
    "dataset.images_deleted",
    _("Images deleted"),
    _("%(actor)s deleted images of %(object)s: %(count)s. Revision %(revision)s is without them."),
)
SNAPSHOT_CREATED = register_action(
    "dataset.snapshot_created", _("Snapshot made"), _("%(actor)s made the snapshot %(object)s.")
)
SNAPSHOT_DELETED = register_action(
    "dataset.snapshot_deleted", _("Snapshot deleted"), _("%(actor)s deleted the snapshot %(object)s.")
)
VERSION_RESTORED = register_action(
    "dataset.version_restored",
    _("Version restored"),
    _("%(actor)s restored the version %(version)s of %(object)s as revision %(revision)s."),
)
DOWNLOADED = register_action(
    "dataset.downloaded",
    _("Dataset downloaded"),
    _("%(actor)s downloaded %(files)s files of the version %(version)s of %(object)s."),
)
MANIFEST_DOWNLOADED = register_action(
    "dataset.manifest_downloaded",
    _("List of files downloaded"),
    _("%(actor)s downloaded the list of the %(files)s files of the version %(version)s of %(object)s."),
)
PICTURES_OPENED = register_action(
    "dataset.pictures_opened",
    _("Pictures opened"),
    _("%(actor)s opened pictures of %(object)s: %(count)s within the hour."),
)
EXPORT_REQUESTED = register_action(
    "dataset.export_requested",
    _("Export of a dataset requested"),
    _("%(actor)s asked for the version %(version)s of %(object)s as %(format)s."),
)
EXPORT_DOWNLOADED = register_action(
    "dataset.export_downloaded",
    _("Export of a dataset downloaded"),
    _("%(actor)s downloaded the version %(version)s of %(object)s as %(format)s."),
)
EXPORT_CANCELLED = register_action(
    "dataset.export_cancelled",
    _("Export of a dataset cancelled"),
    _("%(actor)s cancelled the export of the version %(version)s of %(object)s as %(format)s."),
)
EXPORT_DELETED = register_action(
    "dataset.export_deleted",
    _("Export of a dataset deleted"),
    _("%(actor)s deleted the export of the version %(version)s of %(object)s as %(format)s."),
)
EXPORT_IMAGES_REQUESTED = register_action(
    "dataset.export_images_requested",
    _("Export of images requested"),
    _("%(actor)s asked for images of the version %(version)s of %(object)s as %(format)s: %(count)s."),
)
EXPORT_IMAGES_DOWNLOADED = register_action(
    "dataset.export_images_downloaded",
    _("Export of images downloaded"),
    _("%(actor)s downloaded images of the version %(version)s of %(object)s as %(format)s: %(count)s."),
)
EXPORT_IMAGES_CANCELLED = register_action(
    "dataset.export_images_cancelled",
    _("Export of images cancelled"),
    _("%(actor)s cancelled the export of images of the version %(version)s of %(object)s as %(format)s: %(count)s."),
)
EXPORT_IMAGES_DELETED = register_action(
    "dataset.export_images_deleted",
    _("Export of images deleted"),
    _("%(actor)s deleted the export of images of the version %(version)s of %(object)s as %(format)s: %(count)s."),
)
CHECK_STARTED = register_action(
    "dataset.check_started", _("Integrity check started"), _("%(actor)s had the files of %(object)s checked.")
)
CHECK_ENDED = register_action(
    "dataset.check_ended",
    _("Integrity check ended"),
    _("The check of %(object)s read %(files)s files. Missing: %(missing)s, damaged: %(changed)s."),
)
RELEASED = register_action(
    "dataset.released", _("Dataset made public"), _("%(actor)s made version %(version)s of %(object)s public.")
)
WITHDRAWN = register_action(
    "dataset.withdrawn", _("Dataset withdrawn from the public"), _("%(actor)s withdrew %(object)s from the public.")
)
PUBLIC_DOWNLOADED = register_action(
    "dataset.public_downloaded",
    _("Public dataset downloaded"),
    _("Version %(version)s of the public dataset %(object)s was downloaded by a reader of %(reader_organization)s."),
)
PUBLIC_MANIFEST_DOWNLOADED = register_action(
    "dataset.public_manifest_downloaded",
    _("List of a public dataset's files downloaded"),
    _("The list of the files of the public dataset %(object)s was downloaded by a reader of %(reader_organization)s."),
)
PUBLIC_PICTURES_OPENED = register_action(
    "dataset.public_pictures_opened",
    _("Pictures of a public dataset opened"),
    _("A reader of %(reader_organization)s opened pictures of the public dataset %(object)s; %(count)s in this hour."),
)
