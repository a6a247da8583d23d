from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TrainingConfig(AppConfig):
    name = "apps.training"
    label = "training"
    verbose_name = _("Training")

    def ready(self) -> None:
        from apps.datasets.selectors import register_usage
        from apps.departures.contributions import register_contribution
        from apps.experiments.points import register_points_source
        from apps.jobs.kinds import register_kind
        from apps.jobs.policies import register_grants
        from apps.projects.contents import register_contents
        from apps.shares import kinds as shares
        from apps.training import actions, policies
        from apps.training.departing import CONTENTS, CONTRIBUTION
        from apps.training.kind import TRAINING
        from apps.training.mirror import points_of_run
        from apps.training.selectors import dataset_uses, uses_of_dataset
        from apps.training.sharing import TRAINING_JOB, jobs_granted

        assert actions and policies
        register_kind(TRAINING)
        register_grants(jobs_granted)
        shares.register_kind(TRAINING_JOB)
        register_points_source(points_of_run)
        register_usage(uses_of_dataset, dataset_uses)
        register_contribution("training", CONTRIBUTION)
        register_contents("training", CONTENTS)
