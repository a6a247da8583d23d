from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ExperimentsConfig(AppConfig):
    name = "apps.experiments"
    label = "experiments"
    verbose_name = _("Experiments")

    def ready(self) -> None:
        from apps.departures.contributions import register_contribution
        from apps.departures.trash import Bin, register_bin
        from apps.experiments import actions, policies, services
        from apps.experiments.departing import CONTENTS, CONTRIBUTION, experiment_steps
        from apps.experiments.models import Experiment
        from apps.experiments.services import mirror
        from apps.projects.contents import register_contents

        assert actions and policies and mirror
        register_contribution("experiments", CONTRIBUTION)
        register_contents("experiments", CONTENTS)
        register_bin(
            Bin(
                Experiment,
                lambda actor, found: services.experiment_purge(actor=actor, experiment=found, name=found.name),
                experiment_steps,
            )
        )
