from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DeparturesConfig(AppConfig):
    name = "apps.departures"
    label = "departures"
    verbose_name = _("Export and deletion")

    def ready(self) -> None:
        from apps.departures import actions, policies
        from apps.departures.contributions import register_contribution
        from apps.departures.departing import CONTRIBUTION
        from apps.departures.services import mailing
        from apps.organizations.frame import Tab, register_tab

        assert actions and policies and mailing
        register_tab(
            Tab(
                name="departure",
                label=_("Export and deletion"),
                page="departures:overview",
                icon="package",
                permission="organizations.view_organization",
                place=9,
            )
        )
        register_contribution("organizations", CONTRIBUTION)
