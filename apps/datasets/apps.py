from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DatasetsConfig(AppConfig):
    name = "apps.datasets"
    label = "datasets"
    verbose_name = _("Datasets")

    def ready(self) -> None:
        from apps.datasets import actions, policies, selectors, services
        from apps.datasets.departing import CONTRIBUTION
        from apps.datasets.models import Dataset
        from apps.datasets.services.purging import CONTENTS, dataset_steps
        from apps.datasets.sharing import DATASET, INVITATIONS
        from apps.departures.contributions import register_contribution
        from apps.departures.trash import Bin, register_bin
        from apps.invitations.targets import register_target
        from apps.organizations.services.quotas import register_storage_meter
        from apps.projects.contents import register_contents
        from apps.shares.kinds import register_kind

        assert actions and policies
        register_storage_meter("datasets", selectors.stored_bytes)
        register_kind(DATASET)
        register_target(INVITATIONS)
        register_contribution("datasets", CONTRIBUTION)
        register_contents("datasets", CONTENTS)
        register_bin(
            Bin(
                Dataset,
                lambda actor, found: services.dataset_purge(actor=actor, dataset=found, name=found.name),
                dataset_steps,
            )
        )
