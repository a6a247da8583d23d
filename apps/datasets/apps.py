from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DatasetsConfig(AppConfig):
    name = "apps.datasets"
    label = "datasets"
    verbose_name = _("Datasets")

    def ready(self) -> None:
        from apps.datasets import actions, policies, selectors  # noqa: F401
        from apps.organizations.services.quotas import register_storage_meter

        register_storage_meter("datasets", selectors.stored_bytes)
