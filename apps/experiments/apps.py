from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ExperimentsConfig(AppConfig):
    name = "apps.experiments"
    label = "experiments"
    verbose_name = _("Experiments")

    def ready(self) -> None:
        from apps.departures.contributions import register_contribution
        from apps.experiments import actions, policies  # noqa: F401
        from apps.experiments.departing import CONTRIBUTION
        from apps.experiments.services import mirror  # noqa: F401

        register_contribution("experiments", CONTRIBUTION)
