from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AuditConfig(AppConfig):
    name = "apps.audit"
    label = "audit"
    verbose_name = _("Audit")

    def ready(self) -> None:
        from apps.audit import actions, policies, services
        from apps.core.auditing import register_sink

        assert actions
        assert policies
        register_sink(services.store)
