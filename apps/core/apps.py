from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CoreConfig(AppConfig):
    name = "apps.core"
    label = "core"
    verbose_name = _("Core")

    def ready(self) -> None:
        from apps.core.auditing import checks as auditing_checks  # noqa: F401
        from apps.core.policy import checks as policy_checks  # noqa: F401
