from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DatasetsConfig(AppConfig):
    name = "apps.datasets"
    label = "datasets"
    verbose_name = _("Datasets")

    def ready(self) -> None:
        from apps.datasets import actions, policies, selectors
        from apps.datasets.departing import CONTRIBUTION
        from apps.datasets.sharing import DATASET, INVITATIONS
        from apps.departures.contributions import register_contribution
        from apps.invitations.targets import register_target
        from apps.organizations.services.quotas import register_storage_meter
        from apps.shares.kinds import register_kind

        assert actions and policies
        register_storage_meter("datasets", selectors.stored_bytes)
        register_kind(DATASET)
        register_target(INVITATIONS)
        register_contribution("datasets", CONTRIBUTION)
