from celery import current_app
from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ResourcesConfig(AppConfig):
    name = "apps.resources"
    label = "resources"
    verbose_name = _("Resources")

    def ready(self) -> None:
        from apps.resources import actions, policies
        from apps.resources.bootstep import NodeReporter

        assert actions and policies
        current_app.steps["worker"].add(NodeReporter)
