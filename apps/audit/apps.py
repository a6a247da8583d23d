from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AuditConfig(AppConfig):
    name = "apps.audit"
    label = "audit"
    verbose_name = _("Audit")

    def ready(self) -> None:
        from apps.audit import actions, policies, services
        from apps.audit.departing import CONTRIBUTION, forget_organization, forget_person
        from apps.core.auditing import register_sink
        from apps.departures.contributions import register_contribution, register_forgetting

        assert actions
        assert policies
        register_sink(services.store)
        register_contribution("audit", CONTRIBUTION)
        register_forgetting(person=forget_person, organization=forget_organization)
