from django.utils.translation import gettext_lazy as _

from apps.core.auditing import register_action

CREATED = register_action("project.created", _("Project created"), _("%(actor)s created the project %(object)s."))
CHANGED = register_action("project.changed", _("Project changed"), _("%(actor)s changed the project %(object)s."))
TRASHED = register_action(
    "project.trashed", _("Project moved to the trash"), _("%(actor)s moved the project %(object)s to the trash.")
)
RESTORED = register_action("project.restored", _("Project restored"), _("%(actor)s restored the project %(object)s."))
PURGED = register_action(
    "project.purged",
    _("Project deleted for good"),
    _("%(actor)s deleted the project %(object)s, with all it held, for good."),
)
ARCHIVED = register_action("project.archived", _("Project archived"), _("%(actor)s archived the project %(object)s."))
UNARCHIVED = register_action(
    "project.unarchived", _("Project taken back"), _("%(actor)s took the project %(object)s out of the archive.")
)
TRANSFERRED = register_action(
    "project.transferred", _("Project handed over"), _("%(actor)s handed the project %(object)s over.")
)
MEMBER_ADDED = register_action(
    "project.member_added", _("Project member added"), _("%(actor)s added %(object)s to the project.")
)
MEMBER_CHANGED = register_action(
    "project.member_changed", _("Project role changed"), _("%(actor)s changed the role of %(object)s in the project.")
)
MEMBER_REMOVED = register_action(
    "project.member_removed", _("Project member removed"), _("%(actor)s removed %(object)s from the project.")
)
