from django.utils.translation import gettext_lazy as _

from apps.core.auditing import register_action

GROUP_CREATED = register_action(
    "resource_group.created", _("Resource group created"), _("%(actor)s created the resource group %(object)s.")
)
GROUP_CHANGED = register_action(
    "resource_group.changed", _("Resource group changed"), _("%(actor)s changed the resource group %(object)s.")
)
NODE_CHANGED = register_action("node.changed", _("Node changed"), _("%(actor)s changed the node %(object)s."))
