from celery import current_app
from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ResourcesConfig(AppConfig):
    name = "apps.resources"
    label = "resources"
    verbose_name = _("Resources")

    def ready(self) -> None:
        from apps.departures.contributions import register_contribution
        from apps.resources import actions, policies
        from apps.resources.bootstep import NodeReporter
        from apps.resources.departing import CONTRIBUTION

        assert actions and policies
        current_app.steps["worker"].add(NodeReporter)
        register_contribution("resources", CONTRIBUTION)
